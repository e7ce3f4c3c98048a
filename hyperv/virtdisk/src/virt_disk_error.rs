//! Why `virtdisk.dll` did not answer.

use std::error::Error;
use std::fmt;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VirtDiskErrorKind {
    /// The file does not exist.
    NotFound,
    /// Who asks may not.
    Denied,
    /// Somebody else has the file open in a way that shuts us out.
    InUse,
    /// The file is no virtual disk that Windows can open.
    NotADisk,
    /// A parent of the disk is missing or is not the right one.
    Parent,
    /// The disk is shared between VMs.
    Shared,
    /// The tracking id is not known, or what it knew is gone.
    UnknownId,
    /// The tracking id is malformed.
    MalformedId,
    /// Changes of this disk are not tracked.
    TrackingOff,
    /// The tracking files do not fit the disk: it was changed without them, or they are damaged.
    Inconsistent,
    /// This Windows or this disk lacks what was asked.
    Unsupported,
    /// The answer is impossible.
    Nonsense,
    /// Windows says that it failed.
    Failed,
}

/// A failure of a call about a virtual disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtDiskError {
    kind: VirtDiskErrorKind,
    path: String,
    asked: &'static str,
    code: Option<u32>,
    what: String,
}

impl VirtDiskError {
    /// Makes the error of Windows' number, given for what was `asked` of the disk at `path`
    /// (winerror.h).
    pub fn of_code(code: u32, path: &str, asked: &'static str) -> Self {
        let kind = kind_of(code);
        Self {
            kind,
            path: path.to_owned(),
            asked,
            code: Some(code),
            what: match meaning(kind) {
                "" => format!("Windows answered 0x{code:08X}"),
                meaning => format!("{meaning} (0x{code:08X})"),
            },
        }
    }

    /// Makes the error of an answer that cannot be.
    #[cfg(windows)]
    pub(crate) fn nonsense(path: &str, asked: &'static str, what: String) -> Self {
        Self {
            kind: VirtDiskErrorKind::Nonsense,
            path: path.to_owned(),
            asked,
            code: None,
            what,
        }
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> VirtDiskErrorKind {
        self.kind
    }

    /// Returns Windows' own number, where it gave one.
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    /// Returns the disk, as it was named.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for VirtDiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.path, self.asked, self.what)
    }
}

impl Error for VirtDiskError {}

/// Sorts Windows' numbers. Which of them a change query gives when is known for 0xC03A0030 only.
///
/// Contract: 2.3 [M]
fn kind_of(code: u32) -> VirtDiskErrorKind {
    match code {
        2 | 3 | 53 | 67 | 161 => VirtDiskErrorKind::NotFound,
        5 | 1314 => VirtDiskErrorKind::Denied,
        32 | 33 | 0xC03A_001E => VirtDiskErrorKind::InUse,
        0xC03A_0001..=0xC03A_000C | 0xC03A_0010 | 0xC03A_0013..=0xC03A_0015 => {
            VirtDiskErrorKind::NotADisk
        }
        0xC03A_000D..=0xC03A_000F | 0xC03A_0016..=0xC03A_0019 => VirtDiskErrorKind::Parent,
        0xC05C_FF0A => VirtDiskErrorKind::Shared,
        0xC03A_0030 => VirtDiskErrorKind::UnknownId,
        0xC03A_0029 => VirtDiskErrorKind::MalformedId,
        0xC03A_002A => VirtDiskErrorKind::TrackingOff,
        0xC03A_0020..=0xC03A_0024 => VirtDiskErrorKind::Inconsistent,
        1 | 50 | 120 | 0xC03A_001A | 0xC03A_001B => VirtDiskErrorKind::Unsupported,
        _ => VirtDiskErrorKind::Failed,
    }
}

fn meaning(kind: VirtDiskErrorKind) -> &'static str {
    match kind {
        VirtDiskErrorKind::NotFound => "there is no such file",
        VirtDiskErrorKind::Denied => "access is denied",
        VirtDiskErrorKind::InUse => "the file is in use",
        VirtDiskErrorKind::NotADisk => "Windows cannot open it as a virtual disk",
        VirtDiskErrorKind::Parent => "a parent is missing or is not the right one",
        VirtDiskErrorKind::Shared => "the disk is shared between VMs",
        VirtDiskErrorKind::UnknownId => "the tracking id is not known any more",
        VirtDiskErrorKind::MalformedId => "the tracking id is malformed",
        VirtDiskErrorKind::TrackingOff => "changes of this disk are not tracked",
        VirtDiskErrorKind::Inconsistent => "the tracking files do not fit the disk",
        VirtDiskErrorKind::Unsupported => "this Windows, or this disk, cannot do that",
        VirtDiskErrorKind::Nonsense | VirtDiskErrorKind::Failed => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_for_a_full_read_are_told_apart() {
        for (code, kind) in [
            (0xC03A_0030, VirtDiskErrorKind::UnknownId),
            (0xC03A_0029, VirtDiskErrorKind::MalformedId),
            (0xC03A_002A, VirtDiskErrorKind::TrackingOff),
            (0xC03A_0020, VirtDiskErrorKind::Inconsistent),
            (0xC03A_0024, VirtDiskErrorKind::Inconsistent),
            (0xC03A_0025, VirtDiskErrorKind::Failed),
            (5, VirtDiskErrorKind::Denied),
            (2, VirtDiskErrorKind::NotFound),
        ] {
            let error = VirtDiskError::of_code(code, "C:\\a.vhdx", "query changes");
            assert_eq!(error.kind(), kind, "{code:08X}");
            assert_eq!(error.code(), Some(code));
            let text = error.to_string();
            assert!(
                text.contains("C:\\a.vhdx") && text.contains(&format!("{code:08X}")),
                "{text}"
            );
        }
    }
}
