//! Methods: from parameters to operations of the host, and from jobs and errors to return values.

mod cluster;
mod disk_images;
mod features;
mod guest_services;
mod jobs;
mod new_devices;
mod parameters;
mod planned;
mod reference_points;
mod resource_values;
mod resources;
mod signatures;
mod snapshots;
mod switches;
mod systems;

use uuid::Uuid;
use wmi::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind};

use super::answer::check_namespace;
use super::object::{Object, SWITCH_SERVICE};
use super::objects::find;
use super::project::project;
use super::view::HostView;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::{JobElement, JobFault, JobKind, SimError, SimErrorKind};
use parameters::Parameters;

/// Completed with no error.
const DONE: u32 = 0;
/// A job was started.
const JOB_STARTED: u32 = 4096;
/// Not supported.
const NOT_SUPPORTED: u32 = 32770;
/// Invalid state.
const INVALID_STATE: u32 = 32775;

/// What is special about a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Circumstances {
    /// Methods do at once what they would start a job for.
    pub(crate) answers_at_once: bool,
    /// The method returns this.
    pub(crate) return_code: Option<u32>,
    /// It does so after its work was done.
    pub(crate) code_after_effect: bool,
    /// What happens to the job that the method starts.
    pub(crate) job_fault: Option<JobFault>,
    /// `GetVirtualDiskChanges` looks at no more than this.
    pub(crate) processed_bytes: Option<u64>,
}

/// What a method's work came to, when the host did not refuse.
enum Outcome {
    /// A job does it.
    Started(Uuid),
    /// A job does it; what it makes is named at once in these out parameters.
    StartedWith(Uuid, Instance),
    /// It is done; these are the out parameters.
    Done(Instance),
    /// It was refused with this code.
    Refused(u32),
}

/// Calls a method.
///
/// Errors: `NoNamespace`, `NoClass`, `NotFound`, `NoMethod`. What a method refuses is its return
/// value.
pub(crate) fn invoke(
    state: &mut HostState,
    path: &ObjectPath,
    method: &str,
    given: &[(&str, Value)],
    circumstances: &Circumstances,
) -> Result<MethodOutput, WmiError> {
    let view = HostView::new(state);
    if !path.namespace().is_empty() {
        check_namespace(view, path.namespace())?;
    }
    let (object, instance) = find(view, path)?;
    let signature = signatures::find(&instance.class, method, view.profile());
    let signature = signature.ok_or_else(|| {
        let what = format!("{} has no method {method}", instance.class);
        WmiError::new(WmiErrorKind::NoMethod, what).with_code(0x8004_102E)
    })?;
    if let Some((name, _)) = given.iter().find(|(name, _)| !signature.takes(name)) {
        let what = format!("{method} has no parameter {name}");
        return Err(WmiError::new(WmiErrorKind::NoMethod, what).with_code(0x8004_102F));
    }
    if let (Some(code), false) = (circumstances.return_code, circumstances.code_after_effect) {
        return Ok(returned(code));
    }
    let parameters = Parameters::new(given);
    let outcome = work(state, &object, signature.method, &parameters, circumstances);
    let output = match outcome {
        Ok(outcome) => finished(state, outcome, circumstances),
        Err(error) if signature.is_of_cluster() => return Err(cluster::failure(error)),
        Err(error) => returned(return_value(&error)),
    };
    match circumstances.return_code {
        Some(code) => Ok(returned(code)),
        None => Ok(output),
    }
}

fn work(
    state: &mut HostState,
    object: &Object,
    method: &str,
    parameters: &Parameters<'_>,
    circumstances: &Circumstances,
) -> Result<Outcome, SimError> {
    match (object, method) {
        _ if object.class().starts_with("MSCluster_") => {
            cluster::work(state, object, method, parameters)
        }
        (Object::Service(SWITCH_SERVICE), "DefineSystem") => switches::define(state, parameters),
        (Object::Service(SWITCH_SERVICE), "DestroySystem") => switches::destroy(state, parameters),
        (_, "AddFeatureSettings") => features::add(state, parameters),
        (_, "ModifyFeatureSettings") => features::modify(state, parameters),
        (_, "RemoveFeatureSettings") => features::remove(state, parameters),
        (_, "ImportSystemDefinition") => planned::import(state, parameters),
        (_, "ImportSnapshotDefinitions") => planned::import_snapshots(state, parameters),
        (_, "ValidatePlannedSystem") => planned::validate(state, parameters),
        (_, "RealizePlannedSystem") => planned::realize(state, parameters),
        (_, "DestroySystem") => planned::destroy(state, parameters),
        (_, "DefineSystem") => planned::define(state, parameters),
        (_, "ModifyResourceSettings") => resources::modify(state, parameters),
        (_, "RemoveResourceSettings") => resources::remove(state, parameters),
        (_, "CreateSnapshot") => snapshots::create(state, parameters),
        (_, "DestroySnapshot") => snapshots::destroy(state, parameters),
        (_, "DestroySnapshotTree") => snapshots::destroy_tree(state, parameters),
        (_, "ApplySnapshot") => snapshots::apply(state, parameters),
        (_, "ConvertToReferencePoint") => reference_points::convert(state, parameters),
        (_, "CreateReferencePoint") => reference_points::create(state, parameters),
        (_, "DestroyReferencePoint") => reference_points::destroy(state, parameters),
        (_, "GetVirtualDiskChanges") => {
            disk_images::changes(state, parameters, circumstances.processed_bytes)
        }
        (_, "GetVirtualHardDiskSettingData") => disk_images::setting_data(state, parameters),
        (_, "GetVirtualHardDiskState") => disk_images::disk_state(state, parameters),
        (_, "AttachVirtualHardDisk") => disk_images::attach(state, parameters),
        (_, "FindMountedStorageImageInstance") => disk_images::find_mounted(state, parameters),
        (Object::MountedImage(id), "DetachVirtualHardDisk") => disk_images::detach(state, *id),
        (_, "ModifySystemSettings") => systems::modify_settings(state, parameters),
        (_, "ModifyDiskMergeSettings") => systems::modify_merging(state, parameters),
        (_, "ModifyGuestServiceSettings") => guest_services::modify(state, parameters),
        (_, "AddResourceSettings") => resources::add(state, parameters),
        (_, "ExportSystemDefinition") => systems::export(state, parameters),
        (Object::Vm(id), "RequestStateChange") => systems::change_state(state, *id, parameters),
        (Object::Vm(id), "RequestReplicationStateChange" | "RequestReplicationStateChangeEx") => {
            systems::change_replication(state, *id, parameters)
        }
        (Object::Component(vm, _), "InitiateShutdown") => systems::shut_down(state, *vm),
        (Object::Job(id), "RequestStateChange") => jobs::change_state(state, *id, parameters),
        (Object::Job(id), "GetError") => jobs::error(state, *id),
        (Object::Job(id), "GetErrorEx") => jobs::errors(state, *id),
        (_, "FormatError") => jobs::format_error(parameters),
        _ => Ok(Outcome::Refused(NOT_SUPPORTED)),
    }
}

