//! A host that answers from a list of instances, and counts what it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use wmi::{
    CIMV2, Clock, Instance, MethodOutput, ObjectPath, VIRTUALIZATION, Value, WmiError,
    WmiErrorKind, WmiSession,
};
use wmi_host::{WmiHost, WmiHostOptions};

use crate::vm_instances::VmInstances;

/// A host that answers from a list of instances.
pub(crate) struct ListedHost {
    instances: Mutex<Vec<(String, Instance)>>,
    calls: AtomicUsize,
}

impl ListedHost {
    /// Makes a host without VMs, of a Windows version such as `10.0.20348`.
    pub(crate) fn new(version: &str) -> Self {
        Self::of("Windows for tests", version, 3)
    }

    /// Makes a host without VMs: `ProductType` 3 is a server, 1 is not.
    pub(crate) fn of(caption: &str, version: &str, product_type: u32) -> Self {
        let host = Self {
            instances: Mutex::new(Vec::new()),
            calls: AtomicUsize::new(0),
        };
        host.add(
            CIMV2,
            Instance::new("Win32_OperatingSystem")
                .with("Caption", caption)
                .with("CSName", "HV1")
                .with("Version", version)
                .with("ProductType", product_type),
        );
        host.add_volume(r"C:\", 1 << 40, 1 << 39);
        host.add(
            VIRTUALIZATION,
            Instance::new("Msvm_ComputerSystem")
                .with("CreationClassName", "Msvm_ComputerSystem")
                .with("Name", "HV1")
                .with("ElementName", "HV1"),
        );
        host
    }

    pub(crate) fn with(self, vm: &VmInstances) -> Self {
        for instance in vm.instances() {
            self.add(VIRTUALIZATION, instance);
        }
        self
    }

    pub(crate) fn add(&self, namespace: &str, instance: Instance) {
        let mut instances = self.instances.lock().unwrap();
        instances.push((namespace.to_owned(), instance));
    }

    pub(crate) fn add_volume(&self, mount: &str, size_bytes: u64, free_bytes: u64) {
        let volume = Instance::new("Win32_Volume")
            .with("Name", mount)
            .with("Capacity", size_bytes)
            .with("FreeSpace", free_bytes);
        self.add(CIMV2, volume);
    }

    /// Forgets all instances of a class.
    pub(crate) fn without(self, class: &str) -> Self {
        let mut instances = self.instances.lock().unwrap();
        instances.retain(|(_, instance)| instance.class != class);
        drop(instances);
        self
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Takes it as a host, without a way to its files.
    pub(crate) fn host(self: Arc<Self>) -> WmiHost {
        let clock = Arc::new(StillClock("2026-11-21T04:00:00Z".parse().unwrap()));
        WmiHost::connect(self, clock, None, WmiHostOptions::default()).unwrap()
    }
}

impl WmiSession for ListedHost {
    fn host(&self) -> &str {
        "hv1.example.com"
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let instances = self.instances.lock().unwrap();
        let own = instances.iter().filter(|(own, _)| own == namespace);
        if own.clone().next().is_none() {
            return Err(WmiError::new(WmiErrorKind::NoNamespace, namespace));
        }
        let chosen = own.filter(|(_, instance)| fits(instance, wql));
        for (_, instance) in chosen {
            each(instance.clone())?;
        }
        Ok(())
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        Err(WmiError::new(WmiErrorKind::NotFound, path.to_string()))
    }

    fn invoke(
        &self,
        _object: &ObjectPath,
        method: &str,
        _parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        panic!("{method} was called, and nothing may be touched")
    }
}

/// Understands the few forms of query that are asked.
fn fits(instance: &Instance, wql: &str) -> bool {
    if let Some(rest) = wql.strip_prefix("ASSOCIATORS OF {") {
        // Settings and what they are made of share the GUID at the start of their ids.
        let path = ObjectPath::parse(rest.split('}').next().unwrap()).unwrap();
        let owner = path.key("InstanceID").unwrap();
        let id = instance.text("InstanceID").unwrap_or_default();
        return instance.class.ends_with("AllocationSettingData") && id.starts_with(owner);
    }
    if let Some(rest) = wql.strip_prefix("REFERENCES OF {") {
        return rest.ends_with(&format!("ResultClass={}", instance.class));
    }
    let rest = wql.strip_prefix("SELECT * FROM ").unwrap();
    let (class, conditions) = rest.split_once(" WHERE ").unwrap_or((rest, ""));
    class == instance.class
        && (conditions.is_empty() || conditions.split(" OR ").any(|one| holds(instance, one)))
}

fn holds(instance: &Instance, condition: &str) -> bool {
    let words: Vec<&str> = condition.splitn(3, ' ').collect();
    let [name, operator, literal] = words[..] else {
        panic!("{condition:?} is not understood");
    };
    let value = instance.text(name).unwrap_or_default().to_lowercase();
    let literal = literal.trim_matches('"').to_lowercase();
    match operator {
        "=" => value == literal,
        "LIKE" => value.starts_with(literal.strip_suffix('%').unwrap()),
        other => panic!("{other} is not understood"),
    }
}

struct StillClock(Timestamp);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn wait(&self, _duration: Duration) {}
}
