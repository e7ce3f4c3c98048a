//! VMs whose resource the cluster describes in a way that nobody reckons with.

use std::sync::Arc;

use hyperv_host::{HostErrorKind, HypervHost as _};
use hyperv_sim::{ClusterEventKind, PowerState, SimSession};
use wmi::{CLUSTER, Instance, MethodOutput, ObjectPath, Value, WmiError, WmiSession};
use wmi_host::{ClusterHost, NodeConnector};

use crate::power::{old_guest, saving};
use crate::run::Silent;
use crate::stage::{Stage, connect_through, entry, list};

/// A session that shows the VMs of a cluster otherwise than they are.
struct Odd {
    inner: SimSession,
    change: fn(&mut Instance),
}

impl WmiSession for Odd {
    fn host(&self) -> &str {
        self.inner.host()
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        self.inner.query(namespace, wql, &mut |mut instance| {
            if namespace == CLUSTER && wql.contains("Virtual Machine") {
                (self.change)(&mut instance);
            }
            each(instance)
        })
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        self.inner.get(path)
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        self.inner.invoke(object, method, parameters)
    }
}

fn connect(stage: &Stage, change: fn(&mut Instance)) -> ClusterHost {
    let sim = Arc::clone(&stage.sim);
    let journal = stage.journal();
    let connector: NodeConnector = Box::new(move |name| {
        let node = sim.node(name).unwrap();
        let inner = SimSession::new(Arc::clone(&node)).unwrap();
        let session = Arc::new(Odd { inner, change });
        Ok(connect_through(&node, session, journal.clone()))
    });
    ClusterHost::connect(connector("HV1").unwrap(), connector).unwrap()
}

/// A VM that can only be saved is left alone.
fn is_refused(change: fn(&mut Instance)) -> (HostErrorKind, String) {
    let stage = Stage::new(2);
    let vm = old_guest(&stage, "HV1");
    let before = stage.ledger();
    let host = connect(&stage, change);
    let entry = entry(&list(&host), vm);
    let Err(error) = host.begin_backup(&entry, &saving(), None, &Silent) else {
        panic!("the VM was saved");
    };
    assert_eq!(stage.host_of(vm).vm(vm).unwrap().power, PowerState::Running);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    let events = stage.sim.events().unwrap();
    let taken = events
        .iter()
        .any(|event| event.kind == ClusterEventKind::TakenOffline);
    assert!(!taken, "the cluster was asked");
    stage.assert_no_surprises();
    (error.kind(), error.to_string())
}

fn with_offline_action(resource: &mut Instance, action: u32) {
    if let Value::Instance(private) = resource.value("PrivateProperties").clone() {
        let private = private.with("OfflineAction", action);
        resource.set("PrivateProperties", Value::Instance(Box::new(private)));
    }
}

#[test]
fn a_vm_that_its_cluster_would_shut_down_is_not_taken_offline() {
    let (kind, text) = is_refused(|resource| with_offline_action(resource, 2));
    assert_eq!(kind, HostErrorKind::Blocked, "{text}");
    assert!(text.contains("shut it down"), "{text}");
}

#[test]
fn a_vm_of_which_the_cluster_does_not_say_whether_it_is_a_role_is_not_saved() {
    let (_, text) = is_refused(|resource| resource.set("PrivateProperties", Value::Null));
    assert!(text.contains("does not say which VM"), "{text}");
}
