//! What is said of a file besides its content, kept on this machine.
//!
//! The order matters on Linux: giving a file away takes set-id bits and capabilities from it, an
//! attribute `user.…` needs leave to write, and an ACL is a part of the permissions.

use std::fs::{File, FileTimes};
use std::path::Path;

use guest_files::{Node, Owner, Time};

use super::Kept;
use super::lost::lose_attributes;
use crate::take_out::About;

/// Gives a file or folder of ours all that is said of it, its times last.
pub(super) fn keep_all(file: &File, node: &Node, about: &About, owners: bool, kept: &mut Kept) {
    #[cfg(unix)]
    unix::keep(file, node, about, owners, kept);
    #[cfg(not(unix))]
    windows::keep(node, about, owners, kept);
    lose_attributes(node, kept);
    keep_times(file, node, kept);
}

/// Gives a symbolic link what such a thing can have.
pub(super) fn keep_of_link(
    place: &Path,
    node: &Node,
    about: &About,
    owners: bool,
    kept: &mut Kept,
) {
    #[cfg(unix)]
    unix::keep_of_link(place, node, about, owners, kept);
    #[cfg(not(unix))]
    let _ = (place, node, about, owners, kept);
}

/// Sets the times that this system has.
pub(super) fn keep_times(file: &File, node: &Node, kept: &mut Kept) {
    let mut times = FileTimes::new();
    if let Some(modified) = node.times.modified.and_then(Time::to_system_time) {
        times = times.set_modified(modified);
    }
    if let Some(accessed) = node.times.accessed.and_then(Time::to_system_time) {
        times = times.set_accessed(accessed);
    }
    #[cfg(windows)]
    if let Some(created) = node.times.created.and_then(Time::to_system_time) {
        use std::os::windows::fs::FileTimesExt as _;
        times = times.set_created(created);
    }
    if file.set_times(times).is_err() {
        kept.lose("times");
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, fchown, lchown};

    use guest_files::Attribute;

    use super::*;

    /// Set-user-id and set-group-id.
    const SET_ID: u16 = 0o6000;

    pub(super) fn keep(file: &File, node: &Node, about: &About, owners: bool, kept: &mut Kept) {
        if let Owner::Unix { user, group, .. } = node.owner
            && owners
            && fchown(file, Some(user), Some(group)).is_err()
        {
            kept.lose("owners (only root gives files away)");
        }
        let is_user = |attribute: &&Attribute| attribute.name.starts_with(b"user.");
        for attribute in about.attributes.iter().filter(is_user) {
            keep_attribute(file, attribute, kept);
        }
        if let Owner::Unix { mode, .. } = node.owner {
            let masked = if owners { mode } else { mode & !SET_ID };
            if masked != mode {
                kept.lose("set-user-id and set-group-id bits (--owners keeps them)");
            }
            let permissions = Permissions::from_mode(u32::from(masked));
            if file.set_permissions(permissions).is_err() {
                kept.lose("permissions");
            }
        }
        let others = about.attributes.iter().filter(|other| !is_user(other));
        for attribute in others {
            if is_privileged(attribute) && !owners {
                kept.lose("attributes security.* and trusted.* (--owners keeps them)");
            } else {
                keep_attribute(file, attribute, kept);
            }
        }
        if let Some(descriptor) = &about.security_descriptor {
            // NTFS on Linux takes it by this name, and nothing else does.
            if !set_attribute(file, b"system.ntfs_acl", descriptor) {
                kept.lose("access control lists of Windows");
            }
        }
    }

    pub(super) fn keep_of_link(
        place: &Path,
        node: &Node,
        about: &About,
        owners: bool,
        kept: &mut Kept,
    ) {
        if let Owner::Unix { user, group, .. } = node.owner
            && owners
            && lchown(place, Some(user), Some(group)).is_err()
        {
            kept.lose("owners (only root gives files away)");
        }
        if !about.attributes.is_empty() {
            kept.lose("attributes of symbolic links");
        }
        #[cfg(target_os = "linux")]
        keep_times_of_link(place, node, kept);
    }

    #[cfg(target_os = "linux")]
    fn keep_times_of_link(place: &Path, node: &Node, kept: &mut Kept) {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let time = |time: Option<Time>| match time {
            Some(time) => Timespec {
                tv_sec: time.seconds,
                tv_nsec: time.nanoseconds.into(),
            },
            None => Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            },
        };
        let times = Timestamps {
            last_access: time(node.times.accessed),
            last_modification: time(node.times.modified),
        };
        if utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW).is_err() {
            kept.lose("times");
        }
    }

    /// What the kernel of this machine goes by: capabilities, labels.
    fn is_privileged(attribute: &Attribute) -> bool {
        [&b"security."[..], b"trusted."]
            .iter()
            .any(|space| attribute.name.starts_with(space))
    }

    fn keep_attribute(file: &File, attribute: &Attribute, kept: &mut Kept) {
        if !set_attribute(file, &attribute.name, &attribute.value) {
            let name = String::from_utf8_lossy(&attribute.name);
            kept.lose(format!("the attribute {}", name.escape_debug()));
        }
    }

    #[cfg(target_os = "linux")]
    fn set_attribute(file: &File, name: &[u8], value: &[u8]) -> bool {
        rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty()).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn set_attribute(_file: &File, _name: &[u8], _value: &[u8]) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod windows {
    use super::*;

    pub(super) fn keep(node: &Node, about: &About, owners: bool, kept: &mut Kept) {
        if matches!(node.owner, Owner::Unix { .. }) {
            kept.lose("permissions of Linux");
        }
        if owners {
            kept.lose("owners");
        }
        if !about.attributes.is_empty() {
            kept.lose("extended attributes");
        }
        if about.security_descriptor.is_some() {
            kept.lose("access control lists of Windows");
        }
    }
}
