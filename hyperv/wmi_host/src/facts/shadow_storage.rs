//! Where snapshots of volumes keep what is overwritten.

use wmi::{CIMV2, Instance, WmiError, WmiErrorKind, WmiSession};

/// Where snapshots of a volume keep what is overwritten (`Win32_ShadowStorage`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShadowStorage {
    /// The volume: `\\?\Volume{…}\`, in lower case.
    pub(crate) volume: String,
    /// The volume that holds the storage.
    pub(crate) on: String,
    /// Most that it may grow to, in bytes; no limit: `u64::MAX`.
    pub(crate) max_bytes: u64,
}

impl ShadowStorage {
    fn of(instance: &Instance) -> Option<Self> {
        let device = |name| {
            let path = instance.value(name).to_reference()?;
            path.key("DeviceID").map(str::to_lowercase)
        };
        Some(Self {
            volume: device("Volume")?,
            on: device("DiffVolume")?,
            max_bytes: instance.number("MaxSpace").unwrap_or(u64::MAX),
        })
    }
}

/// Reads them in one call. Only administrators are shown any; a Windows client has the class, too.
pub(crate) fn read_shadow_storage(
    session: &dyn WmiSession,
) -> Result<Vec<ShadowStorage>, WmiError> {
    match session.query_all(CIMV2, "SELECT * FROM Win32_ShadowStorage") {
        Ok(found) => Ok(found.iter().filter_map(ShadowStorage::of).collect()),
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
