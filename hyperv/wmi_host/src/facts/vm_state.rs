//! What a VM is doing, in numbers of `Msvm_ComputerSystem` (contract 1.1).

use hyperv_host::PowerState;
use wmi::Instance;

/// Reads `EnabledState`.
pub(super) fn power_state(number: u16) -> PowerState {
    match number {
        2 => PowerState::Running,
        3 => PowerState::Off,
        6 | FAST_SAVED => PowerState::Saved,
        9 => PowerState::Paused,
        _ => PowerState::Other,
    }
}

/// Contract: 1.1 [V?]
const FAST_SAVED: u16 = 32779;

/// Returns whether the VM has lost its storage. Contract: 1.1 [V?]
pub(super) fn is_critical(number: u16) -> bool {
    (32781..=32792).contains(&number)
}

/// Says in words what an `EnabledState` is that is neither running, off, saved nor paused.
pub(super) fn state_text(number: u16) -> &'static str {
    match number {
        2 => "running",
        3 => "off",
        4 => "shutting down",
        6 | FAST_SAVED => "saved",
        9 => "paused",
        10 => "starting",
        32773 | 32780 => "saving its state",
        32776 => "pausing",
        32777 => "resuming",
        _ if is_critical(number) => "without its storage",
        _ => "in an unknown state",
    }
}

/// An operation of the host on a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VmOperation {
    /// A checkpoint is made.
    CreatingSnapshot,
    /// A checkpoint is applied.
    ApplyingSnapshot,
    /// A checkpoint is removed.
    DeletingSnapshot,
    /// Disks are merged after a checkpoint was removed.
    MergingDisks,
    /// It is exported.
    Exporting,
    /// It moves to another host, or its storage moves.
    Migrating,
    /// Another backup is at it.
    BackingUp,
    /// Its settings are changed.
    Modifying,
}

impl VmOperation {
    /// Reads `OperationalStatus[1]`. Numbers from 32776 on: Contract: 1.1 [V?]
    pub(super) fn of(system: &Instance) -> Option<Self> {
        match system.numbers::<u16>("OperationalStatus").get(1)? {
            32768 => Some(Self::CreatingSnapshot),
            32769 => Some(Self::ApplyingSnapshot),
            32770 => Some(Self::DeletingSnapshot),
            32772 => Some(Self::MergingDisks),
            32773 => Some(Self::Exporting),
            32774 | 32778 | 32779 | 32780 => Some(Self::Migrating),
            32776 => Some(Self::BackingUp),
            32777 => Some(Self::Modifying),
            _ => None,
        }
    }

    /// Returns what goes on, as the end of `the host is …`.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::CreatingSnapshot => "making a checkpoint of it",
            Self::ApplyingSnapshot => "applying a checkpoint to it",
            Self::DeletingSnapshot => "removing a checkpoint of it",
            Self::MergingDisks => "merging its disks",
            Self::Exporting => "exporting it",
            Self::Migrating => "moving it or its disks",
            Self::BackingUp => "backing it up for another program",
            Self::Modifying => "changing its settings",
        }
    }
}
