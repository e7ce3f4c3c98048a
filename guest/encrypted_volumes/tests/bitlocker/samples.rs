//! Volumes that Windows made, with the hashes of what cryptsetup's authors found in them: the archive
//! `tests/bitlk-images.tar.xz` of cryptsetup, unpacked in the folder of samples.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use block_io::BlockDevice;
use disk_image::OpenOptions;
use disk_model::independent_tools::sample;
use encrypted_volumes::{
    BitLockerProtectorKind, BitLockerSecret, UnlockErrorKind, bitlocker_protectors, open_bitlocker,
};
use volume_map::{Content, GuestVolume, guest_volumes_opened};

struct Image {
    path: PathBuf,
    facts: BTreeMap<String, String>,
}

impl Image {
    fn fact(&self, name: &str) -> Option<&str> {
        let fact = self.facts.get(name).map(String::as_str);
        fact.filter(|fact| !fact.is_empty())
    }

    fn volume(&self) -> Arc<dyn BlockDevice> {
        Arc::new(disk_image::open(&self.path, &OpenOptions::default()).unwrap())
    }

    /// The start-up key's file beside it.
    fn startup_key(&self) -> Option<Vec<u8>> {
        let id = self.fact("SK_VMK_GUID")?.to_uppercase();
        Some(fs::read(self.path.with_file_name(format!("{id}.BEK"))).unwrap())
    }
}

/// All images. `None`: they are not here.
fn images() -> Option<Vec<Image>> {
    let list = sample("bitlk-images/images.conf")?;
    let folder: &Path = list.parent().unwrap();
    let mut images: Vec<Image> = Vec::new();
    for line in fs::read_to_string(&list).unwrap().lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            images.push(Image {
                path: folder.join(format!("{name}.img")),
                facts: BTreeMap::new(),
            });
        } else if let Some((name, value)) = line.split_once('=') {
            let facts = &mut images.last_mut().unwrap().facts;
            facts.insert(name.to_owned(), value.to_owned());
        }
    }
    Some(images)
}

fn sha256(device: &dyn BlockDevice) -> String {
    let mut context = Context::new(&SHA256);
    let mut bytes = vec![0; 1 << 20];
    for at in (0..device.size_bytes()).step_by(bytes.len()) {
        let len = (device.size_bytes() - at).min(bytes.len() as u64);
        let part = &mut bytes[..usize::try_from(len).unwrap()];
        device.read_at(at, part).unwrap();
        context.update(part);
    }
    let digest = context.finish();
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// What opens an image, each with a name for messages.
fn secrets<'a>(image: &'a Image, startup_key: Option<&'a [u8]>) -> Vec<BitLockerSecret<'a>> {
    let recovery = ["RP", "RP2"].iter().filter_map(|name| image.fact(name));
    let mut secrets: Vec<_> = recovery.map(BitLockerSecret::RecoveryPassword).collect();
    secrets.extend(image.fact("PW").map(BitLockerSecret::Password));
    secrets.extend(startup_key.map(BitLockerSecret::StartupKey));
    secrets.extend(
        image
            .fact("CLEARKEY_VMK_GUID")
            .map(|_| BitLockerSecret::ClearKey),
    );
    secrets
}

#[test]
fn what_windows_encrypted_reads_as_cryptsetup_s_authors_found_it() {
    let Some(images) = images() else { return };
    let mut opened = 0;
    for image in &images {
        let startup_key = image.startup_key();
        let secrets = secrets(image, startup_key.as_deref());
        assert!(!secrets.is_empty(), "{}", image.path.display());
        for secret in secrets {
            let what = format!("{} with {secret:?}", image.path.display());
            let clear = open_bitlocker(image.volume(), &secret);
            match image.fact("SHA256SUM") {
                Some(hash) => {
                    assert_eq!(sha256(&*clear.unwrap()), hash, "{what}");
                    opened += 1;
                }
                // Both are being encrypted on write.
                None => {
                    let error = clear.err().unwrap();
                    assert_eq!(error.kind(), UnlockErrorKind::Unsupported, "{what}");
                    assert!(error.to_string().contains("encrypt on write"), "{error}");
                }
            }
        }
    }
    assert_eq!((images.len(), opened), (21, 37));
}

#[test]
fn another_s_secret_opens_nothing_and_what_would_is_named() {
    let Some(images) = images() else { return };
    let Some(image) = images
        .iter()
        .find(|image| image.path.ends_with("bitlk-aes-xts-128-startup-key.img"))
    else {
        panic!("the list has changed")
    };
    let other = images.iter().find(|image| {
        image
            .path
            .ends_with("bitlk-aes-xts-128-startup-key-win11.img")
    });
    let other_key = other.unwrap().startup_key().unwrap();
    for secret in [
        BitLockerSecret::RecoveryPassword(
            "235818-357951-253979-013365-241120-245575-342914-591910",
        ),
        BitLockerSecret::Password("anaconda "),
        BitLockerSecret::StartupKey(&other_key),
        BitLockerSecret::ClearKey,
    ] {
        let error = open_bitlocker(image.volume(), &secret).err().unwrap();
        assert_eq!(error.kind(), UnlockErrorKind::WrongKey, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("recovery password {294BC732-F82F-404C-A2CE-D1094ED59506}"),
            "{text}"
        );
    }
    let kinds = bitlocker_protectors(&image.volume()).unwrap();
    let kinds: Vec<_> = kinds.iter().map(|protector| protector.kind).collect();
    let expected = [
        BitLockerProtectorKind::Password,
        BitLockerProtectorKind::RecoveryPassword,
        BitLockerProtectorKind::StartupKey,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn an_open_volume_is_known_for_what_is_in_it() {
    let Some(images) = images() else { return };
    let contents = [
        ("bitlk-aes-xts-128.img", Content::Ntfs),
        ("bitlk-togo-aes-xts-128.img", Content::Fat16),
    ];
    for (name, content) in contents {
        let image = images.iter().find(|image| image.path.ends_with(name));
        let image = image.unwrap();
        let secret = BitLockerSecret::RecoveryPassword(image.fact("RP").unwrap());
        let mut unlock =
            |volume: &GuestVolume| open_bitlocker(volume.device.clone()?, &secret).ok();
        let all = guest_volumes_opened(&[image.volume()], &mut unlock);
        let [volume] = all.volumes.as_slice() else {
            panic!("{name}: {} volumes", all.volumes.len())
        };
        assert_eq!(volume.encryption, Some(Content::BitLocker), "{name}");
        assert_eq!(volume.content, content, "{name}");
    }
}
