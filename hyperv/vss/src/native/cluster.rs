//! Cluster shared volumes, through the cluster's own library.

use std::fmt;

use windows::core::{PCWSTR, s};

use super::foreign_text::{of_array, wide};
use super::module::Module;
use crate::{SnapshotVolume, VolumeKind, VssError, VssStep};

/// `BOOL ClusterIsPathOnSharedVolume(LPCWSTR)`
type IsOnSharedVolume = unsafe extern "system" fn(PCWSTR) -> i32;
/// `DWORD ClusterPrepareSharedVolumeForBackup(LPCWSTR, LPWSTR, LPDWORD, LPWSTR, LPDWORD)`
type PrepareSharedVolume =
    unsafe extern "system" fn(PCWSTR, *mut u16, *mut u32, *mut u16, *mut u32) -> u32;

/// Room for a path or a name, in characters.
const ROOM: u32 = 32_768;
/// `HRESULT_FROM_WIN32`
const OF_WIN32: u32 = 0x8007_0000;

/// `resutils.dll`, where this machine has it: without the cluster's feature there is none, and
/// nothing lies on a shared volume.
pub(super) struct Cluster {
    functions: Option<(IsOnSharedVolume, PrepareSharedVolume)>,
    // Kept for as long as its functions are.
    module: Option<Module>,
}

impl Cluster {
    /// Loads the library, if it is there.
    pub(super) fn load(name: PCWSTR) -> Self {
        Module::load(name).map_or(
            Self {
                functions: None,
                module: None,
            },
            Self::of,
        )
    }

    /// Finds the functions of a library.
    pub(super) fn of(module: Module) -> Self {
        // SAFETY: the types are those that resapi.h gives to the functions of these names, and the
        // module is kept beside them.
        let functions = unsafe {
            let is_on = module.function(s!("ClusterIsPathOnSharedVolume"));
            let prepare = module.function(s!("ClusterPrepareSharedVolumeForBackup"));
            is_on.zip(prepare)
        };
        Self {
            functions,
            module: Some(module),
        }
    }

    /// Returns the shared volume that a path lies on; `None` for a path on another volume.
    ///
    /// From Windows Server 2012 on this makes nothing ready: it names the volume, and finds it not
    /// local where another node has to be asked.
    ///
    /// # Errors
    ///
    /// `NotLocal`, `Busy`.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn shared_volume(&self, path: &str) -> Result<Option<SnapshotVolume>, VssError> {
        let step = VssStep::VolumeOf;
        let Some((is_on, prepare)) = self.functions else {
            return Ok(None);
        };
        let file = wide(path, step)?;
        let file = PCWSTR(file.as_ptr());
        // SAFETY: the path ends in a zero.
        if unsafe { is_on(file) } == 0 {
            return Ok(None);
        }
        let mut mount = vec![0_u16; 32_768];
        let mut name = vec![0_u16; 32_768];
        let (mut mount_room, mut name_room) = (ROOM, ROOM);
        // SAFETY: both arrays have as much room as the call is told, in characters.
        let code = unsafe {
            prepare(
                file,
                mount.as_mut_ptr(),
                &raw mut mount_room,
                name.as_mut_ptr(),
                &raw mut name_room,
            )
        };
        if code != 0 {
            let what = format!("ClusterPrepareSharedVolumeForBackup of {path}");
            return Err(VssError::of_code(step, what, OF_WIN32 | code & 0xFFFF));
        }
        Ok(Some(SnapshotVolume {
            mount: with_backslash(of_array(&mount)),
            name: with_backslash(of_array(&name)),
            kind: VolumeKind::ClusterShared,
        }))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.module).finish()
    }
}

/// Returns a path or a name with a backslash at its end, as snapshot sets take it.
pub(super) fn with_backslash(mut name: String) -> String {
    if !name.ends_with('\\') {
        name.push('\\');
    }
    name
}
