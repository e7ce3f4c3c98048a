//! What a VM is doing, changed for a restore (requirements CLUS-04, CLUS-06).

use std::time::Duration;

use hyperv_host::{HostError, HostErrorKind, PowerState, StepObserver};
use wmi::Value;

use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::backup::stop_if_cancelled;
use crate::cluster::{PowerChange, change_power, take_role_offline};
use crate::facts::VmFacts;

/// How long a VM may be on its way from one state to another.
const WAY_MAX: Duration = Duration::from_secs(15 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Brings a VM to a state, through its cluster where it has one; returns what it was doing before.
pub(crate) fn set_power(
    link: &Link,
    vm: &VmFacts,
    wanted: PowerState,
    observer: &dyn StepObserver,
) -> Result<PowerState, HostError> {
    let before = vm.state;
    let name = &vm.name;
    if before == PowerState::Other {
        let text = format!(
            "the VM {name} is {}, and nothing is asked of it then",
            vm.state_text
        );
        return Err(
            HostError::new(HostErrorKind::Busy, text).hint("try again when it has come to rest")
        );
    }
    if before == wanted && wanted != PowerState::Off {
        return Ok(before);
    }
    stop_if_cancelled(observer)?;
    match wanted {
        PowerState::Running => {
            observer.step(&format!("starting the VM {name}"));
            change_power(link, vm, PowerChange::Run)?;
        }
        PowerState::Saved => {
            observer.step(&format!("saving the VM {name}"));
            change_power(link, vm, PowerChange::Save)?;
        }
        PowerState::Paused => change_power(link, vm, PowerChange::Pause)?,
        PowerState::Off => {
            observer.step(&format!("turning the VM {name} off"));
            turn_off(link, vm)?;
        }
        _ => {
            let text = format!("the VM {name} cannot be brought to this state");
            return Err(HostError::new(HostErrorKind::Blocked, text));
        }
    }
    Ok(before)
}

/// Turns a VM off. In a cluster its role is taken offline first, which may save the VM: then what
/// was saved is discarded, and the cluster does not mind.
fn turn_off(link: &Link, vm: &VmFacts) -> Result<(), HostError> {
    let doing = format!("turning the VM {} off", vm.name);
    take_role_offline(link, vm)?;
    let now = link.vm(vm.id)?.unwrap_or_else(|| vm.clone());
    if now.state != PowerState::Off {
        request_off(link, &now, &doing)?;
    }
    Ok(())
}

/// Discards the memory of a VM that is saved.
pub(super) fn discard_memory(link: &Link, vm: &VmFacts) -> Result<(), HostError> {
    request_off(
        link,
        vm,
        &format!("discarding the memory of the VM {}", vm.name),
    )
}

/// `RequestStateChange` to off, also of a VM that is saved (contract 1.1). Contract: 1.1 [M]
fn request_off(link: &Link, vm: &VmFacts, doing: &str) -> Result<(), HostError> {
    const OFF: u16 = 3;
    let parameters = [("RequestedState", Value::from(OFF))];
    let asked = link.call_object(&vm.path, "RequestStateChange", &parameters);
    let mut waited = Duration::ZERO;
    let mut asked = Some(asked);
    loop {
        let now = link.vm(vm.id)?;
        let state = now.as_ref().map(|now| now.state);
        if state == Some(PowerState::Off) {
            return Ok(());
        }
        // What it answered counts only where the VM did not get there.
        if let Some(Err(error)) = asked.take() {
            return Err(method_failure(link.host(), doing, error));
        }
        if waited >= WAY_MAX {
            let is = now.map_or("gone", |now| now.state_text);
            let text = format!("{}: {doing}: it was done, and the VM is {is}", link.host());
            return Err(HostError::new(HostErrorKind::Refused, text)
                .hint("look at the event log Hyper-V-VMMS/Admin on the host"));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}
