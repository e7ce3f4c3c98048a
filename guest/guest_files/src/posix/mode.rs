//! What a POSIX mode says.

use crate::{NodeKind, Owner};

/// Returns what sort of thing a mode stands for.
pub(crate) fn kind(mode: u16) -> NodeKind {
    match mode & 0xF000 {
        0x8000 => NodeKind::File,
        0x4000 => NodeKind::Folder,
        0xA000 => NodeKind::Link,
        _ => NodeKind::Other,
    }
}

/// Returns whose a node is.
pub(crate) fn owner(user: u32, group: u32, mode: u16) -> Owner {
    Owner::Unix {
        user,
        group,
        mode: mode & 0o7777,
    }
}
