//! Opening encrypted volumes with what their owner gave.

use std::sync::Arc;

use block_io::BlockDevice;
use encrypted_volumes::{BitLockerSecret, UnlockError, UnlockErrorKind, open_bitlocker, open_luks};
use serde::{Deserialize, Serialize};
use volume_map::{Content, GuestVolume, GuestVolumes, guest_volumes_opened};

use crate::{SecretKind, Secrets};

/// What came of the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unlocked {
    /// The volumes that each secret opened, in the order of the secrets.
    pub opened: Vec<Vec<String>>,
    /// Volumes that stay closed though there were secrets to try.
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

/// Finds all volumes, also those inside of what the secrets open.
pub(crate) fn volumes(
    disks: &[Arc<dyn BlockDevice>],
    secrets: &Secrets,
) -> (GuestVolumes, Unlocked) {
    let mut unlocked = Unlocked {
        opened: vec![Vec::new(); secrets.len()],
        closed: Vec::new(),
    };
    let mut open = |volume: &GuestVolume| match unlock(volume, secrets) {
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
    for (number, (kind, secret)) in secrets.iter().enumerate() {
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
    Err(why)
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
