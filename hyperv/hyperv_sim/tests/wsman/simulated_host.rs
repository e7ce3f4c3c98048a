//! The simulated host in process and over WS-Man: the same answers.

use std::sync::Arc;

use hyperv_sim::wsman::serve;
use hyperv_sim::{DiskSpec, Profile, SimHost, SimOptions, SimSession, VmSpec};
use wmi::wsman::{WsmanOptions, WsmanSession};
use wmi::{CIMV2, Instance, VIRTUALIZATION, Value, WmiSession};

use super::tiny_host::{PASSWORD, USER, options};

/// Classes whose instances are compared, one by one and through their associations.
const CLASSES: [&str; 9] = [
    "Msvm_ComputerSystem",
    "Msvm_VirtualSystemSettingData",
    "Msvm_StorageAllocationSettingData",
    "Msvm_ResourceAllocationSettingData",
    "Msvm_VirtualSystemSnapshotService",
    "Msvm_ImageManagementService",
    "Msvm_VirtualSystemReferencePoint",
    "Msvm_ConcreteJob",
    "Msvm_VssComponent",
];

/// Properties that are compared by whether they are there: they count time, which goes on from
/// call to call, or are intervals, which WS-Man writes as durations of ISO 8601.
const COUNTING: [&str; 4] = [
    "OnTimeInMilliseconds",
    "LocalDateTime",
    "ElapsedTime",
    "TimeBeforeRemoval",
];

/// What WS-Man can tell of a value: no types, arrays of one as the one, and nothing for none.
fn told(instance: &Instance, name: &str) -> Option<Vec<String>> {
    let time = instance.time(name).map(|time| time.to_string());
    let texts = match instance.value(name) {
        Value::Instance(inner) => inner
            .properties()
            .filter_map(|(name, _)| Some(format!("{name}: {:?}", told(inner, name)?)))
            .collect(),
        value => value.items().iter().filter_map(text).collect(),
    };
    let texts = time.map_or(texts, |time| vec![time]);
    (!texts.is_empty()).then_some(texts)
}

/// References come without their host from afar.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Reference(path) => Some(format!("{}:{}", path.namespace(), path.relative())),
        other => other.to_text(),
    }
}

fn assert_same(asked: &str, near: &Instance, far: &Instance) {
    assert_eq!(near.class, far.class, "{asked}");
    let (near_path, far_path) = (&near.path, &far.path);
    if near_path.is_some() && far_path.is_some() {
        assert_eq!(near_path, far_path, "{asked}");
    }
    let names = near.properties().chain(far.properties());
    for (name, _) in names {
        let (near, far) = (told(near, name), told(far, name));
        if COUNTING.contains(&name) {
            assert_eq!(near.is_some(), far.is_some(), "{asked}: {name}");
        } else {
            assert_eq!(near, far, "{asked}: {name}");
        }
    }
}

fn assert_same_answers(near: &dyn WmiSession, far: &dyn WmiSession, namespace: &str, wql: &str) {
    match (
        near.query_all(namespace, wql),
        far.query_all(namespace, wql),
    ) {
        (Ok(near), Ok(far)) => {
            assert_eq!(near.len(), far.len(), "{wql}");
            for (near, far) in near.iter().zip(&far) {
                assert_same(wql, near, far);
            }
        }
        (Err(near), Err(far)) => assert_eq!(near.kind(), far.kind(), "{wql}: {near}; {far}"),
        (near, far) => panic!("{wql}: {near:?}; {far:?}"),
    }
}

#[test]
fn the_same_answers_come_from_afar() {
    let folder = tempfile::tempdir().unwrap();
    let sim = SimOptions {
        profile: Profile::Server2019,
        ..SimOptions::default()
    };
    let host = Arc::new(SimHost::create(&folder.path().join("host"), sim).unwrap());
    for name in ["SQL <01> & \"ü\"", "WEB"] {
        let spec = VmSpec::new(name).with_disk(DiskSpec::empty(4 << 20));
        let vm = host.add_vm(&spec).unwrap();
        host.checkpoint(vm, "before\nthe \\ update").unwrap();
    }
    let near = SimSession::new(Arc::clone(&host)).unwrap();
    let server = serve(Arc::new(SimSession::new(host).unwrap()), options()).unwrap();
    let url = format!("winrm://{USER}@{}", server.local_addr());
    let far = WsmanOptions::new(&url, PASSWORD.to_owned().into()).unwrap();
    let far = WsmanSession::connect(far).unwrap();

    let mut compared = 0;
    for class in CLASSES {
        let wql = format!("SELECT * FROM {class}");
        assert_same_answers(&near, &far, VIRTUALIZATION, &wql);
        for instance in near.query_all(VIRTUALIZATION, &wql).unwrap_or_default() {
            compared += 1;
            let path = instance.object_path(VIRTUALIZATION).unwrap();
            assert_same(
                &path.to_string(),
                &near.get(&path).unwrap(),
                &far.get(&path).unwrap(),
            );
            let of = format!("{{{}}}", path.relative());
            assert_same_answers(&near, &far, VIRTUALIZATION, &format!("ASSOCIATORS OF {of}"));
            assert_same_answers(&near, &far, VIRTUALIZATION, &format!("REFERENCES OF {of}"));
        }
    }
    assert!(compared > 10, "{compared}");
    for (namespace, wql) in [
        (
            VIRTUALIZATION,
            "SELECT Name, ElementName FROM Msvm_ComputerSystem",
        ),
        (VIRTUALIZATION, "SELECT * FROM Msvm_NoSuchClass"),
        (VIRTUALIZATION, "SELECT * FROM"),
        (r"root\nowhere", "SELECT * FROM X"),
        (CIMV2, "SELECT * FROM Win32_OperatingSystem"),
        (CIMV2, "SELECT * FROM Win32_Volume"),
    ] {
        assert_same_answers(&near, &far, namespace, wql);
    }
}
