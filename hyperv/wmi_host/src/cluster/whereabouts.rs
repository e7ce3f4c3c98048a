//! Where a VM is now.

use std::sync::Arc;

use uuid::Uuid;
use wmi::{WmiError, WmiSession};

/// Tells where a VM is now. A host that is in no cluster, or is used without it, has its own VMs
/// and knows of no others.
pub(crate) trait Whereabouts: Send + Sync {
    /// Returns the session of the host that has the VM now; `None` where nobody among these hosts
    /// has it, or who has it cannot be reached.
    fn session_of(&self, vm: Uuid) -> Result<Option<Arc<dyn WmiSession>>, WmiError>;

    /// Returns whether there is only one host, so that no VM goes anywhere.
    fn is_alone(&self) -> bool {
        false
    }

    /// Hears that a VM was found on another host than it was looked for.
    fn noted_move(&self, vm: Uuid) {
        let _ = vm;
    }

    /// Returns whether a host is one of these, by the name that its session has.
    fn has_host(&self, name: &str) -> bool;
}

/// A host by itself.
pub(crate) struct LoneHost(pub(crate) Arc<dyn WmiSession>);

impl Whereabouts for LoneHost {
    fn session_of(&self, _vm: Uuid) -> Result<Option<Arc<dyn WmiSession>>, WmiError> {
        Ok(None)
    }

    fn is_alone(&self) -> bool {
        true
    }

    fn has_host(&self, name: &str) -> bool {
        self.0.host().eq_ignore_ascii_case(name)
    }
}
