//! How faults strike a call.

use std::time::Duration;

use uuid::Uuid;
use wmi::{WmiError, WmiErrorKind};

use super::fault::{Effect, FaultPoint, WmiCall, conflict_text};
use super::methods::Circumstances;
use super::objects::{Scope, scope_of};
use super::view::HostView;
use crate::JobFault;
use crate::host_state::HostState;

/// What becomes of a call.
#[derive(Default)]
pub(crate) struct Strike {
    /// What is special about its work.
    pub(crate) circumstances: Circumstances,
    /// How the call fails, and whether its work was done by then.
    pub(crate) failure: Option<(WmiError, Moment)>,
    /// Behind how many instances its answer breaks off.
    pub(crate) breaks_off: Option<u64>,
    /// Which VM moves to which node once the call's work is done.
    pub(crate) moves_after: Option<(Uuid, String)>,
}

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before its work was done.
    Before,
    /// After it.
    After,
}

/// Lets the faults that are due strike a call; fails where the host is dead.
pub(crate) fn strike(
    state: &mut HostState,
    point: &FaultPoint,
    class: &str,
    about: &str,
) -> Result<Strike, WmiError> {
    let mut plan = state.fault_plan();
    if plan.host_is_dead || !state.is_reachable_node() {
        return Err(unreachable(state));
    }
    if plan.is_empty() {
        return Ok(Strike::default());
    }
    let view = HostView::new(state);
    let vm = match scope_of(view, about) {
        Scope::Vm(id) => view.vm(id).map(|vm| (vm.name.clone(), id)),
        _ => None,
    };
    let id_text = vm.as_ref().map(|(_, id)| id.hyphenated().to_string());
    let call = WmiCall {
        point,
        class,
        vm: vm
            .as_ref()
            .map(|(name, _)| name.as_str())
            .zip(id_text.as_deref()),
    };
    let before = plan.clone();
    let struck = plan.strike(&call);
    plan.host_is_dead = matches!(struck, Some((Effect::HostDies, _)));
    if plan != before {
        state.set_fault_plan(&plan);
    }
    let Some((effect, after)) = struck else {
        return Ok(Strike::default());
    };
    let moment = if after { Moment::After } else { Moment::Before };
    let is_method = matches!(point, FaultPoint::Method(_));
    let vm = vm.map(|(_, id)| id);
    come_true(state, effect, moment, is_method, vm)
}

fn come_true(
    state: &mut HostState,
    effect: Effect,
    moment: Moment,
    is_method: bool,
    vm: Option<Uuid>,
) -> Result<Strike, WmiError> {
    let mut strike = Strike::default();
    let circumstances = &mut strike.circumstances;
    match effect {
        Effect::ConnectionLost | Effect::HostDies => {
            strike.failure = Some((unreachable(state), moment));
        }
        Effect::Gone => strike.failure = Some((gone(), moment)),
        Effect::ReturnCode(code) if is_method => {
            circumstances.return_code = Some(code);
            circumstances.code_after_effect = moment == Moment::After;
        }
        Effect::ReturnCode(code) => {
            let what = format!("the host failed with {code}");
            let error = WmiError::new(WmiErrorKind::Failed, what).with_code(code);
            strike.failure = Some((error, moment));
        }
        Effect::JobFails { code, text } => {
            circumstances.job_fault = Some(JobFault::Fail {
                code,
                description: text,
                after_effect: moment == Moment::After,
            });
        }
        Effect::Conflict => circumstances.job_fault = Some(conflict(state, vm)),
        Effect::JobHangs => circumstances.job_fault = Some(JobFault::Hang),
        Effect::Slow(seconds) => state
            .pass(Duration::from_secs(seconds))
            .map_err(|error| WmiError::new(WmiErrorKind::Failed, error.to_string()))?,
        Effect::Truncated(instances) => strike.breaks_off = Some(instances),
        Effect::Processed(bytes) => circumstances.processed_bytes = Some(bytes),
        Effect::Moves(node) => {
            if let (Moment::After, Some(vm)) = (moment, vm) {
                strike.moves_after = Some((vm, node));
            } else if let Some(vm) = vm {
                let moved = state.move_vm(vm, &node);
                moved.map_err(|error| WmiError::new(WmiErrorKind::Failed, error.to_string()))?;
            }
        }
        // These are of VSS alone.
        Effect::WriterFails(_) | Effect::ComponentFails(_) | Effect::RequesterDies => {}
        Effect::MergeHangs => spoil_merges(state, vm, &JobFault::Hang),
        Effect::MergeFails => {
            let fault = JobFault::Fail {
                code: 32768,
                description: "The process cannot access the file because it is being used by \
                              another process. (0x80070020)"
                    .to_owned(),
                after_effect: false,
            };
            spoil_merges(state, vm, &fault);
        }
    }
    Ok(strike)
}

/// Returns what happens to a job while another operation of its VM runs (contract 7).
fn conflict(state: &HostState, vm: Option<Uuid>) -> JobFault {
    let vm = vm.and_then(|id| state.vms.get(&id));
    JobFault::Fail {
        code: 32775,
        description: conflict_text(vm.map_or("", |vm| &vm.name)),
        after_effect: false,
    }
}

/// Spoils the merges of a VM, or of all where the call concerned none.
fn spoil_merges(state: &mut HostState, vm: Option<Uuid>, fault: &JobFault) {
    let ids: Vec<_> = match vm {
        Some(id) => vec![id],
        None => state.vms.keys().copied().collect(),
    };
    for id in ids {
        if let Ok(vm) = state.vm_mut(id) {
            vm.merge_fault = Some(fault.clone());
        }
    }
}

fn gone() -> WmiError {
    WmiError::new(WmiErrorKind::NotFound, "the object is not there any more").with_code(0x8004_1002)
}

fn unreachable(state: &HostState) -> WmiError {
    let what = format!("the host {} cannot be reached", state.facts.name);
    WmiError::new(WmiErrorKind::Unreachable, what).with_code(0x8007_06BA)
}
