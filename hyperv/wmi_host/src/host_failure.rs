//! A WMI call's failure as the host's.

use hyperv_host::{HostError, HostErrorKind};
use wmi::{WmiError, WmiErrorKind};

/// Makes the host's error of a session that could not be made.
pub fn host_error(error: WmiError) -> HostError {
    let text = error.to_string();
    with_cure(text, error)
}

/// Makes the host's error of a failed call. `doing` says what for, such as `listing the VMs`.
pub(crate) fn host_failure(host: &str, doing: &str, error: WmiError) -> HostError {
    with_cure(format!("{host}: {doing}: {error}"), error)
}

fn with_cure(text: String, error: WmiError) -> HostError {
    let (kind, hint) = match error.kind() {
        WmiErrorKind::Unreachable | WmiErrorKind::Timeout => (
            HostErrorKind::Unreachable,
            "see that the host runs and that its firewall lets WinRM (TCP 5985 or 5986) through",
        ),
        WmiErrorKind::Authentication => (
            HostErrorKind::Denied,
            "check the user's name and the password in LIFEBOAT_HOST_PASSWORD_FILE",
        ),
        WmiErrorKind::Denied => (
            HostErrorKind::Denied,
            "use an account in the host's Administrators or Hyper-V Administrators group, on the \
             host itself from an elevated prompt",
        ),
        WmiErrorKind::NoNamespace => (
            HostErrorKind::NoHyperv,
            "install the Hyper-V role with its management tools on the host, or name another host",
        ),
        WmiErrorKind::Unavailable => (
            HostErrorKind::Unreachable,
            "name the host as winrm://user@host, which works from any system",
        ),
        _ => (
            HostErrorKind::Refused,
            "look at the event log Hyper-V-VMMS/Admin on the host",
        ),
    };
    HostError::new(kind, text).hint(hint).caused_by(error)
}
