//! Which objects there are: all of a class, those of one VM, or the one of a path.

use uuid::Uuid;
use wmi::{Instance, ObjectPath, WmiError, WmiErrorKind};

use super::instance_ids::first_guid;
use super::object::{
    COMPONENTS, Object, Owner, SERVICES, SwitchEnd, component_class, component_settings_class,
};
use super::project::{WINDOWS_SERVICES, project};
use super::schema::{self, Class};
use super::view::HostView;
use crate::{DiskKind, VirtualSwitch, Vm};

/// Which VMs are looked at. Most questions name one, and must not cost a look at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All.
    All,
    /// What belongs to this one.
    Vm(Uuid),
    /// What is asked for belongs to none.
    None,
}

/// Returns the VM that a text is about: one that holds its GUID, or that of something of it.
pub(crate) fn scope_of(view: HostView<'_>, text: &str) -> Scope {
    match first_guid(text) {
        None => Scope::All,
        Some(id) => vm_with(view, id).map_or(Scope::None, Scope::Vm),
    }
}

fn vm_with(view: HostView<'_>, id: Uuid) -> Option<Uuid> {
    if view.vm(id).is_some() {
        return Some(id);
    }
    if let Ok(job) = view.state.job(id) {
        return Some(job.vm);
    }
    if let Some(planned) = view.state.planned_with_snapshot(id) {
        return Some(planned.vm.id);
    }
    let snapshot = view.state.vm_of_snapshot(id);
    let owner = snapshot.or_else(|_| view.state.vm_of_reference_point(id));
    owner.ok().map(|vm| vm.id)
}

/// Lists the objects of a class, of the VMs of a scope where they are a VM's.
pub(crate) fn objects(view: HostView<'_>, class: &Class, scope: Scope) -> Vec<Object> {
    let mut objects = of_the_host(view, class.name, scope);
    match scope {
        Scope::All => {
            for vm in view.state.vms.values() {
                of_vm(view, vm, class.name, &mut objects);
            }
            for planned in view.state.facts.planned.values() {
                of_planned(view, &planned.vm, class.name, &mut objects);
            }
            objects.extend(jobs(view, class.name, None));
        }
        Scope::Vm(id) => {
            if let Some(vm) = view.real_vm(id) {
                of_vm(view, vm, class.name, &mut objects);
            } else if let Some(vm) = view.vm(id) {
                of_planned(view, vm, class.name, &mut objects);
            }
            objects.extend(jobs(view, class.name, Some(id)));
        }
        Scope::None => {}
    }
    objects
}

/// Lists what is the host's own; the scope is none of its business, but for the host itself.
fn of_the_host(view: HostView<'_>, class: &str, scope: Scope) -> Vec<Object> {
    if let Some(service) = SERVICES.iter().find(|own| **own == class) {
        return vec![Object::Service(service)];
    }
    let volumes = 0..view.state.all_volumes().len();
    match class {
        "Msvm_ComputerSystem" if scope == Scope::All => vec![Object::Host],
        "Msvm_VirtualSystemManagementServiceSettingData" => vec![Object::ServiceSettings],
        "Msvm_MountedStorageImage" => {
            let mounted = view.state.facts.mounted.iter();
            mounted
                .map(|image| Object::MountedImage(image.id))
                .collect()
        }
        "Msvm_VirtualSystemManagementCapabilities" => vec![Object::Capabilities],
        // Those of capabilities are there beside the VMs'.
        "Msvm_VirtualSystemSettingData" if scope == Scope::All => version_settings(view).collect(),
        "Win32_Processor" => vec![Object::HostProcessor],
        "Win32_OperatingSystem" => vec![Object::OperatingSystem],
        "Win32_ComputerSystem" => vec![Object::Computer],
        "Win32_Volume" => volumes.map(Object::Volume).collect(),
        "Win32_ShadowStorage" => volumes.map(Object::ShadowStorage).collect(),
        "Win32_LogicalDisk" => volumes.map(Object::LogicalDisk).collect(),
        "Win32_Service" => (WINDOWS_SERVICES.iter())
            .map(|(name, ..)| Object::WindowsService(name))
            .collect(),
        _ if class.starts_with("MSCluster_") => of_the_cluster(view, class),
        _ => of_the_network(view, class),
    }
}

