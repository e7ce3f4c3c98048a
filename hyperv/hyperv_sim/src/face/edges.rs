//! Associations: what hangs together with what (contract 0.6).

use uuid::Uuid;
use wmi::{Instance, Value};

use super::object::{COMPONENTS, Object, Owner};
use super::objects::{devices, owners};
use super::project::project;
use super::view::HostView;
use crate::{Job, JobElement, Vm};

/// A relation between two objects, seen from one of them.
pub(crate) struct Edge {
    /// The class of the association.
    pub(crate) association: &'static str,
    /// The property that names the object which it is seen from.
    pub(crate) own_role: &'static str,
    /// The property that names the other one.
    pub(crate) other_role: &'static str,
    /// The other one.
    pub(crate) other: Object,
    /// Seen from the end that all relations of this class are counted from.
    pub(crate) is_forward: bool,
}

/// An association: its class, and the roles of the end that it is counted from and of the other.
type Kind = (&'static str, &'static str, &'static str);

const STATE: Kind = ("Msvm_SettingsDefineState", "ManagedElement", "SettingData");
const SETTINGS: Kind = ("Msvm_ElementSettingData", "ManagedElement", "SettingData");
const SNAPSHOT: Kind = ("Msvm_SnapshotOfVirtualSystem", "Antecedent", "Dependent");
const MOST_CURRENT: Kind = (
    "Msvm_MostCurrentSnapshotInBranch",
    "Antecedent",
    "Dependent",
);
const LAST_APPLIED: Kind = ("Msvm_LastAppliedSnapshot", "Antecedent", "Dependent");
const REFERENCE_POINT: Kind = (
    "Msvm_ReferencePointOfVirtualSystem",
    "Antecedent",
    "Dependent",
);
const EXPORT: Kind = (
    "Msvm_SystemExportSettingData",
    "ManagedElement",
    "SettingData",
);
const DEVICE: Kind = ("Msvm_SystemDevice", "GroupComponent", "PartComponent");
const PART: Kind = (
    "Msvm_VirtualSystemSettingDataComponent",
    "GroupComponent",
    "PartComponent",
);
const JOB: Kind = (
    "Msvm_AffectedJobElement",
    "AffectingElement",
    "AffectedElement",
);

fn forward((association, own_role, other_role): Kind, other: Object) -> Edge {
    Edge {
        association,
        own_role,
        other_role,
        other,
        is_forward: true,
    }
}

fn backward((association, other_role, own_role): Kind, other: Object) -> Edge {
    Edge {
        association,
        own_role,
        other_role,
        other,
        is_forward: false,
    }
}

/// Lists what an object is associated with, as far as the host has the other ends.
pub(crate) fn edges(view: HostView<'_>, object: &Object) -> Vec<Edge> {
    match object {
        Object::Vm(id) => of_vm(view, *id),
        Object::Settings(owner) => of_settings(view, *owner),
        Object::Controller(owner, _)
        | Object::Drive(owner, _)
        | Object::Media(owner, _)
        | Object::DvdDrive(owner, _)
        | Object::DvdMedia(owner, _)
        | Object::Adapter(owner, _)
        | Object::Connection(owner, _)
        | Object::Processor(owner)
        | Object::Memory(owner)
        | Object::Security(owner) => vec![backward(PART, Object::Settings(*owner))],
        Object::Component(vm, _) => vec![backward(DEVICE, Object::Vm(*vm))],
        Object::ExportSettings(vm) => vec![backward(EXPORT, Object::Vm(*vm))],
        Object::ReferencePoint(vm, id) => {
            let mut edges = vec![backward(REFERENCE_POINT, Object::Vm(*vm))];
            edges.extend(jobs_of(view, JobElement::ReferencePoint(*id)));
            edges
        }
        Object::Job(id) => {
            let job = view.state.job(*id).ok();
            let elements = job.into_iter().flat_map(|job| affected(view, job));
            elements.map(|element| forward(JOB, element)).collect()
        }
        _ => Vec::new(),
    }
}

fn of_vm(view: HostView<'_>, id: Uuid) -> Vec<Edge> {
    let Some(vm) = view.vm(id) else {
        return Vec::new();
    };
    let mut edges = Vec::new();
    for owner in owners(view, vm) {
        let settings = Object::Settings(owner);
        edges.push(forward(SETTINGS, settings.clone()));
        let kind = if owner.snapshot.is_some() {
            SNAPSHOT
        } else {
            STATE
        };
        edges.push(forward(kind, settings));
    }
    for snapshot in view.snapshots(vm) {
        let settings = Object::Settings(Owner {
            vm: id,
            snapshot: Some(snapshot.id),
        });
        let kinds = marks(vm, snapshot.id);
        edges.extend(kinds.map(|kind| forward(kind, settings.clone())));
    }
    let points = view.reference_points(vm);
    edges.extend(points.map(|own| forward(REFERENCE_POINT, Object::ReferencePoint(id, own.id))));
    edges.push(forward(EXPORT, Object::ExportSettings(id)));
    edges.extend(COMPONENTS.map(|kind| forward(DEVICE, Object::Component(id, kind))));
    edges.extend(jobs_of(view, JobElement::Vm(id)));
    edges
}

/// Lists what makes a checkpoint stand out among those of its VM. That nothing but applying one
/// makes it the last applied is a guess. Contract: 0.6 [M]
fn marks(vm: &Vm, snapshot: Uuid) -> impl Iterator<Item = Kind> {
    let current = (vm.current_parent == Some(snapshot)).then_some(MOST_CURRENT);
    let applied = (vm.last_applied == Some(snapshot)).then_some(LAST_APPLIED);
    current.into_iter().chain(applied)
}

fn of_settings(view: HostView<'_>, owner: Owner) -> Vec<Edge> {
    let mut edges: Vec<Edge> = devices(view, owner)
        .into_iter()
        .map(|device| forward(PART, device))
        .collect();
    let vm = Object::Vm(owner.vm);
    edges.push(backward(SETTINGS, vm.clone()));
    match owner.snapshot {
        None => edges.push(backward(STATE, vm)),
        Some(snapshot) => {
            if let Some(own) = view.vm(owner.vm) {
                edges.extend(marks(own, snapshot).map(|kind| backward(kind, vm.clone())));
            }
            edges.push(backward(SNAPSHOT, vm));
            edges.extend(jobs_of(view, JobElement::Snapshot(snapshot)));
        }
    }
    edges
}

fn jobs_of(view: HostView<'_>, element: JobElement) -> Vec<Edge> {
    let jobs = view.state.jobs();
    jobs.filter(|job| job.elements.contains(&element))
        .map(|job| backward(JOB, Object::Job(job.id)))
        .collect()
}

/// Lists what a job affects, as far as it is there and can be seen.
fn affected(view: HostView<'_>, job: &Job) -> Vec<Object> {
    let Some(vm) = view.vm(job.vm) else {
        return Vec::new();
    };
    let visible = job
        .elements
        .iter()
        .filter(|element| !view.is_hidden(vm, **element));
    let object = |element: &JobElement| match *element {
        JobElement::Vm(id) => Object::Vm(id),
        JobElement::Snapshot(id) => Object::Settings(Owner {
            vm: vm.id,
            snapshot: Some(id),
        }),
        JobElement::ReferencePoint(id) => Object::ReferencePoint(vm.id, id),
    };
    visible
        .map(object)
        .filter(|object| project(view, object).is_some())
        .collect()
}

/// Makes the instance of an association.
pub(crate) fn association(view: HostView<'_>, own: &Instance, edge: &Edge) -> Option<Instance> {
    let other = project(view, &edge.other)?;
    let mut instance = Instance::new(edge.association)
        .with(edge.own_role, own.path.clone()?)
        .with(edge.other_role, other.path?);
    if edge.association == JOB.0 {
        // 5: the job made it; 0: what it does to it is not known.
        let made = !matches!(edge.other, Object::Vm(_));
        instance.set("ElementEffects", vec![if made { 5_u16 } else { 0 }]);
    }
    if edge.association == SETTINGS.0 {
        let is_own = matches!(&edge.other, Object::Settings(owner) if owner.snapshot.is_none());
        instance.set("IsCurrent", Value::from(if is_own { 1_u16 } else { 2 }));
    }
    Some(instance)
}

/// Lists the objects that associations are counted from, of one VM.
pub(crate) fn origins(view: HostView<'_>, vm: &Vm) -> Vec<Object> {
    let mut origins = vec![Object::Vm(vm.id)];
    origins.extend(owners(view, vm).into_iter().map(Object::Settings));
    origins.extend(vm.jobs.iter().map(|job| Object::Job(job.id)));
    origins
}
