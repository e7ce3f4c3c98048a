//! Which Windows the host is, by the support matrix (requirements PRE-01, PRE-02, PRE-03).

use hyperv_host::{Finding, Severity};
use support_matrix::{Way, matrix};

use crate::facts::HostState;

pub(super) fn findings(host: &HostState) -> Vec<Finding> {
    let windows = &host.windows;
    let row = matrix().host(windows.version, windows.is_desktop);
    let mut found = Vec::new();
    if row.is_none() || matrix().is_newer_than_known(windows.version, windows.is_desktop) {
        let (major, minor, build) = windows.version;
        let text = format!(
            "{} ({major}.{minor}.{build}) is not in the support matrix of this version of lifeboat",
            windows.caption
        );
        found.push(
            Finding::new("HOST-UNKNOWN-VERSION", Severity::Info, text)
                .cure("look for a newer version of lifeboat, and at what plans say of this host"),
        );
    }
    if windows.is_desktop && row.is_some_and(|row| row.all == Way::No) {
        let text = format!(
            "{} is no Windows Server, and has no Hyper-V VSS writer: the mode all is refused on it",
            windows.caption
        );
        found.push(
            Finding::new("HOST-DESKTOP", Severity::Info, text)
                .cure("back up the latest state: --mode cbt, or --mode standard"),
        );
    }
    found
}
