//! Hosts, and the calls that tests make.

use std::sync::Arc;

use hyperv_sim::{DiskSpec, Profile, SimClock, SimHost, SimOptions, SimSession, VmSpec};
use tempfile::TempDir;
use uuid::Uuid;
use wmi::{
    CimType, Completed, EmbeddedInstance, Instance, MethodError, ObjectPath, Patience,
    VIRTUALIZATION, Value, WmiError, WmiErrorKind, WmiSession, invoke_and_wait,
};

pub(crate) const SNAPSHOTS: &str = "Msvm_VirtualSystemSnapshotService";
pub(crate) const POINTS: &str = "Msvm_VirtualSystemReferencePointService";
pub(crate) const SYSTEMS: &str = "Msvm_VirtualSystemManagementService";
pub(crate) const IMAGES: &str = "Msvm_ImageManagementService";

/// Size of the disks that tests make.
pub(crate) const DISK_BYTES: u64 = 8 << 20;

/// What came of a method: its error is a large one.
pub(crate) type Called<T> = Result<T, Box<MethodError>>;

/// A host in a folder of its own.
pub(crate) struct TestHost {
    pub(crate) host: Arc<SimHost>,
    pub(crate) session: SimSession,
    pub(crate) clock: SimClock,
    _folder: TempDir,
}

impl TestHost {
    pub(crate) fn new(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let host = Arc::new(SimHost::create(&folder.path().join("host"), options).unwrap());
        Self {
            session: SimSession::new(Arc::clone(&host)).unwrap(),
            clock: SimClock::new(Arc::clone(&host)),
            host,
            _folder: folder,
        }
    }

    /// Adds a running Windows VM with one disk.
    pub(crate) fn add_vm(&self, name: &str) -> Uuid {
        let spec = VmSpec::new(name).with_disk(DiskSpec::empty(DISK_BYTES));
        self.host.add_vm(&spec).unwrap()
    }

    pub(crate) fn query(&self, wql: &str) -> Vec<Instance> {
        self.session
            .query_all(VIRTUALIZATION, wql)
            .unwrap_or_else(|error| panic!("{wql}: {error}"))
    }

    pub(crate) fn query_error(&self, namespace: &str, wql: &str) -> WmiErrorKind {
        self.session.query_all(namespace, wql).unwrap_err().kind()
    }

    /// Returns the one service of a class.
    pub(crate) fn service(&self, class: &str) -> Result<ObjectPath, WmiError> {
        let wql = format!("SELECT * FROM {class}");
        let mut found = self.session.query_all(VIRTUALIZATION, &wql)?;
        assert_eq!(found.len(), 1);
        found.remove(0).object_path(VIRTUALIZATION)
    }

    pub(crate) fn call(
        &self,
        service: &str,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Called<Completed> {
        let service = self.service(service).map_err(|source| {
            Box::new(MethodError::Wmi {
                method: method.to_owned(),
                source,
            })
        })?;
        self.call_on(&service, method, parameters)
    }

    pub(crate) fn call_on(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Called<Completed> {
        let patience = Patience::default();
        invoke_and_wait(
            &self.session,
            &self.clock,
            patience,
            object,
            method,
            parameters,
        )
        .map_err(Box::new)
    }

    /// Makes a recovery checkpoint; returns its settings.
    pub(crate) fn create_snapshot(&self, vm: Uuid) -> Called<Instance> {
        let completed = self.call(
            SNAPSHOTS,
            "CreateSnapshot",
            &[
                ("AffectedSystem", vm_path(vm).into()),
                ("SnapshotSettings", snapshot_settings(2).into()),
                ("SnapshotType", Value::from(32768_u16)),
            ],
        )?;
        let job = completed.job_path.unwrap();
        let class = "Msvm_VirtualSystemSettingData";
        let through = Some("Msvm_AffectedJobElement");
        let made = self.session.associators(&job, class, through);
        let mut made = made.map_err(|source| {
            Box::new(MethodError::Wmi {
                method: "CreateSnapshot".to_owned(),
                source,
            })
        })?;
        assert_eq!(made.len(), 1);
        Ok(made.remove(0))
    }

    /// Converts a checkpoint; returns the reference point.
    pub(crate) fn convert(&self, snapshot: &Instance) -> Called<Instance> {
        let completed = self.call(
            SNAPSHOTS,
            "ConvertToReferencePoint",
            &[("AffectedSnapshot", snapshot.path.clone().unwrap().into())],
        )?;
        let job = completed.job_path.unwrap();
        let class = "Msvm_VirtualSystemReferencePoint";
        let mut made = self.session.associators(&job, class, None).unwrap();
        assert_eq!(made.len(), 1);
        Ok(made.remove(0))
    }

    pub(crate) fn destroy_snapshot(&self, snapshot: &Instance) -> Called<Completed> {
        let path = snapshot.path.clone().unwrap();
        self.call(
            SNAPSHOTS,
            "DestroySnapshot",
            &[("AffectedSnapshot", path.into())],
        )
    }

    /// Lists the media of the checkpoint or VM with this GUID in its ids.
    pub(crate) fn disks_of(&self, guid: &str) -> Vec<Instance> {
        self.query(&format!(
            "SELECT * FROM Msvm_StorageAllocationSettingData WHERE ResourceSubType=\
             'Microsoft:Hyper-V:Virtual Hard Disk' AND InstanceID LIKE 'Microsoft:{guid}%'"
        ))
    }

    /// Asks what changed in a file since a tracking id.
    pub(crate) fn changes(&self, path: &str, limit: &str) -> Called<Instance> {
        let completed = self.call(
            IMAGES,
            "GetVirtualDiskChanges",
            &[
                ("Path", path.into()),
                ("LimitId", limit.into()),
                ("TargetSnapshotId", "".into()),
                ("ByteOffset", Value::from(0_u64)),
                ("ByteLength", Value::from(DISK_BYTES)),
            ],
        )?;
        Ok(completed.output.parameters)
    }
}

/// Writes a GUID as Hyper-V does.
pub(crate) fn guid(id: Uuid) -> String {
    id.hyphenated().to_string().to_ascii_uppercase()
}

/// Makes the path of a VM, without a host.
pub(crate) fn vm_path(vm: Uuid) -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", guid(vm))
}

/// Writes the settings of a checkpoint.
pub(crate) fn snapshot_settings(consistency: u8) -> String {
    EmbeddedInstance::new("Msvm_VirtualSystemSnapshotSettingData")
        .with("ConsistencyLevel", CimType::Uint8, consistency)
        .with("IgnoreNonSnapshottableDisks", CimType::Boolean, true)
        .to_xml()
}
