//! What is mounted, as the kernel says.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The kernel's list of this process's mounts (`proc_pid_mountinfo(5)`).
const MOUNTS: &str = "/proc/self/mountinfo";
/// What a mount of a view says that it is of.
pub(crate) const SOURCE: &str = "lifeboat";
/// The types that it may have: root mounts without the part behind the dot.
const TYPES: [&[u8]; 2] = [b"fuse", b"fuse.lifeboat"];

/// Returns whether a view is mounted on a folder.
pub(crate) fn is_mounted(folder: &Path) -> io::Result<bool> {
    let mounts = fs::read(MOUNTS)?;
    Ok(lists(&mounts, folder.as_os_str().as_bytes()))
}

/// Returns whether the list has a view on a folder. A line is `36 35 98:0 / FOLDER
/// OPTIONS… - TYPE SOURCE …`.
fn lists(mounts: &[u8], folder: &[u8]) -> bool {
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.any(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let is_there = fields.nth(4).is_some_and(|field| plain(field) == folder);
        let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
        let is_ours = behind.next().is_some_and(|own| TYPES.contains(&own))
            && behind.next() == Some(SOURCE.as_bytes());
        is_there && is_ours
    })
}

/// Returns a field without the escapes of the list: `\040` is a space.
fn plain(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let escaped = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                behind @ ..,
            ] => Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), behind)),
            _ => None,
        };
        let (byte, behind) = escaped.unwrap_or((*first, behind));
        plain.push(byte);
        rest = behind;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_found_by_its_folder_whatever_is_in_the_name() {
        let mounts = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            90 22 0:50 / /mnt/a\\040b\\134 ro,nosuid shared:9 master:2 - fuse.lifeboat lifeboat ro\n\
            92 22 0:52 / /mnt/root ro - fuse lifeboat ro\n\
            91 22 0:51 / /mnt/other ro - fuse.sshfs x ro\n";
        assert!(lists(mounts, b"/mnt/a b\\"));
        assert!(lists(mounts, b"/mnt/root"));
        assert!(!lists(mounts, b"/mnt/a"));
        assert!(!lists(mounts, b"/mnt/other"), "it is of another program");
        assert!(!lists(b"", b"/mnt/a"));
    }
}
