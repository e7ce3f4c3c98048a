//! Why a try to make a set of snapshots came to nothing.

use ::vss::{VssError, VssErrorKind};
use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;

use super::component::vm_of;
use super::failure::vss_failure;
use super::writer_verdict::{Verdict, is_retryable};

/// Why a try came to nothing. Whatever it had made is gone.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another try may succeed.
    Retry(HostError),
    /// Another requester makes snapshots.
    Busy(HostError),
    /// Another try would fail as well, but perhaps not without some of the VMs.
    Final(HostError),
    /// Nothing that goes through VSS can be done now.
    Hopeless(HostError),
    /// These VMs failed; the others did not.
    Vms(Vec<(Uuid, TakenOut)>),
}

/// Why a VM is not in a set.
#[derive(Debug)]
pub(super) struct TakenOut {
    /// By itself it may succeed.
    pub(super) is_retryable: bool,
    pub(super) error: HostError,
}

impl TakenOut {
    pub(super) fn for_good(error: HostError) -> Self {
        Self {
            is_retryable: false,
            error,
        }
    }

    pub(super) fn for_now(error: HostError) -> Self {
        Self {
            is_retryable: true,
            error,
        }
    }
}

/// Makes a failure of what a writer's state says.
pub(super) fn verdict(host: &str, verdict: Verdict) -> Result<(), Failure> {
    let error = |kind, text: String| {
        HostError::new(kind, format!("{host}: {text}")).hint(
            "see `vssadmin list writers` and the event log Hyper-V-VMMS/Admin on the host; a \
             writer that stays failed comes back with Restart-Service vmms",
        )
    };
    match verdict {
        Verdict::Well => Ok(()),
        Verdict::Retry(text) => Err(Failure::Retry(error(HostErrorKind::Busy, text))),
        Verdict::Final(text) => Err(Failure::Final(error(HostErrorKind::Refused, text))),
        Verdict::Components(failed) => {
            let vms = failed.iter().filter_map(|(name, code)| {
                let text = format!("the writer failed with this VM: 0x{code:08X}");
                let is_retryable = is_retryable(*code);
                let kind = match is_retryable {
                    true => HostErrorKind::Busy,
                    false => HostErrorKind::Refused,
                };
                let error = error(kind, text);
                Some((
                    vm_of(name)?,
                    TakenOut {
                        is_retryable,
                        error,
                    },
                ))
            });
            let vms: Vec<_> = vms.collect();
            if vms.is_empty() {
                let text = "the writer failed with what is no VM".to_owned();
                return Err(Failure::Retry(error(HostErrorKind::Busy, text)));
            }
            Err(Failure::Vms(vms))
        }
    }
}

/// Tells by a call's error what another try may do.
pub(super) fn classify(host: &str, doing: &str, error: VssError) -> Failure {
    let kind = error.kind();
    let error = vss_failure(host, doing, error);
    match kind {
        VssErrorKind::Busy => Failure::Busy(error),
        VssErrorKind::Retryable
        | VssErrorKind::Partial
        | VssErrorKind::Infrastructure
        | VssErrorKind::Provider
        | VssErrorKind::Other => Failure::Retry(error),
        VssErrorKind::Cancelled | VssErrorKind::Denied | VssErrorKind::Absent => {
            Failure::Hopeless(error)
        }
        _ => Failure::Final(error),
    }
}
