//! Hyper-V Replica, as far as backup sees it.

use serde::{Deserialize, Serialize};

/// `ReplicationMode`, `ReplicationState` and `ReplicationHealth` of a VM (contract 1.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// 0 none, 1 primary, 2 replica, 3 test replica, 4 extended replica.
    pub mode: u16,
    /// 0 disabled, 3 replicating, 7 suspended, 8 critical, 10 resynchronizing …
    pub state: u16,
    /// 0 not applicable, 1 OK, 2 warning, 3 critical.
    pub health: u16,
    /// The replica applies a log right now: a backup is refused (contract 7).
    pub applying_log: bool,
}