/// Lists what is the host's network.
fn of_the_network(view: HostView<'_>, class: &str) -> Vec<Object> {
    let switches = view.state.switches();
    let switches = switches.iter();
    match class {
        "Msvm_VirtualEthernetSwitch" => switches.map(|own| Object::Switch(own.id)).collect(),
        "Msvm_VirtualEthernetSwitchSettingData" => {
            switches.map(|own| Object::SwitchSettings(own.id)).collect()
        }
        "Msvm_EthernetSwitchPort" => switches.flat_map(switch_ports).collect(),
        "Msvm_EthernetPortAllocationSettingData" => {
            switches.flat_map(switch_port_settings).collect()
        }
        "Msvm_ExternalEthernetPort" => {
            let adapters = view.state.facts.physical_adapters.iter();
            adapters.map(|own| Object::ExternalPort(own.id)).collect()
        }
        "Msvm_InternalEthernetPort" => switches
            .filter(|own| own.host_port.is_some())
            .map(|own| Object::InternalPort(own.id))
            .collect(),
        "Msvm_EthernetSwitchPortVlanSettingData" => switches
            .map(|own| Object::HostPortVlan(own.id))
            .chain([Object::DefaultVlan])
            .collect(),
        _ => Vec::new(),
    }
}

/// Lists what the ports of a switch lead to that are not VMs'.
fn switch_ends(switch: &VirtualSwitch) -> impl Iterator<Item = SwitchEnd> + use<> {
    let external = switch.adapter.is_some().then_some(SwitchEnd::External);
    let host = switch.host_port.is_some().then_some(SwitchEnd::Host);
    external.into_iter().chain(host)
}

/// Lists the ports of a switch that are not VMs'.
pub(crate) fn switch_ports(switch: &VirtualSwitch) -> impl Iterator<Item = Object> + use<> {
    let id = switch.id;
    switch_ends(switch).map(move |end| Object::SwitchPort(id, end))
}

fn switch_port_settings(switch: &VirtualSwitch) -> impl Iterator<Item = Object> + use<> {
    let id = switch.id;
    switch_ends(switch).map(move |end| Object::SwitchPortSettings(id, end))
}

/// Lists the settings that describe which configuration versions VMs may have.
pub(crate) fn version_settings(view: HostView<'_>) -> impl Iterator<Item = Object> + use<> {
    let versions = view.profile().supported_versions().len();
    (0..=versions).map(Object::VersionSettings)
}

/// Lists what is the cluster's.
fn of_the_cluster(view: HostView<'_>, class: &str) -> Vec<Object> {
    let Some(cluster) = view.cluster() else {
        return Vec::new();
    };
    let vms = cluster.roles.keys().copied();
    let volumes = 0..cluster.volumes.len();
    match class {
        "MSCluster_Cluster" => vec![Object::Cluster],
        "MSCluster_Node" => (0..cluster.nodes.len()).map(Object::ClusterNode).collect(),
        "MSCluster_ResourceGroup" => vms.map(Object::ClusterGroup).collect(),
        "MSCluster_Resource" => vms
            .flat_map(|vm| {
                [
                    Object::ClusterResource(vm),
                    Object::ClusterConfiguration(vm),
                ]
            })
            .chain(volumes.map(Object::SharedVolumeDisk))
            .collect(),
        "MSCluster_ClusterSharedVolume" => volumes.map(Object::SharedVolume).collect(),
        "MSCluster_ClusterSharedVolumeToResource" => {
            volumes.map(Object::SharedVolumeLink).collect()
        }
        _ => Vec::new(),
    }
}

fn jobs(view: HostView<'_>, class: &str, of: Option<Uuid>) -> Vec<Object> {
    if class != "Msvm_ConcreteJob" {
        return Vec::new();
    }
    let jobs = view.state.jobs();
    jobs.filter(|job| of.is_none_or(|vm| vm == job.vm))
        .map(|job| Object::Job(job.id))
        .collect()
}

