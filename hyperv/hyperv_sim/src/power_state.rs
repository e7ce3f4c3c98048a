//! Whether a VM runs.

use serde::{Deserialize, Serialize};

/// `Msvm_ComputerSystem.EnabledState` (contract 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerState {
    /// 2
    Running,
    /// 3
    Off,
    /// 4
    ShuttingDown,
    /// 6
    Saved,
    /// 9
    Paused,
    /// 10
    Starting,
    /// 32773
    Saving,
    /// 32776
    Pausing,
    /// 32777
    Resuming,
    /// 32781: running, and its storage is lost. Contract: 1.1 [V?]
    RunningCritical,
    /// 32785: paused, since its storage is lost or full. Contract: 1.1 [V?]
    PausedCritical,
}

impl PowerState {
    /// Returns the number.
    pub fn enabled_state(self) -> u16 {
        match self {
            Self::Running => 2,
            Self::Off => 3,
            Self::ShuttingDown => 4,
            Self::Saved => 6,
            Self::Paused => 9,
            Self::Starting => 10,
            Self::Saving => 32773,
            Self::Pausing => 32776,
            Self::Resuming => 32777,
            Self::RunningCritical => 32781,
            Self::PausedCritical => 32785,
        }
    }

    /// Returns whether the VM is on its way from one state to another.
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::ShuttingDown | Self::Starting | Self::Saving | Self::Pausing | Self::Resuming
        )
    }

    /// Returns whether the guest has memory in the host: neither off nor saved.
    pub fn has_memory(self) -> bool {
        !matches!(self, Self::Off | Self::Saved)
    }
}
