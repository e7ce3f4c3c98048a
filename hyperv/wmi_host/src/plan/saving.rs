//! What it takes to save a VM for its backup (requirements MODE-14, SAVE-12 to SAVE-14).

use hyperv_host::{BackupRequest, Finding, SavedState, Severity};

use crate::facts::VmFacts;

/// What a VM's memory is written at and read again, in MiB a second: a guess for disks that spin.
const MIB_PER_SECOND: u64 = 200;
/// What saving and starting a VM take whatever its memory, in seconds.
const LEAST_SECONDS: u64 = 10;

/// What the guest notices of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interruption {
    /// In words.
    pub(crate) text: String,
    /// For how long it would not run; `None`: that cannot be told.
    pub(crate) seconds: Option<u64>,
}

impl Interruption {
    /// Nothing.
    pub(super) fn none() -> Self {
        Self {
            text: "none".to_owned(),
            seconds: Some(0),
        }
    }

    /// It does not run while it is saved and brought back.
    pub(super) fn of_saving(vm: &VmFacts) -> Self {
        let Some(memory) = vm.memory_mib else {
            return Self {
                text: "saved while its volumes are snapped, for a time that cannot be told".into(),
                seconds: None,
            };
        };
        let seconds = LEAST_SECONDS + 2 * memory.div_ceil(MIB_PER_SECOND);
        Self {
            text: format!(
                "saved while its volumes are snapped: about {seconds} s, estimated from its \
                 {memory} MiB of memory"
            ),
            seconds: Some(seconds),
        }
    }
}

/// The VM would have to be saved, and may not be.
pub(crate) fn saved_state_refused(vm: &VmFacts) -> Finding {
    let text = format!(
        "the VM {} can only be frozen by saving it, which its policy does not allow; it would be {}",
        vm.name,
        Interruption::of_saving(vm).text
    );
    Finding::new("VM-SAVED-STATE-REFUSED", Severity::Block, text).cure(
        "let its guest take part (the VM's other findings say how), shut it down for its backups, or \
         allow it: --allow-saved-state VM",
    )
}

/// Says what becomes of a running VM that can only be frozen by saving it.
pub(super) fn saved_state_findings(
    vm: &VmFacts,
    request: &BackupRequest,
    interruption: &Interruption,
) -> Option<Finding> {
    match request.saved_state {
        SavedState::Refuse => Some(saved_state_refused(vm)),
        SavedState::Allow => {
            let text = format!(
                "the VM is {}; its services are not there meanwhile, and its uptime begins anew",
                interruption.text
            );
            Some(Finding::new("VM-SAVED-STATE", Severity::Warn, text).cure(
                "let its guest take part (the VM's other findings say how): then it need not be \
                 saved",
            ))
        }
    }
}