/// Returns whose settings a VM has: its own, and those of its checkpoints.
pub(crate) fn owners(view: HostView<'_>, vm: &Vm) -> Vec<Owner> {
    let own = Owner {
        vm: vm.id,
        snapshot: None,
    };
    let snapshots = view.snapshots(vm).map(|snapshot| Owner {
        vm: vm.id,
        snapshot: Some(snapshot.id),
    });
    std::iter::once(own).chain(snapshots).collect()
}

fn of_vm(view: HostView<'_>, vm: &Vm, class: &str, objects: &mut Vec<Object>) {
    let id = vm.id;
    if let Some(kind) = COMPONENTS
        .iter()
        .find(|kind| component_class(**kind) == class)
    {
        objects.push(Object::Component(id, *kind));
        return;
    }
    if let Some(kind) = COMPONENTS
        .iter()
        .find(|kind| component_settings_class(**kind) == class)
    {
        objects.push(Object::ComponentSettings(id, *kind));
        return;
    }
    match class {
        "Msvm_ComputerSystem" => objects.push(Object::Vm(id)),
        "Msvm_VirtualSystemSettingData" => {
            objects.extend(owners(view, vm).into_iter().map(Object::Settings));
        }
        "Msvm_ReplicationRelationship" if vm.replication.mode != 0 => {
            objects.push(Object::Replication(id));
        }
        "Msvm_VirtualSystemExportSettingData" => objects.push(Object::ExportSettings(id)),
        "Msvm_VirtualSystemReferencePoint" => {
            let points = view.reference_points(vm);
            objects.extend(points.map(|point| Object::ReferencePoint(id, point.id)));
        }
        "Msvm_DiskMergeSettingData" => {
            let disks = vm.disks.iter().filter(|disk| disk.kind.is_snapshottable());
            objects.extend(disks.map(|disk| Object::MergeSettings(id, disk.slot)));
        }
        _ => {
            for owner in owners(view, vm) {
                of_owner(view, vm, owner, class, objects);
            }
        }
    }
}

/// Returns whether the port of an adapter has a VLAN.
pub(crate) fn is_tagged(vm: &Vm, number: usize) -> bool {
    let adapter = vm.network_adapters.get(number);
    adapter.is_some_and(|own| own.vlan.is_some())
}

/// Adds what a planned VM has.
fn of_planned(view: HostView<'_>, vm: &Vm, class: &str, objects: &mut Vec<Object>) {
    match class {
        "Msvm_PlannedComputerSystem" => objects.push(Object::PlannedVm(vm.id)),
        "Msvm_VirtualSystemSettingData" => {
            objects.extend(owners(view, vm).into_iter().map(Object::Settings));
        }
        _ => {
            for owner in owners(view, vm) {
                of_owner(view, vm, owner, class, objects);
            }
        }
    }
}

