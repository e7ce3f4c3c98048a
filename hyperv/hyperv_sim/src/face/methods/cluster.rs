//! Methods of the failover cluster (contract 6).

use uuid::Uuid;
use wmi::{Instance, WmiError, WmiErrorKind};

use super::super::object::Object;
use super::parameters::Parameters;
use super::{NOT_SUPPORTED, Outcome, invalid};
use crate::host_state::HostState;
use crate::{NodeState, SimError};

/// Calls a method of an object of the cluster.
pub(crate) fn work(
    state: &mut HostState,
    object: &Object,
    method: &str,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    // A host that is only told of its cluster has none that could do anything.
    state.cluster()?;
    match object {
        Object::Cluster => of_cluster(state, method, parameters),
        Object::ClusterNode(number) => of_node(state, *number, method),
        Object::ClusterGroup(vm) => of_group(state, *vm, method, parameters),
        Object::ClusterResource(vm) | Object::ClusterConfiguration(vm) => {
            let is_vm = matches!(object, Object::ClusterResource(_));
            of_resource(state, *vm, is_vm, method)
        }
        Object::SharedVolume(number) if method == "MoveToNewHost" => {
            let host = parameters.required_text("HostName")?;
            let volume = state.cluster()?.volumes.get(*number);
            let mount = volume.map(crate::SharedVolume::mount).unwrap_or_default();
            done(state.move_volume(&mount, &host))
        }
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

fn of_cluster(
    state: &mut HostState,
    method: &str,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    match method {
        "AddVirtualMachine" => {
            let vm = parameters.required_text("VirtualMachine")?;
            done(state.add_role_of(&vm).map(|_| ()))
        }
        "VerifyPath" => {
            let path = parameters.required_text("Path")?;
            let is_shared = state.cluster()?.is_shared(&path);
            let output = Instance::new("__PARAMETERS");
            Ok(Outcome::Done(output.with("Result", is_shared)))
        }
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

fn of_node(state: &mut HostState, number: usize, method: &str) -> Result<Outcome, SimError> {
    let node = state.cluster()?.nodes.get(number);
    let node = node.ok_or_else(|| invalid("there is no such node"))?;
    let name = node.name.clone();
    match method {
        "Pause" => done(state.set_node_state(&name, NodeState::Paused)),
        "Resume" if node.state == NodeState::Paused => {
            done(state.set_node_state(&name, NodeState::Up))
        }
        "Resume" => done(Ok(())),
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

fn of_group(
    state: &mut HostState,
    vm: Uuid,
    method: &str,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    match method {
        "BringOnline" => done(state.bring_role_online(vm)),
        "TakeOffline" => done(state.take_role_offline(vm)),
        // Quick or live: the VM that arrives is the same.
        "MoveToNewNode" | "MoveToNewNodeEx" => {
            let node = parameters.required_text("NodeName")?;
            done(state.move_vm(vm, &node))
        }
        "DestroyGroup" | "DeleteGroup" => done(state.remove_role(vm)),
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

fn of_resource(
    state: &mut HostState,
    vm: Uuid,
    is_vm: bool,
    method: &str,
) -> Result<Outcome, SimError> {
    match method {
        "BringOnline" if is_vm => done(state.bring_role_online(vm)),
        // The configuration is always online here.
        "BringOnline" => done(Ok(())),
        // The VM depends on its configuration.
        "TakeOffline" | "TakeOfflineParams" => done(state.take_role_offline(vm)),
        "UpdateVirtualMachine" => done(state.update_role(vm)),
        "GetPossibleOwners" => {
            let nodes = state.cluster()?.nodes.iter();
            let names: Vec<String> = nodes.map(|node| node.name.clone()).collect();
            let output = Instance::new("__PARAMETERS");
            Ok(Outcome::Done(output.with("NodeNames", names)))
        }
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

fn done(result: Result<(), SimError>) -> Result<Outcome, SimError> {
    result.map(|()| Outcome::Done(Instance::new("__PARAMETERS")))
}

/// Makes the error of a call. Methods of the cluster return nothing, so what fails is the call, with
/// the code of Windows as an HRESULT. Contract: 6 [M]
pub(crate) fn failure(error: SimError) -> WmiError {
    let code = match error.code() {
        windows @ 0..0x1_0000 => 0x8007_0000 | windows,
        other => other,
    };
    WmiError::new(WmiErrorKind::Failed, error.to_string())
        .with_code(code)
        .caused_by(error)
}
