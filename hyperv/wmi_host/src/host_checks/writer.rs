//! The Hyper-V VSS writer (requirements PRE-08, VSS-21).

use hyperv_host::{Finding, Severity};
use vss::{
    BackupType, HYPERV_WRITER, RequestOptions, SnapshotKind, VssBackup, VssError, VssErrorKind,
    VssService, WriterState, WriterStatus,
};

use super::not_looked::NotLooked;
use crate::WmiHost;
use crate::facts::HostState;

/// Asks the writer how it is, where VSS of the host can be asked: nothing is frozen for that.
pub(super) fn findings(
    host: &WmiHost,
    state: &HostState,
    not_looked: &mut NotLooked,
) -> Option<Finding> {
    const WHAT: &str = "what VSS says of Hyper-V's writer and of volumes";
    // A Windows client has no such writer, which is told elsewhere.
    if state.windows.is_desktop {
        return None;
    }
    let Some(service) = &host.vss else {
        not_looked.add(WHAT, "VSS is local to its host (--host local there)");
        return None;
    };
    let needed = !state.windows.has_recovery_checkpoints();
    let severity = if needed {
        Severity::Block
    } else {
        Severity::Warn
    };
    let text = match status(&**service) {
        Ok(Some(status)) if status.state == WriterState::Stable && status.failure == 0 => {
            return None;
        }
        Ok(Some(status)) => {
            let failure = match status.failure {
                0 => String::new(),
                code => format!(", last error {code:#010X}"),
            };
            format!(
                "{} {{{HYPERV_WRITER}}} is not stable: {:?}{failure}",
                status.name, status.state
            )
        }
        Ok(None) => format!("Microsoft Hyper-V VSS Writer {{{HYPERV_WRITER}}} is not registered"),
        Err(error) if error.kind() == VssErrorKind::Absent => {
            not_looked.add(WHAT, error);
            return None;
        }
        Err(error) => format!("VSS does not answer: {error}"),
    };
    Some(Finding::new("HOST-VSS-WRITER", severity, text).cure(if needed {
        "Restart-Service vmms, which does not disturb running VMs, then see that `vssadmin list \
         writers` shows it as [1] Stable; event log Hyper-V-VMMS/Admin"
    } else {
        "Restart-Service vmms, which does not disturb running VMs, then see that `vssadmin list \
         writers` shows it as [1] Stable; meanwhile --mode cbt and --mode standard do not need it"
    }))
}

fn status(service: &dyn VssService) -> Result<Option<WriterStatus>, VssError> {
    let options = RequestOptions {
        kind: SnapshotKind::Backup,
        backup_type: BackupType::Copy,
        // All of them: where the one that is asked for is missing, VSS would fail.
        writers: Vec::new(),
    };
    let mut backup = service.begin(&options)?;
    let statuses = read(&mut *backup);
    backup.abort();
    let mut statuses = statuses?;
    let own = statuses.iter().position(|own| own.id == HYPERV_WRITER);
    Ok(own.map(|at| statuses.swap_remove(at)))
}

fn read(backup: &mut dyn VssBackup) -> Result<Vec<WriterStatus>, VssError> {
    backup.writers(&|| false)?;
    backup.writer_statuses(&|| false)
}