/// Adds the devices of an owner that are instances of a class.
fn of_owner(view: HostView<'_>, vm: &Vm, owner: Owner, class: &str, objects: &mut Vec<Object>) {
    let adapters = 0..vm.network_adapters.len();
    match class {
        "Msvm_ResourceAllocationSettingData" => {
            let controllers = view.controllers(vm).into_iter();
            objects.extend(controllers.map(|slot| Object::Controller(owner, slot)));
            let disks = view.disks(vm, owner).into_iter();
            objects.extend(disks.map(|disk| Object::Drive(owner, disk.slot)));
            let empty = vm.empty_drives.iter().filter(|_| owner.snapshot.is_none());
            objects.extend(empty.map(|slot| Object::Drive(owner, *slot)));
            objects.extend(view.dvd_slot(vm).map(|slot| Object::DvdDrive(owner, slot)));
        }
        "Msvm_StorageAllocationSettingData" => {
            let disks = view.disks(vm, owner).into_iter();
            let files = disks.filter(|disk| disk.kind != DiskKind::PassThrough);
            objects.extend(files.map(|disk| Object::Media(owner, disk.slot)));
            objects.extend(view.dvd_slot(vm).map(|slot| Object::DvdMedia(owner, slot)));
        }
        "Msvm_SyntheticEthernetPortSettingData" => {
            objects.extend(adapters.map(|number| Object::Adapter(owner, number)));
        }
        "Msvm_EthernetPortAllocationSettingData" => {
            let connected = adapters.filter(|number| !vm.port(*number).has_no_connection);
            objects.extend(connected.map(|number| Object::Connection(owner, number)));
        }
        "Msvm_EthernetSwitchPortVlanSettingData" => {
            let tagged = adapters.filter(|number| is_tagged(vm, *number));
            objects.extend(tagged.map(|number| Object::PortVlan(owner, number)));
        }
        "Msvm_ProcessorSettingData" => objects.push(Object::Processor(owner)),
        "Msvm_MemorySettingData" => objects.push(Object::Memory(owner)),
        "Msvm_SecuritySettingData" => objects.push(Object::Security(owner)),
        _ => {}
    }
}

/// The classes whose instances are parts of a VM's or a checkpoint's settings.
const DEVICE_CLASSES: [&str; 7] = [
    "Msvm_ResourceAllocationSettingData",
    "Msvm_StorageAllocationSettingData",
    "Msvm_SyntheticEthernetPortSettingData",
    "Msvm_EthernetPortAllocationSettingData",
    "Msvm_ProcessorSettingData",
    "Msvm_MemorySettingData",
    "Msvm_SecuritySettingData",
];

/// Lists all devices of an owner.
pub(crate) fn devices(view: HostView<'_>, owner: Owner) -> Vec<Object> {
    let mut objects = Vec::new();
    if let Some(vm) = view.vm(owner.vm) {
        let classes = DEVICE_CLASSES.iter().filter(|class| {
            schema::class(class).is_some_and(|class| class.exists_on(view.profile()))
        });
        for class in classes {
            of_owner(view, vm, owner, class, &mut objects);
        }
    }
    objects
}

/// Finds the object of a path, with its instance. Some of the keys are enough where they fit one
/// object alone: that is how libvirt names services.
///
/// Errors: `NoClass`, `NotFound`.
pub(crate) fn find(view: HostView<'_>, path: &ObjectPath) -> Result<(Object, Instance), WmiError> {
    let class = schema::class(path.class())
        .filter(|class| class.exists_on(view.profile()))
        .ok_or_else(|| no_class(path.class()))?;
    let mut scope = Scope::All;
    for (_, value) in path.keys() {
        if scope == Scope::All {
            scope = scope_of(view, value);
        }
    }
    let mut found = None;
    for object in objects(view, class, scope) {
        let Some(instance) = project(view, &object) else {
            continue;
        };
        if !names(path, &instance) {
            continue;
        }
        if found.is_some() {
            return Err(not_found(path));
        }
        found = Some((object, instance));
    }
    found.ok_or_else(|| not_found(path))
}

/// Returns whether all keys of a path fit an instance; without keys none does.
fn names(path: &ObjectPath, instance: &Instance) -> bool {
    let mut keys = path.keys().peekable();
    keys.peek().is_some()
        && keys.all(|(name, value)| {
            let own = instance.value(name).to_text();
            own.is_some_and(|own| own.to_lowercase() == value.to_lowercase())
        })
}

/// Makes the error for a class that this host does not have: `WBEM_E_INVALID_CLASS`.
pub(crate) fn no_class(name: &str) -> WmiError {
    WmiError::new(WmiErrorKind::NoClass, format!("there is no class {name}")).with_code(0x8004_1010)
}

/// Makes the error for an object that is not there: `WBEM_E_NOT_FOUND`.
pub(crate) fn not_found(path: &ObjectPath) -> WmiError {
    let what = format!("there is no object {}", path.relative());
    WmiError::new(WmiErrorKind::NotFound, what).with_code(0x8004_1002)
}
