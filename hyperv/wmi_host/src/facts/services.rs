//! Services of Windows on the host.

use wmi::{CIMV2, Instance, WmiError, WmiSession};

/// A service of Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowsService {
    /// Its name: `vmms`.
    pub(crate) name: String,
    /// `State`: `Running`, `Stopped` and the like.
    pub(crate) state: String,
    /// It cannot be started: `StartMode` `Disabled`.
    pub(crate) disabled: bool,
}

impl WindowsService {
    fn of(instance: &Instance) -> Option<Self> {
        let text = |name| instance.text(name).unwrap_or_default();
        Some(Self {
            name: instance.text("Name")?,
            state: instance.text("State")?,
            disabled: text("StartMode").eq_ignore_ascii_case("Disabled"),
        })
    }

    pub(crate) fn runs(&self) -> bool {
        self.state.eq_ignore_ascii_case("Running")
    }
}

/// Reads the services that a backup depends on, in one call. `State` and `StartMode` are in English
/// on every Windows.
pub(crate) fn read_services(session: &dyn WmiSession) -> Result<Vec<WindowsService>, WmiError> {
    let wql = "SELECT * FROM Win32_Service WHERE Name = \"vmms\" OR Name = \"vmcompute\" OR \
               Name = \"VSS\" OR Name = \"swprv\"";
    let services = session.query_all(CIMV2, wql)?;
    Ok(services.iter().filter_map(WindowsService::of).collect())
}
