//! A session that holds a handful of classes, so that the service can be asked without a host.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperv_sim::wsman::{Server, ServerOptions, serve};
use wmi::{
    Instance, MethodOutput, ObjectPath, VIRTUALIZATION, Value, WmiError, WmiErrorKind, WmiSession,
};

pub(crate) const USER: &str = "backup";
pub(crate) const PASSWORD: &str = "pässword €1";
pub(crate) const SERVICE: &str = "Msvm_VirtualSystemSnapshotService";

/// Instances of `Msvm_Many`.
pub(crate) const MANY: usize = 2500;

#[derive(Debug, Default)]
pub(crate) struct TinyHost {
    queries: AtomicUsize,
}

impl TinyHost {
    pub(crate) fn instances(class: &str) -> Option<Vec<Instance>> {
        let vm = |name: &str| {
            Instance::new("Msvm_ComputerSystem")
                .with("CreationClassName", "Msvm_ComputerSystem")
                .with("Name", name)
                .with("ElementName", format!("VM <{name}> & \"ümläut\""))
                .with("EnabledState", 2_u16)
                .with("ProcessID", u64::MAX)
                .with("Caption", Value::Null)
                .with("OperationalStatus", vec![2_u16, 11])
                .with("InstallDate", "20261121042200.500000+060")
        };
        match &*class.to_lowercase() {
            "msvm_computersystem" => Some(vec![vm("HV1"), vm("A-1"), vm("B\\2")]),
            "msvm_virtualsystemsnapshotservice" => Some(vec![
                Instance::new(SERVICE)
                    .with("CreationClassName", SERVICE)
                    .with("Name", "vssnapsvc")
                    .with("SystemCreationClassName", "Msvm_ComputerSystem")
                    .with("SystemName", "HV1"),
            ]),
            "msvm_many" => {
                let numbered = |number: usize| {
                    Instance::new("Msvm_Many")
                        .with("InstanceID", format!("many-{number}"))
                        .with("Number", u64::try_from(number).unwrap())
                };
                Some((0..MANY).map(numbered).collect())
            }
            "msvm_none" => Some(Vec::new()),
            "msvm_large" => {
                let text = "x".repeat(100_000);
                Some(vec![
                    Instance::new("Msvm_Large")
                        .with("InstanceID", "1")
                        .with("Text", text),
                ])
            }
            _ => None,
        }
    }

    fn find(path: &ObjectPath) -> Result<Instance, WmiError> {
        let all = Self::instances(path.class()).ok_or_else(|| error(WmiErrorKind::NoClass))?;
        all.into_iter()
            .find(|one| {
                path.keys()
                    .all(|(key, value)| one.text(key).as_deref() == Some(value))
            })
            .ok_or_else(|| error(WmiErrorKind::NotFound))
    }
}

fn error(kind: WmiErrorKind) -> WmiError {
    WmiError::new(kind, kind.name())
}

impl WmiSession for TinyHost {
    fn host(&self) -> &str {
        "HV1"
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        if !namespace.eq_ignore_ascii_case(VIRTUALIZATION) {
            return Err(error(WmiErrorKind::NoNamespace));
        }
        let (from, condition) = wql.split_once(" WHERE ").unwrap_or((wql, ""));
        let selected = from.strip_prefix("SELECT ");
        let selected = selected.and_then(|rest| rest.split_once(" FROM "));
        let (columns, class) = selected.ok_or_else(|| error(WmiErrorKind::BadQuery))?;
        let all = Self::instances(class).ok_or_else(|| error(WmiErrorKind::NoClass))?;
        let wanted = condition.split_once(['=']).map(|(key, value)| {
            let value = value.trim().trim_matches(['"', '\'']);
            (key.trim(), value.replace("\\\\", "\\"))
        });
        for instance in all {
            let fits = wanted
                .as_ref()
                .is_none_or(|(key, value)| instance.text(key).as_ref() == Some(value));
            if fits && columns == "*" {
                each(instance)?;
            } else if fits {
                let columns = columns.split(", ");
                each(columns.fold(Instance::new(class), |all, name| {
                    all.with(name, instance.value(name).clone())
                }))?;
            }
        }
        Ok(())
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        Self::find(path)
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        Self::find(object)?;
        let given: Instance = parameters
            .iter()
            .fold(Instance::default(), |all, (name, value)| {
                all.with(name, value.clone())
            });
        match method {
            // Gives back what it got, under other names.
            "CreateSnapshot" => {
                let job = ObjectPath::new(VIRTUALIZATION, "Msvm_ConcreteJob")
                    .with_key("InstanceID", "JOB-1");
                let affected = given.value("AffectedSystem").to_reference();
                let affected = affected.ok_or_else(|| error(WmiErrorKind::Failed))?;
                Ok(MethodOutput {
                    return_value: 4096,
                    parameters: Instance::default()
                        .with("Job", job)
                        .with("Affected", affected)
                        .with("Settings", given.value("SnapshotSettings").clone())
                        .with("Paths", given.value("Paths").clone()),
                })
            }
            "GetChanges" => {
                let count: u64 = given.required_number("Count")?;
                let offsets: Vec<u64> = (0..count).map(|at| at << 20).collect();
                Ok(MethodOutput {
                    return_value: 0,
                    parameters: Instance::default().with("ChangedByteOffsets", offsets),
                })
            }
            "Deny" => Err(error(WmiErrorKind::Denied)),
            "Break" => Err(error(WmiErrorKind::Failed).with_code(0x8007_0020)),
            _ => Err(error(WmiErrorKind::NoMethod)),
        }
    }
}

pub(crate) fn options() -> ServerOptions {
    ServerOptions::new(USER, PASSWORD)
}

/// Starts a service over the tiny host.
pub(crate) fn start(options: ServerOptions) -> Server {
    serve(Arc::new(TinyHost::default()), options).unwrap()
}

/// Starts a service that takes a password in the clear.
pub(crate) fn start_basic() -> Server {
    start(ServerOptions {
        allow_basic: true,
        ..options()
    })
}
