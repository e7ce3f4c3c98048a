//! Opening encrypted volumes with what their owner gave.

use std::sync::Arc;

use block_io::BlockDevice;
use encrypted_volumes::{
    BitLockerProtectorKind, BitLockerSecret, UnlockError, UnlockErrorKind, bitlocker_protectors,
    luks_work, open_bitlocker, open_luks,
};
use serde::{Deserialize, Serialize};
use volume_map::{Content, GuestVolume, GuestVolumes, guest_volumes_opened};

use crate::{SecretKind, Secrets};

/// What came of the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unlocked {
    /// The volumes that each secret opened, in the order of the secrets.
    pub opened: Vec<Vec<String>>,
    /// Volumes that stay closed though there were secrets to try; also those on which some were not
    /// tried, since trying secrets on all volumes together is bounded.
    pub closed: Vec<ClosedVolume>,
}

/// A volume that none of the secrets opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedVolume {
    /// Its name in paths.
    pub name: String,
    /// What it is encrypted with.
    pub content: Content,
    /// Why it stays closed.
    pub why: String,
}

/// Most work that goes into secrets, over all volumes of a guest together: a unit is a second or so of
/// a processor. A volume says itself how often and how hard a secret is to be tried on it, so many
/// small ones that somebody forged would keep a reader busy for hours.
const WORK_MAX: u64 = 256;

/// What of [`WORK_MAX`] is left.
struct Work(u64);

