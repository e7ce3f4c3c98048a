//! A method's failure as the host's.

use hyperv_host::{HostError, HostErrorKind};
use wmi::{MethodError, WmiErrorKind};

use crate::host_failure::host_failure;

/// Makes the host's error of a method that did not come to a good end. `doing` says what for.
pub(crate) fn method_failure(host: &str, doing: &str, error: MethodError) -> HostError {
    let code = error.code();
    let conflict = error.is_conflict();
    match error {
        MethodError::Wmi { source, .. } => host_failure(host, doing, source),
        error => {
            let kind = match code {
                _ if conflict => HostErrorKind::Busy,
                Some(32769) => HostErrorKind::Denied,
                _ => HostErrorKind::Refused,
            };
            HostError::new(kind, format!("{host}: {doing}: {error}"))
                .hint("look at the event log Hyper-V-VMMS/Admin on the host")
                .caused_by(error)
        }
    }
}

/// Returns whether the object that a method was called with does not exist (any more).
pub(crate) fn is_gone(error: &MethodError) -> bool {
    matches!(error, MethodError::Wmi { source, .. } if source.kind() == WmiErrorKind::NotFound)
}

/// Returns whether the host itself said that it failed, so that nothing is still under way.
pub(crate) fn is_answer(error: &MethodError) -> bool {
    matches!(error, MethodError::Refused { .. } | MethodError::Job { .. })
}
