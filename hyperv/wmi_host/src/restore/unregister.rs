//! Taking a VM from the host.

use hyperv_host::{HostError, HostErrorKind, PowerState, StepObserver};

use super::system::{Sort, take_away};
use crate::backup::link::Link;
use crate::backup::stop_if_cancelled;
use crate::cluster::take_role_offline;
use crate::facts::VmFacts;

/// Takes a VM from the host. Its disks stay; its definition files go, and its role in a cluster is
/// offline.
pub(crate) fn unregister(
    link: &Link,
    vm: &VmFacts,
    observer: &dyn StepObserver,
) -> Result<(), HostError> {
    refuse_other_than_off(vm)?;
    stop_if_cancelled(observer)?;
    if let Some(operation) = vm.operation {
        let text = format!(
            "the VM {} cannot be removed: the host is {}",
            vm.name,
            operation.text()
        );
        return Err(HostError::new(HostErrorKind::Busy, text).hint("try again when that has ended"));
    }
    // A cluster that finds a role's VM gone takes that for a failure.
    take_role_offline(link, vm)?;
    observer.step(&format!("removing the VM {}", vm.name));
    take_away(link, &vm.path, vm.id, Sort::Realized, &vm.name)
}

fn refuse_other_than_off(vm: &VmFacts) -> Result<(), HostError> {
    if matches!(vm.state, PowerState::Off | PowerState::Saved) {
        return Ok(());
    }
    let text = format!("the VM {} is {}, and not removed", vm.name, vm.state_text);
    Err(HostError::new(HostErrorKind::Blocked, text).hint("turn it off first"))
}
