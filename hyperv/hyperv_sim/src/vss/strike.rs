//! Faults that strike calls of VSS, and the steps within them.

use std::time::Duration;

use uuid::Uuid;
use vss::{VssError, VssErrorKind, VssStep};

use super::failure::{
    OBJECT_NOT_FOUND, RETRYABLE, WRITER_INFRASTRUCTURE, failure, failure_of_code, of_host,
};
use crate::Effect;
use crate::guid::guid_text;
use crate::host_state::HostState;

/// What a fault makes of a call or a step, besides failing it at once.
#[derive(Debug, Default)]
pub(crate) struct VssStrike {
    /// The writer of Hyper-V fails with this code.
    pub(crate) writer: Option<u32>,
    /// This VM fails with this code.
    pub(crate) component: Option<(Uuid, u32)>,
    /// The call fails after its work was done.
    pub(crate) after: Option<VssError>,
    /// The requester dies after the work was done.
    pub(crate) dies_after: bool,
}

/// Returns the name of a call, as faults are written.
pub(crate) fn call_name(step: VssStep) -> &'static str {
    match step {
        VssStep::Providers => "Providers",
        VssStep::VolumeOf => "VolumeOf",
        VssStep::Begin => "Begin",
        VssStep::Writers => "Writers",
        VssStep::AddComponent => "AddComponent",
        VssStep::StartSet => "StartSet",
        VssStep::AddVolume => "AddVolume",
        VssStep::Prepare => "Prepare",
        VssStep::Snapshot => "Snapshot",
        VssStep::WriterStatuses => "WriterStatuses",
        VssStep::Snapshots => "Snapshots",
        VssStep::SetSucceeded => "SetSucceeded",
        VssStep::Document => "Document",
        VssStep::Complete => "Complete",
        VssStep::DeleteSet => "DeleteSet",
        VssStep::BeginRestore => "BeginRestore",
        VssStep::Select => "Select",
        VssStep::AddNewTarget => "AddNewTarget",
        VssStep::PreRestore => "PreRestore",
        VssStep::SetRestored => "SetRestored",
        VssStep::PostRestore => "PostRestore",
    }
}

impl HostState {
    /// Lets the faults that are due strike a call of VSS, or a step within one.
    ///
    /// Errors: what the fault makes of it, where it strikes before the work is done.
    pub(crate) fn strike_vss(
        &mut self,
        session: Option<Uuid>,
        step: VssStep,
        point: &str,
        vms: &[Uuid],
    ) -> Result<VssStrike, VssError> {
        let mut plan = self.fault_plan();
        if plan.host_is_dead {
            return Err(unreachable(step));
        }
        if plan.is_empty() {
            return Ok(VssStrike::default());
        }
        let names: Vec<(Uuid, String, String)> = vms
            .iter()
            .map(|id| {
                let name = self.vms.get(id).map_or("", |vm| vm.name.as_str());
                (*id, name.to_owned(), guid_text(*id))
            })
            .collect();
        let before = plan.clone();
        let struck = plan.strike_vss(point, &names);
        plan.host_is_dead = matches!(struck, Some((Effect::HostDies, ..)));
        if plan != before {
            self.set_fault_plan(&plan);
        }
        match struck {
            None => Ok(VssStrike::default()),
            Some((effect, after, vm)) => self.come_true_in_vss(session, step, effect, after, vm),
        }
    }

    fn come_true_in_vss(
        &mut self,
        session: Option<Uuid>,
        step: VssStep,
        effect: Effect,
        after: bool,
        vm: Option<Uuid>,
    ) -> Result<VssStrike, VssError> {
        let mut strike = VssStrike::default();
        let error = match effect {
            Effect::ReturnCode(code) => failure_of_code(step, code),
            Effect::ConnectionLost => failure_of_code(step, WRITER_INFRASTRUCTURE),
            Effect::HostDies => unreachable(step),
            Effect::Gone => failure_of_code(step, OBJECT_NOT_FOUND),
            Effect::RequesterDies => {
                if !after && let Some(session) = session {
                    self.requester_dies(session)
                        .map_err(|error| of_host(step, &error))?;
                }
                strike.dies_after = after;
                requester_died(step)
            }
            Effect::Slow(seconds) => {
                let passed = self.pass(Duration::from_secs(seconds));
                passed.map_err(|error| of_host(step, &error))?;
                return Ok(strike);
            }
            Effect::WriterFails(code) => {
                strike.writer = Some(code);
                return Ok(strike);
            }
            Effect::ComponentFails(_) | Effect::Conflict => {
                let code = match effect {
                    Effect::ComponentFails(code) => code,
                    _ => RETRYABLE,
                };
                match vm {
                    Some(vm) => strike.component = Some((vm, code)),
                    None => strike.writer = Some(code),
                }
                return Ok(strike);
            }
            _ => return Ok(strike),
        };
        if !after {
            return Err(error);
        }
        strike.after = Some(error);
        Ok(strike)
    }
}

/// What a call answers to a requester that is dead.
fn requester_died(step: VssStep) -> VssError {
    failure(
        VssErrorKind::Infrastructure,
        step,
        WRITER_INFRASTRUCTURE,
        "the requester died",
    )
}

fn unreachable(step: VssStep) -> VssError {
    failure(
        VssErrorKind::Infrastructure,
        step,
        WRITER_INFRASTRUCTURE,
        "the host cannot be reached",
    )
}
