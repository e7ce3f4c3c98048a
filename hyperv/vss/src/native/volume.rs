//! Which volume a path lies on.

use windows::Win32::Storage::FileSystem::{GetVolumeNameForVolumeMountPointW, GetVolumePathNameW};
use windows::core::PCWSTR;

use super::bindings::IVssBackupComponentsEx4;
use super::cluster::{Cluster, with_backslash};
use super::foreign_text::{check, failure, of_array, take_pointer, wide};
use super::requester::Requester;
use crate::{SnapshotVolume, VolumeKind, VssError, VssErrorKind, VssStep};

const STEP: VssStep = VssStep::VolumeOf;

/// Room for a path, and for `\\?\Volume{…}\` with its zero, in characters.
const PATH_ROOM: usize = 32_768;
const NAME_ROOM: usize = 64;

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To a disk of this machine.
    Local(String),
    /// To a share, `\\server\share\…`.
    Share(String),
}

impl Place {
    /// Looks at how a path begins.
    ///
    /// # Errors
    ///
    /// `NotFound` for a path that is not whole: it would depend on where the program stands.
    pub(super) fn of(path: &str) -> Result<Self, VssError> {
        let path = path.replace('/', "\\");
        let lower = path.to_ascii_lowercase();
        if lower.starts_with(r"\\?\unc\") {
            let share = path.get(r"\\?\unc\".len()..).unwrap_or_default();
            return Ok(Self::Share(format!(r"\\{share}")));
        }
        if path.starts_with(r"\\?\") {
            return Ok(Self::Local(path));
        }
        if path.starts_with(r"\\") && !path.starts_with(r"\\.\") {
            return Ok(Self::Share(path));
        }
        let mut start = path.chars();
        let is_letter = start
            .next()
            .is_some_and(|letter| letter.is_ascii_alphabetic());
        if is_letter && start.as_str().starts_with(r":\") {
            return Ok(Self::Local(path));
        }
        let what = format!("{path:?} does not begin with a drive, a volume or a server");
        Err(VssError::new(VssErrorKind::NotFound, STEP, what))
    }
}

/// Returns the volume of a path on this machine or on its cluster.
pub(super) fn of_local_path(cluster: &Cluster, path: &str) -> Result<SnapshotVolume, VssError> {
    if let Some(volume) = cluster.shared_volume(path)? {
        return Ok(volume);
    }
    let file = wide(path, STEP)?;
    let mut mount = vec![0_u16; PATH_ROOM];
    // SAFETY: the path ends in a zero, the array has the room that the call is told.
    unsafe { GetVolumePathNameW(PCWSTR(file.as_ptr()), &mut mount) }
        .map_err(|error| failure(&error, STEP, &format!("GetVolumePathName of {path}")))?;
    let mut name = [0_u16; NAME_ROOM];
    // SAFETY: as above; what the call before wrote ends in a zero.
    unsafe { GetVolumeNameForVolumeMountPointW(PCWSTR(mount.as_ptr()), &mut name) }.map_err(
        |error| {
            let what = format!("GetVolumeNameForVolumeMountPoint of {}", of_array(&mount));
            failure(&error, STEP, &what)
        },
    )?;
    Ok(SnapshotVolume {
        mount: with_backslash(of_array(&mount)),
        name: with_backslash(of_array(&name)),
        kind: VolumeKind::Local,
    })
}

impl Requester {
    /// Returns the share that a path lies on (`GetRootAndLogicalPrefixPaths`), with the server's
    /// name as it was given: the file server compares it with the names that it knows itself by.
    ///
    /// # Errors
    ///
    /// `NotSupported` before Windows Server 2012.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn share_of(&self, path: &str) -> Result<SnapshotVolume, VssError> {
        const NO_INTERFACE: u32 = 0x8000_4002;
        let what = format!("GetRootAndLogicalPrefixPaths of {path}");
        let Some(vss) = self.later::<IVssBackupComponentsEx4>() else {
            return Err(VssError::of_code(STEP, what, NO_INTERFACE));
        };
        let file = wide(path, STEP)?;
        let (mut root, mut prefix) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the path ends in a zero; both places are for texts that are ours afterwards.
        let (code, root) = unsafe {
            let code = vss.GetRootAndLogicalPrefixPaths(
                file.as_ptr(),
                &raw mut root,
                &raw mut prefix,
                None,
            );
            drop(take_pointer(prefix));
            (code, take_pointer(root))
        };
        check(code, STEP, &what)?;
        if root.is_empty() {
            let what = format!("{what} named no share");
            return Err(VssError::new(VssErrorKind::NotFound, STEP, what));
        }
        let share = with_backslash(root);
        Ok(SnapshotVolume {
            mount: share.clone(),
            name: share,
            kind: VolumeKind::FileShare,
        })
    }
}
