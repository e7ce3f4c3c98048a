//! A VSS call's failure as the host's.

use ::vss::{VssError, VssErrorKind};
use hyperv_host::{HostError, HostErrorKind};

/// Makes the host's error of a failed call. `doing` says what for.
pub(crate) fn vss_failure(host: &str, doing: &str, error: VssError) -> HostError {
    use VssErrorKind as Kind;
    let code = error.code();
    let (kind, hint) = match error.kind() {
        Kind::Absent => (
            HostErrorKind::Blocked,
            "run lifeboat on the host itself: its Volume Shadow Copy Service is local to it",
        ),
        Kind::Denied => (
            HostErrorKind::Denied,
            "run lifeboat from an elevated prompt, or as a service, with an account in the groups \
             Administrators or Backup Operators",
        ),
        Kind::Busy => (
            HostErrorKind::Busy,
            "another backup program is making a snapshot: run this one at another time",
        ),
        Kind::Retryable => (
            HostErrorKind::Busy,
            "see `vssadmin list writers` and the event log Hyper-V-VMMS/Admin on the host, and run \
             the backup again",
        ),
        Kind::NoRoom => (
            HostErrorKind::NoRoom,
            "make room on the volume, or let its shadow storage grow: vssadmin resize shadowstorage",
        ),
        Kind::NotLocal => (
            HostErrorKind::Refused,
            "run the backup on the node of the cluster that owns the volume",
        ),
        Kind::NotSupported => (
            HostErrorKind::Refused,
            "name another provider of snapshots, or none: `vssadmin list providers`",
        ),
        Kind::Provider => (
            HostErrorKind::Refused,
            "look at the event log of the provider of snapshots; without one named, Windows' own is \
             used for volumes that it supports",
        ),
        Kind::Cancelled => (HostErrorKind::Cancelled, ""),
        _ => (
            HostErrorKind::Refused,
            "see `vssadmin list writers`; a writer that stays failed comes back when its service is \
             restarted (Restart-Service vmms, which does not stop VMs)",
        ),
    };
    let code = code.map_or(String::new(), |code| format!(" (0x{code:08X})"));
    let text = format!("{host}: {doing}: {error}{code}");
    let failure = HostError::new(kind, text).caused_by(error);
    if hint.is_empty() {
        return failure;
    }
    failure.hint(hint)
}

/// Makes the error of a host whose writer is not there (requirement VSS-21). Without it a VM can
/// still be saved, where that is allowed.
pub(super) fn no_writer(host: &str) -> HostError {
    let text = format!(
        "HOST-VSS-WRITER: the Microsoft Hyper-V VSS Writer is not among the writers of {host}: what \
         goes through it cannot be backed up"
    );
    HostError::new(HostErrorKind::Refused, text).hint(
        "see `vssadmin list writers` on the host; the writer comes with the service vmms: \
         Restart-Service vmms, which does not stop VMs, then run again",
    )
}
