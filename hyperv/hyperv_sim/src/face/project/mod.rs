//! From the host's state to instances.

mod capabilities;
mod cluster;
mod component;
mod computer_system;
mod hardware;
mod job;
mod network;
mod reference_point;
mod replication;
mod service;
mod storage;
mod vm_settings;
mod windows;

use wmi::{Instance, ObjectPath, key_properties};

use super::object::Object;
use super::schema;
use super::view::HostView;

pub(crate) use job::error_texts;
pub(crate) use windows::WINDOWS_SERVICES;

/// Makes the instance of an object with what has a value, and its path; `None`: it is not there.
pub(crate) fn project(view: HostView<'_>, object: &Object) -> Option<Instance> {
    let mut instance = values(view, object)?;
    instance.path = Some(path_of(view, &instance)?);
    Some(instance)
}

fn values(view: HostView<'_>, object: &Object) -> Option<Instance> {
    match object {
        Object::Host => Some(computer_system::host(view)),
        Object::Vm(id) => Some(computer_system::vm(view, view.real_vm(*id)?)),
        Object::PlannedVm(id) => Some(computer_system::planned(view, view.planned(*id)?)),
        Object::Settings(owner) => vm_settings::settings(view, *owner),
        Object::ExportSettings(id) => Some(vm_settings::export_template(view.vm(*id)?)),
        Object::MergeSettings(id, slot) => Some(vm_settings::merge_settings(view.vm(*id)?, *slot)),
        Object::Controller(owner, slot) => storage::controller(view, *owner, *slot),
        Object::Drive(owner, slot) => storage::drive(view, *owner, *slot),
        Object::Media(owner, slot) => storage::media(view, *owner, *slot),
        Object::DvdDrive(owner, slot) => storage::dvd_drive(view, *owner, *slot),
        Object::DvdMedia(owner, slot) => storage::dvd_media(view, *owner, *slot),
        Object::Adapter(owner, number) => network::adapter(view, *owner, *number),
        Object::Connection(owner, number) => network::connection(view, *owner, *number),
        Object::MountedImage(id) => service::mounted_image(view, *id),
        Object::PortVlan(owner, number) => network::port_vlan(view, *owner, *number),
        Object::Switch(id) => network::switch(view, *id),
        Object::SwitchSettings(id) => network::switch_settings(view, *id),
        Object::SwitchPort(id, end) => network::switch_port_of(view, *id, *end),
        Object::SwitchPortSettings(id, end) => network::switch_port_settings(view, *id, *end),
        Object::HostPortVlan(id) => network::host_port_vlan(view, *id),
        Object::DefaultVlan => Some(network::default_vlan()),
        Object::ExternalPort(id) => network::external_port(view, *id),
        Object::InternalPort(id) => network::internal_port(view, *id),
        Object::Capabilities => Some(capabilities::capabilities()),
        Object::VersionSettings(number) => capabilities::version_settings(view, *number),
        Object::HostProcessor => Some(windows::processor(view)),
        Object::Processor(owner) => hardware::processor(view.vm(owner.vm)?, *owner),
        Object::Memory(owner) => hardware::memory(view.vm(owner.vm)?, *owner),
        Object::Security(owner) => hardware::security(view.vm(owner.vm)?, *owner),
        Object::Component(id, kind) => Some(component::component(view, view.vm(*id)?, *kind)),
        Object::ComponentSettings(id, kind) => {
            Some(component::component_settings(view, view.vm(*id)?, *kind))
        }
        Object::ReferencePoint(vm, id) => reference_point::reference_point(view.vm(*vm)?, *id),
        Object::Replication(id) => Some(replication::relationship(view, view.vm(*id)?)),
        Object::Job(id) => job::job(view, *id),
        Object::Service(class) => Some(service::service(view, class)),
        Object::ServiceSettings => Some(service::settings(view)),
        Object::OperatingSystem => Some(windows::operating_system(view)),
        Object::Computer => Some(windows::computer(view)),
        Object::Volume(number) => windows::volume(view, *number),
        Object::ShadowStorage(number) => windows::shadow_storage(view, *number),
        Object::LogicalDisk(number) => windows::logical_disk(view, *number),
        Object::WindowsService(name) => Some(windows::service(view, name)),
        Object::Cluster => cluster::cluster(view),
        Object::ClusterNode(number) => cluster::node(view, *number),
        Object::ClusterGroup(id) => cluster::group(view, *id),
        Object::ClusterResource(id) => cluster::resource(view, *id),
        Object::ClusterConfiguration(id) => cluster::configuration(view, *id),
        Object::SharedVolume(number) => cluster::shared_volume(view, *number),
        Object::SharedVolumeDisk(number) => cluster::volume_resource(view, *number),
        Object::SharedVolumeLink(number) => cluster::volume_link(view, *number),
    }
}

/// Makes the path of an instance out of its keys.
fn path_of(view: HostView<'_>, instance: &Instance) -> Option<ObjectPath> {
    let class = schema::class(&instance.class)?;
    let mut path = ObjectPath::new(class.namespace, class.name).on_host(view.host_name());
    for key in keys(class.name) {
        path = path.with_key(key, instance.value(key).to_text()?);
    }
    Some(path)
}

/// Returns the keys of a class; those of the cluster and of Windows' services are names.
fn keys(class: &str) -> &'static [&'static str] {
    if class == "MSCluster_ClusterSharedVolumeToResource" {
        return &["GroupComponent", "PartComponent"];
    }
    if class == "Win32_ShadowStorage" {
        return &["Volume", "DiffVolume"];
    }
    if class.starts_with("MSCluster_") || class == "Win32_Service" {
        return &["Name"];
    }
    key_properties(class)
}
