//! Associations: what hangs together with what (contract 0.6).

use uuid::Uuid;
use wmi::{Instance, Value};

use super::object::{COMPONENTS, Object, Owner, SwitchEnd};
use super::objects::{devices, is_tagged, owners, switch_ports, version_settings};
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
const FEATURE: Kind = (
    "Msvm_EthernetPortSettingDataComponent",
    "GroupComponent",
    "PartComponent",
);
const CAPABILITY: Kind = (
    "Msvm_SettingsDefineCapabilities",
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
        Object::PlannedVm(id) => of_planned(view, *id),
        Object::Switch(_)
        | Object::SwitchSettings(_)
        | Object::SwitchPort(..)
        | Object::SwitchPortSettings(..)
        | Object::HostPortVlan(_) => of_switches(view, object),
        Object::PortVlan(owner, number) => {
            vec![backward(FEATURE, Object::Connection(*owner, *number))]
        }
        Object::Capabilities => version_settings(view)
            .map(|settings| forward(CAPABILITY, settings))
            .collect(),
        Object::VersionSettings(_) => vec![backward(CAPABILITY, Object::Capabilities)],
        Object::Connection(owner, number) => vec![
            backward(PART, Object::Settings(*owner)),
            forward(FEATURE, Object::PortVlan(*owner, *number)),
        ],
        Object::Settings(owner) => of_settings(view, *owner),
        Object::Controller(owner, _)
        | Object::Drive(owner, _)
        | Object::Media(owner, _)
        | Object::DvdDrive(owner, _)
        | Object::DvdMedia(owner, _)
        | Object::Adapter(owner, _)
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
    let Some(vm) = view.real_vm(id) else {
        return Vec::new();
    };
    let mut edges = to_settings(view, vm);
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

/// Lists how a VM, realised or planned, and its settings hang together.
fn to_settings(view: HostView<'_>, vm: &Vm) -> Vec<Edge> {
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
    edges
}

fn of_planned(view: HostView<'_>, id: Uuid) -> Vec<Edge> {
    let Some(planned) = view.planned(id) else {
        return Vec::new();
    };
    let mut edges = to_settings(view, &planned.vm);
    edges.extend(jobs_of(view, JobElement::PlannedVm(id)));
    edges
}

/// Lists how a switch, its settings and its ports hang together.
fn of_switches(view: HostView<'_>, object: &Object) -> Vec<Edge> {
    match object {
        Object::Switch(id) => {
            let mut edges = vec![forward(STATE, Object::SwitchSettings(*id))];
            let ports = view.state.switch(*id);
            let ports = ports.iter().flat_map(switch_ports);
            edges.extend(ports.map(|port| forward(DEVICE, port)));
            edges.extend(jobs_of(view, JobElement::Switch(*id)));
            edges
        }
        Object::SwitchSettings(id) => vec![backward(STATE, Object::Switch(*id))],
        Object::SwitchPort(id, end) => vec![
            backward(DEVICE, Object::Switch(*id)),
            forward(SETTINGS, Object::SwitchPortSettings(*id, *end)),
        ],
        Object::SwitchPortSettings(id, end) => {
            let mut edges = vec![backward(SETTINGS, Object::SwitchPort(*id, *end))];
            if *end == SwitchEnd::Host {
                edges.push(forward(FEATURE, Object::HostPortVlan(*id)));
            }
            edges
        }
        Object::HostPortVlan(id) => {
            let port = Object::SwitchPortSettings(*id, SwitchEnd::Host);
            vec![backward(FEATURE, port)]
        }
        _ => Vec::new(),
    }
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
    let vm = match view.planned(owner.vm) {
        Some(_) => Object::PlannedVm(owner.vm),
        None => Object::Vm(owner.vm),
    };
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
    let vm = view.vm(job.vm);
    let visible = job
        .elements
        .iter()
        .filter(|element| !vm.is_some_and(|vm| view.is_hidden(vm, **element)));
    let object = |element: &JobElement| match *element {
        JobElement::Vm(id) => Object::Vm(id),
        JobElement::Snapshot(id) => Object::Settings(Owner {
            vm: job.vm,
            snapshot: Some(id),
        }),
        JobElement::ReferencePoint(id) => Object::ReferencePoint(job.vm, id),
        JobElement::PlannedVm(id) => Object::PlannedVm(id),
        JobElement::Switch(id) => Object::Switch(id),
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
    if edge.association == CAPABILITY.0 {
        // 0: the default; 3: one of those that are supported.
        let default = Object::VersionSettings(view.profile().supported_versions().len());
        let is_default = edge.other == default;
        instance.set("ValueRole", if is_default { 0_u16 } else { 3 });
        instance.set("ValueRange", if is_default { 0_u16 } else { 3 });
        instance.set("PropertyPolicy", 0_u16);
    }
    if edge.association == SETTINGS.0 {
        let is_own = matches!(&edge.other, Object::Settings(owner) if owner.snapshot.is_none());
        instance.set("IsCurrent", Value::from(if is_own { 1_u16 } else { 2 }));
    }
    Some(instance)
}

/// Lists the objects that associations are counted from, of the host itself.
pub(crate) fn origins_of_host(view: HostView<'_>) -> Vec<Object> {
    let mut origins = vec![Object::Capabilities];
    for switch in view.state.switches() {
        origins.push(Object::Switch(switch.id));
        for port in switch_ports(&switch) {
            if let Object::SwitchPort(id, end) = port {
                origins.push(Object::SwitchPortSettings(id, end));
            }
            origins.push(port);
        }
    }
    let jobs = view.state.facts.orphaned_jobs.iter();
    origins.extend(jobs.map(|job| Object::Job(job.id)));
    origins
}

/// Lists the objects that associations are counted from, of one VM.
pub(crate) fn origins(view: HostView<'_>, vm: &Vm) -> Vec<Object> {
    let mut origins = match view.planned(vm.id) {
        Some(_) => vec![Object::PlannedVm(vm.id)],
        None => vec![Object::Vm(vm.id)],
    };
    for owner in owners(view, vm) {
        origins.push(Object::Settings(owner));
        let adapters = 0..vm.network_adapters.len();
        let tagged = adapters.filter(|number| is_tagged(vm, *number));
        origins.extend(tagged.map(|number| Object::Connection(owner, number)));
    }
    origins.extend(vm.jobs.iter().map(|job| Object::Job(job.id)));
    origins
}
