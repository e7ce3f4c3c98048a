//! What runs inside a VM, as far as the host can tell.

use serde::{Deserialize, Serialize};

/// What runs inside a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guest {
    /// Windows with VSS writers: application-consistent checkpoints.
    Windows,
    /// Linux with `hv_vss_daemon`: its file systems are frozen; the API calls that application-consistent.
    LinuxWithDaemon,
    /// Linux without it.
    Linux,
    /// Nothing, or something without integration services.
    None,
}

/// An integration component (contract 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Switched on in the VM's settings: `EnabledState` 2, else 3.
    pub enabled: bool,
    /// `OperationalStatus[0]`: 2 OK, 3 degraded, 7 non-recoverable, 12 no contact, 13 lost communication.
    pub status: u16,
}

impl Component {
    /// Returns whether the guest answers.
    pub fn answers(self) -> bool {
        self.enabled && matches!(self.status, 2 | 3)
    }
}

/// The integration components of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// `Msvm_VssComponent`
    Vss,
    /// `Msvm_ShutdownComponent`
    Shutdown,
    /// `Msvm_HeartbeatComponent`
    Heartbeat,
    /// `Msvm_KvpExchangeComponent`
    KeyValueExchange,
}

/// How consistent a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// 1: the guest's writers, or its file systems, were frozen.
    Application,
    /// 2: as after a power cut.
    Crash,
}

impl Consistency {
    /// Returns the number that snapshot and reference point settings have for it.
    pub fn number(self) -> u8 {
        match self {
            Self::Application => 1,
            Self::Crash => 2,
        }
    }
}