/// Makes what a method gives back of what it came to.
fn finished(
    state: &mut HostState,
    outcome: Outcome,
    circumstances: &Circumstances,
) -> MethodOutput {
    let mut parameters = Instance::new("__PARAMETERS");
    let job = match outcome {
        Outcome::Started(job) => job,
        Outcome::StartedWith(job, named) => {
            parameters = named;
            job
        }
        Outcome::Refused(code) => return returned(code),
        Outcome::Done(parameters) => {
            // What has no job cannot fail later, so it fails now.
            let code = match &circumstances.job_fault {
                Some(JobFault::Fail { code, .. }) => *code,
                Some(JobFault::Hang) | None => DONE,
            };
            return MethodOutput {
                return_value: code,
                parameters,
            };
        }
    };
    if let Some(fault) = &circumstances.job_fault
        && let Err(error) = state.spoil_job(job, fault.clone())
    {
        return returned(return_value(&error));
    }
    let hangs = matches!(circumstances.job_fault, Some(JobFault::Hang));
    if circumstances.answers_at_once && !hangs {
        return match state.finish_job_now(job) {
            Ok(()) => MethodOutput {
                return_value: DONE,
                parameters: results(state, job, parameters),
            },
            Err(error) => returned(return_value(&error)),
        };
    }
    let path = HostView::new(state).instance_path("Msvm_ConcreteJob", &guid_text(job));
    MethodOutput {
        return_value: JOB_STARTED,
        parameters: parameters.with("Job", path),
    }
}

/// Makes the out parameters of a method that made something at once.
fn results(state: &HostState, job: Uuid, output: Instance) -> Instance {
    let Ok(job) = state.job(job) else {
        return output;
    };
    let view = HostView::new(state);
    match job.result() {
        Some(JobElement::Snapshot(id)) => {
            let owner = super::object::Owner {
                vm: job.vm,
                snapshot: Some(id),
            };
            output.with("ResultingSnapshot", view.settings_path(owner))
        }
        Some(JobElement::ReferencePoint(id)) => {
            let id = super::instance_ids::reference_point_id(id);
            let path = view.instance_path("Msvm_VirtualSystemReferencePoint", &id);
            output.with("ResultingReferencePoint", path)
        }
        Some(JobElement::PlannedVm(id)) if job.kind == JobKind::Import => made(
            output,
            "ImportedSystem",
            project(view, &Object::PlannedVm(id)),
        ),
        Some(JobElement::Switch(id)) => made(
            output,
            "ResultingSystem",
            project(view, &Object::Switch(id)),
        ),
        Some(JobElement::Vm(_) | JobElement::PlannedVm(_)) | None => match job.kind {
            JobKind::Realize | JobKind::DefineVm => made(
                output,
                "ResultingSystem",
                project(view, &Object::Vm(job.vm)),
            ),
            _ => output,
        },
    }
}

/// Names what was made in an out parameter.
fn made(output: Instance, name: &str, instance: Option<Instance>) -> Instance {
    match instance.and_then(|instance| instance.path) {
        Some(path) => output.with(name, path),
        None => output,
    }
}

fn returned(return_value: u32) -> MethodOutput {
    MethodOutput {
        return_value,
        parameters: Instance::new("__PARAMETERS"),
    }
}

/// Returns what a method returns for an error. That the codes of virtdisk (`0xC03A….`) come through
/// WMI as they are is a guess; clients saw 32768, too, which a fault can give. Contract: 7 [M]
fn return_value(error: &SimError) -> u32 {
    error.code()
}

fn invalid(what: impl Into<String>) -> SimError {
    SimError::new(SimErrorKind::InvalidParameter, what)
}
