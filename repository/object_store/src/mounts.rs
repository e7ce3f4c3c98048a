//! What is mounted where.

use std::io;
use std::path::PathBuf;

/// A place where a removable disk or a share may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where its files are.
    pub folder: PathBuf,
    /// What people call the medium, where the system tells.
    pub labels: Vec<String>,
}

/// Knows what is mounted; a test says it itself.
pub trait Mounts {
    /// Returns the places where a medium may be.
    fn mounts(&self) -> io::Result<Vec<Mount>>;
}

/// What is mounted on this machine.
///
/// On Linux: below `/media`, `/mnt` and `/run/media`, with the label of the file system
/// (`/dev/disk/by-label`) and the last part of the path, which desktops name after the label. On
/// Windows: drives `A:` to `Z:`; their labels are not told.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsMounts;

#[cfg(target_os = "linux")]
impl Mounts for OsMounts {
    fn mounts(&self) -> io::Result<Vec<Mount>> {
        let table = std::fs::read("/proc/self/mountinfo")?;
        let labels = linux::labels_of_devices();
        Ok(linux::read_mountinfo(&table, &labels))
    }
}

#[cfg(windows)]
impl Mounts for OsMounts {
    fn mounts(&self) -> io::Result<Vec<Mount>> {
        let drives =
            (b'A'..=b'Z').map(|letter| PathBuf::from(format!("{}:\\", char::from(letter))));
        Ok(drives
            .filter(|folder| folder.is_dir())
            .map(|folder| Mount {
                folder,
                labels: Vec::new(),
            })
            .collect())
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
impl Mounts for OsMounts {
    /// What lies directly in `/Volumes`, `/media` and `/mnt`.
    fn mounts(&self) -> io::Result<Vec<Mount>> {
        let folders = ["/Volumes", "/media", "/mnt"];
        let entries = folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok());
        Ok(entries
            .flatten()
            .flatten()
            .map(|entry| Mount {
                folder: entry.path(),
                labels: entry.file_name().into_string().into_iter().collect(),
            })
            .collect())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::PathBuf;

    use super::Mount;

    /// Where removable disks and shares are mounted.
    const PLACES: [&str; 3] = ["/media", "/mnt", "/run/media"];
    /// Most labels that are looked at.
    const MOST_LABELS: usize = 4096;

    /// Reads `/proc/self/mountinfo` (proc(5)): the mounts at or below the places where media are.
    /// A line that cannot be read is passed over.
    pub(super) fn read_mountinfo(table: &[u8], labels: &HashMap<PathBuf, String>) -> Vec<Mount> {
        table
            .split(|byte| *byte == b'\n')
            .filter_map(|line| read_line(line, labels))
            .collect()
    }

    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn read_line(line: &[u8], labels: &HashMap<PathBuf, String>) -> Option<Mount> {
        let mut fields = line.split(|byte| *byte == b' ');
        let folder = PathBuf::from(unescape(fields.nth(4)?));
        if !PLACES.iter().any(|place| folder.starts_with(place)) {
            return None;
        }
        let device = fields
            .skip_while(|field| *field != b"-")
            .nth(2)
            .map(|field| PathBuf::from(unescape(field)));
        let by_device = device.and_then(|device| labels.get(&device).cloned());
        let by_folder = folder
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        let mut labels: Vec<String> = by_device.into_iter().chain(by_folder).collect();
        labels.dedup();
        Some(Mount { folder, labels })
    }

    /// Space, tab, line feed and backslash are written as a backslash and three octal digits.
    fn unescape(field: &[u8]) -> OsString {
        let mut bytes = Vec::with_capacity(field.len());
        let mut rest = field;
        while let Some((first, after)) = rest.split_first() {
            let octal = after
                .get(..3)
                .filter(|_| *first == b'\\')
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 8).ok());
            match octal {
                Some(byte) => {
                    bytes.push(byte);
                    rest = after.get(3..).unwrap_or_default();
                }
                None => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        OsString::from_vec(bytes)
    }

    /// Returns the label of each device that has one.
    pub(super) fn labels_of_devices() -> HashMap<PathBuf, String> {
        let Ok(entries) = std::fs::read_dir("/dev/disk/by-label") else {
            return HashMap::new();
        };
        entries
            .flatten()
            .take(MOST_LABELS)
            .filter_map(|entry| {
                let label = unescape_udev(entry.file_name().as_bytes())?;
                Some((std::fs::canonicalize(entry.path()).ok()?, label))
            })
            .collect()
    }

    /// udev writes what may not be in a file's name as `\x` and two hex digits.
    fn unescape_udev(name: &[u8]) -> Option<String> {
        let mut bytes = Vec::with_capacity(name.len());
        let mut rest = name;
        while let Some((first, after)) = rest.split_first() {
            let hex = after
                .strip_prefix(b"x")
                .filter(|_| *first == b'\\')
                .and_then(|after| std::str::from_utf8(after.get(..2)?).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            match hex {
                Some(byte) => {
                    bytes.push(byte);
                    rest = after.get(3..).unwrap_or_default();
                }
                None => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        String::from_utf8(bytes).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_mount_table_is_read_with_its_escapes() {
            let table = b"25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw\n\
                36 35 8:17 / /media/ann/My\\040Passport rw shared:1 master:2 - exfat /dev/sdb1 rw\n\
                37 35 8:33 / /mnt rw - ext4 /dev/sdc1 rw\n\
                38 35 0:50 / /mnt/nas rw - cifs //nas/backup rw\n\
                39 35 0:51 / /mediaeval rw - tmpfs tmpfs rw\n\
                garbage\n\xff\xff \\9 \\";
            let labels = HashMap::from([(PathBuf::from("/dev/sdc1"), "OFFSITE 2".to_owned())]);
            let mount = |folder: &str, labels: &[&str]| Mount {
                folder: folder.into(),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            };
            assert_eq!(
                read_mountinfo(table, &labels),
                [
                    mount("/media/ann/My Passport", &["My Passport"]),
                    mount("/mnt", &["OFFSITE 2", "mnt"]),
                    mount("/mnt/nas", &["nas"]),
                ]
            );
            assert_eq!(unescape_udev(b"A\\x20B").as_deref(), Some("A B"));
            assert_eq!(unescape_udev(b"\\x2").as_deref(), Some("\\x2"));
        }

        #[test]
        fn this_machine_has_a_mount_table() {
            use super::super::{Mounts as _, OsMounts};
            let mounts = OsMounts.mounts().unwrap();
            assert!(mounts.iter().all(|mount| mount.folder.is_absolute()));
        }
    }
}
