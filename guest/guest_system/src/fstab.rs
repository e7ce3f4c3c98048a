//! Where a Linux guest mounts its volumes (`fstab`(5)).

use guest_files::{FileError, GuestFileSystem};
use serde::{Deserialize, Serialize};

use crate::path;

/// Most bytes of the file that are read.
const FSTAB_MAX_BYTES: usize = 256 << 10;

/// A line of `fstab`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// What is mounted.
    pub device: FstabDevice,
    /// Where: `/`, `/home`.
    pub path: String,
}

/// What a line names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FstabDevice {
    /// `UUID=`: the file system's own id.
    Uuid(String),
    /// `LABEL=`: its label.
    Label(String),
    /// `PARTUUID=`: the partition's GUID, or disk signature and number.
    PartitionUuid(String),
    /// `PARTLABEL=`: the partition's name.
    PartitionLabel(String),
    /// A logical volume: `/dev/GROUP/VOLUME` or `/dev/mapper/GROUP-VOLUME`, in the second way.
    Mapped(String),
    /// Another device by its path, such as `/dev/sda2`: which disk it is, only the guest knows.
    Path(String),
}

/// Returns what the Linux on this volume mounts where; `None` where there is no `fstab` on it. Lines
/// for swap, network and memory are left out.
///
/// # Errors
///
/// Those of the volume.
pub fn mount_points(system: &dyn GuestFileSystem) -> Result<Option<Vec<MountPoint>>, FileError> {
    let Some(file) = path::open(system, &["etc", "fstab"])? else {
        return Ok(None);
    };
    let len = usize::try_from(file.size_bytes()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len.min(FSTAB_MAX_BYTES)];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(parse(&String::from_utf8_lossy(&bytes))))
}

fn parse(text: &str) -> Vec<MountPoint> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<MountPoint> {
    let mut fields = line
        .split_whitespace()
        .take_while(|field| !field.starts_with('#'));
    let (device, path) = (fields.next()?, fields.next()?);
    let path = unescape(path);
    path.starts_with('/').then_some(MountPoint {
        device: device_of(&unescape(device))?,
        path,
    })
}

fn device_of(text: &str) -> Option<FstabDevice> {
    let of = |key: &str| {
        let value = text.strip_prefix(key)?.strip_prefix('=')?;
        Some(value.trim_matches('"').to_owned())
    };
    if let Some(uuid) = of("UUID") {
        return Some(FstabDevice::Uuid(uuid));
    }
    if let Some(label) = of("LABEL") {
        return Some(FstabDevice::Label(label));
    }
    if let Some(uuid) = of("PARTUUID") {
        return Some(FstabDevice::PartitionUuid(uuid));
    }
    if let Some(label) = of("PARTLABEL") {
        return Some(FstabDevice::PartitionLabel(label));
    }
    let path = text.strip_prefix("/dev/")?;
    for (folder, make) in [
        (
            "disk/by-uuid/",
            FstabDevice::Uuid as fn(String) -> FstabDevice,
        ),
        ("disk/by-label/", FstabDevice::Label),
        ("disk/by-partuuid/", FstabDevice::PartitionUuid),
        ("disk/by-partlabel/", FstabDevice::PartitionLabel),
        ("mapper/", FstabDevice::Mapped),
    ] {
        if let Some(name) = path.strip_prefix(folder) {
            return Some(make(name.to_owned()));
        }
    }
    if path.starts_with("disk/") {
        return Some(FstabDevice::Path(text.to_owned()));
    }
    // The device mapper doubles a dash in a name, since one stands between group and volume.
    let double = |name: &str| name.replace('-', "--");
    Some(match path.split_once('/') {
        Some((group, volume)) => {
            FstabDevice::Mapped(format!("{}-{}", double(group), double(volume)))
        }
        None => FstabDevice::Path(text.to_owned()),
    })
}

/// Blanks and the like are written as `\` and three octal digits.
fn unescape(field: &str) -> String {
    let mut text = field.to_owned();
    for (code, letter) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        text = text.replace(code, letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_devices_in_each_way() {
        let text = "# made by the installer\n\
            UUID=1111-2222 / ext4 defaults 0 1\n\
            LABEL=\"data\" /srv/my\\040data xfs defaults 0 0\n\
            /dev/vg0/my-root /var ext4 defaults 0 2 # a remark\n\
            /dev/mapper/vg0-home /home ext4 defaults 0 2\n\
            /dev/disk/by-partuuid/abcd-01 /boot ext2\n\
            /dev/sda3 /old ext3\n\
            /dev/sda2 none swap sw 0 0\n\
            server:/export /mnt nfs\n\
            tmpfs /tmp tmpfs\n\
            broken\n";
        let found: Vec<_> = parse(text)
            .into_iter()
            .map(|point| (point.path, point.device))
            .collect();
        let expected = [
            ("/", FstabDevice::Uuid("1111-2222".to_owned())),
            ("/srv/my data", FstabDevice::Label("data".to_owned())),
            ("/var", FstabDevice::Mapped("vg0-my--root".to_owned())),
            ("/home", FstabDevice::Mapped("vg0-home".to_owned())),
            ("/boot", FstabDevice::PartitionUuid("abcd-01".to_owned())),
            ("/old", FstabDevice::Path("/dev/sda3".to_owned())),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(path, device)| (path.to_owned(), device))
            .collect();
        assert_eq!(found, expected);
    }
}