impl Work {
    /// Takes some; `false` where not as much is left.
    fn take(&mut self, units: u64) -> bool {
        match self.0.checked_sub(units) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// Finds all volumes, also those inside of what the secrets open.
pub(crate) fn volumes(
    disks: &[Arc<dyn BlockDevice>],
    secrets: &Secrets,
) -> (GuestVolumes, Unlocked) {
    let mut unlocked = Unlocked {
        opened: vec![Vec::new(); secrets.len()],
        closed: Vec::new(),
    };
    let mut work = Work(WORK_MAX);
    let mut open = |volume: &GuestVolume| match unlock(volume, secrets, &mut work) {
        Ok((secret, clear)) => {
            if let Some(opened) = secret.and_then(|secret| unlocked.opened.get_mut(secret)) {
                opened.push(volume.name.clone());
            }
            Some(clear)
        }
        Err(why) => {
            if !secrets.is_empty() {
                unlocked.closed.push(ClosedVolume {
                    name: volume.name.clone(),
                    content: volume.content,
                    why,
                });
            }
            None
        }
    };
    let mut volumes = guest_volumes_opened(disks, &mut open);
    for closed in &unlocked.closed {
        let found = volumes.volumes.iter_mut();
        let mut obstacles = found
            .filter(|volume| volume.name == closed.name)
            .filter_map(|volume| volume.obstacle.as_mut());
        if let Some(obstacle) = obstacles.next() {
            obstacle.what = format!("{}: {}", obstacle.what, closed.why);
        }
    }
    (volumes, unlocked)
}

/// Opens a volume with the first secret that fits, and says which; `None` where its protection is
/// suspended, so that its key lies open on it. The error says why none did.
fn unlock(
    volume: &GuestVolume,
    secrets: &Secrets,
    work: &mut Work,
) -> Result<(Option<usize>, Arc<dyn BlockDevice>), String> {
    let mut why = "none of the secrets is of the sort that opens it".to_owned();
    let Some(device) = &volume.device else {
        return Err("its bytes are not here".to_owned());
    };
    if volume.content == Content::BitLocker {
        let clear = open_bitlocker(Arc::clone(device), &BitLockerSecret::ClearKey);
        if let Ok(clear) = clear {
            return Ok((None, clear));
        }
    }
    let mut not_tried = 0_u64;
    let costs = Costs::of(volume.content, device);
    for (number, (kind, secret)) in secrets.iter().enumerate() {
        if !work.take(costs.of_secret(kind)) {
            not_tried += 1;
            continue;
        }
        let opened = match volume.content {
            Content::Luks => open_luks(Arc::clone(device), without_spaces(kind, secret)),
            Content::BitLocker => match bitlocker_secret(kind, secret) {
                Some(secret) => open_bitlocker(Arc::clone(device), &secret),
                None => continue,
            },
            _ => continue,
        };
        match opened {
            Ok(clear) => return Ok((Some(number), clear)),
            Err(error) => why = said(&error),
        }
    }
    match not_tried {
        0 => Err(why),
        count => Err(format!(
            "{count} of {} secrets were not tried on it: trying them on all encrypted volumes would take \
             too long; give fewer at once",
            secrets.len()
        )),
    }
}

/// What trying a secret on a volume takes, in units of [`Work`].
struct Costs {
    password: u64,
    key_file: u64,
    recovery_key: u64,
}

impl Costs {
    /// Asks a volume. Where it cannot tell, opening it fails before anything is worked out.
    fn of(content: Content, device: &Arc<dyn BlockDevice>) -> Self {
        match content {
            Content::Luks => {
                let work = luks_work(device).unwrap_or(0);
                Self {
                    password: work,
                    key_file: work,
                    recovery_key: work,
                }
            }
            Content::BitLocker => {
                let all = bitlocker_protectors(device).unwrap_or_default();
                let count = |kind| all.iter().map(|it| u64::from(it.kind == kind)).sum();
                Self {
                    password: count(BitLockerProtectorKind::Password),
                    // Nothing is stretched.
                    key_file: 0,
                    recovery_key: count(BitLockerProtectorKind::RecoveryPassword),
                }
            }
            _ => Self {
                password: 0,
                key_file: 0,
                recovery_key: 0,
            },
        }
    }

    fn of_secret(&self, kind: SecretKind) -> u64 {
        match kind {
            SecretKind::Password => self.password,
            SecretKind::KeyFile => self.key_file,
            SecretKind::RecoveryKey => self.recovery_key,
        }
    }
}

/// What has nothing to do with the secret is said as it is; of several wrong ones the last one's word.
fn said(error: &UnlockError) -> String {
    match error.kind() {
        UnlockErrorKind::WrongKey => {
            format!("none of the secrets that were given opens it ({error})")
        }
        _ => error.to_string(),
    }
}

/// Says what a secret is to BitLocker; `None` where it cannot be one of its own.
fn bitlocker_secret(kind: SecretKind, secret: &[u8]) -> Option<BitLockerSecret<'_>> {
    match kind {
        SecretKind::KeyFile => Some(BitLockerSecret::StartupKey(secret)),
        SecretKind::Password => std::str::from_utf8(secret)
            .ok()
            .map(BitLockerSecret::Password),
        SecretKind::RecoveryKey => std::str::from_utf8(secret.trim_ascii())
            .ok()
            .map(BitLockerSecret::RecoveryPassword),
    }
}

/// A recovery key is copied from paper; what stands around it is none of it.
fn without_spaces(kind: SecretKind, secret: &[u8]) -> &[u8] {
    match kind {
        SecretKind::RecoveryKey => secret.trim_ascii(),
        _ => secret,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use disk_image::OpenOptions;
    use disk_model::independent_tools::run;
    use zeroize::Zeroizing;

    use super::*;

    fn secrets(all: &[&[u8]]) -> Secrets {
        let mut secrets = Secrets::default();
        for secret in all {
            let secret = Zeroizing::new(secret.to_vec());
            secrets.add(SecretKind::Password, secret).unwrap();
        }
        secrets
    }

    /// A disk that is a LUKS volume, as QEMU makes it with little work.
    fn luks() -> Option<Arc<dyn BlockDevice>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("luks.raw");
        let options = [
            "create",
            "-q",
            "--object",
            "secret,id=key,data=open sesame",
            "-f",
            "luks",
            "-o",
            "key-secret=key,iter-time=10",
        ];
        let mut arguments = options.map(OsStr::new).to_vec();
        arguments.extend([path.as_os_str(), OsStr::new("1M")]);
        run("qemu-img", &arguments)?;
        Some(Arc::new(
            disk_image::open(&path, &OpenOptions::default()).unwrap(),
        ))
    }

    #[test]
    fn secrets_are_tried_as_long_as_that_takes_no_hours() {
        let Some(disk) = luks() else { return };
        let units = luks_work(&disk).unwrap();
        assert!((1..=8).contains(&units), "{units}");
        let mut found = None;
        let disks = [disk];
        guest_volumes_opened(&disks, &mut |volume| {
            found = Some(volume.clone());
            None
        });
        let volume = found.unwrap();
        let secrets = secrets(&[b"open barley", b"open sesame"]);
        let mut work = Work(2 * units);
        let (secret, _) = unlock(&volume, &secrets, &mut work).unwrap();
        assert_eq!((secret, work.0), (Some(1), 0));
        for left in [2 * units - 1, 0] {
            let why = unlock(&volume, &secrets, &mut Work(left)).err().unwrap();
            assert!(why.contains("of 2 secrets were not tried"), "{why}");
        }
        // What is left after many is nothing, and the volume that comes then is named.
        let wrong = vec![&b"open barley"[..]; usize::try_from(WORK_MAX).unwrap()];
        let many = [&wrong[..], &[b"open sesame"]].concat();
        let (_, unlocked) = volumes(&disks, &self::secrets(&many));
        assert_eq!(unlocked.closed.len(), 1);
        assert!(unlocked.closed[0].why.contains("were not tried"));
    }
}
