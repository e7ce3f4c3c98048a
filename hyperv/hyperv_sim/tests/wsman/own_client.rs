//! Our own client: the session that a backup of a real host uses.

use hyperv_sim::wsman::{Server, ServerOptions};
use wmi::wsman::{WsmanOptions, WsmanSession};
use wmi::{CIMV2, Instance, ObjectPath, VIRTUALIZATION, Value, WmiError, WmiErrorKind, WmiSession};

use super::tiny_host::{MANY, PASSWORD, SERVICE, USER, options, start};

fn connect(server: &Server, password: &str) -> Result<WsmanSession, WmiError> {
    let url = format!("winrm://{USER}@{}", server.local_addr());
    WsmanSession::connect(WsmanOptions::new(&url, password.to_owned().into())?)
}

fn object(class: &str) -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, class)
}

fn vm(name: &str) -> ObjectPath {
    object("Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", name)
}

fn names(instances: &[Instance]) -> Vec<String> {
    instances
        .iter()
        .map(|one| one.required_text("Name").unwrap())
        .collect()
}

#[test]
fn queries_come_whole_however_many_answers_they_take() {
    let server = start(options());
    let session = connect(&server, PASSWORD).unwrap();
    let found = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_ComputerSystem");
    let found = found.unwrap();
    assert_eq!(names(&found), ["HV1", "A-1", "B\\2"]);
    assert_eq!(
        found[2].text("ElementName").unwrap(),
        "VM <B\\2> & \"ümläut\""
    );
    assert_eq!(found[2].object_path(VIRTUALIZATION).unwrap(), vm("B\\2"));
    assert_eq!(found[2].number::<u64>("ProcessID"), Some(u64::MAX));
    assert_eq!(found[2].numbers::<u16>("OperationalStatus"), [2, 11]);
    assert!(found[2].time("InstallDate").is_some());

    let wql = "SELECT * FROM Msvm_ComputerSystem WHERE Name = \"A-1\"";
    let found = session.query_all(VIRTUALIZATION, wql).unwrap();
    assert_eq!(names(&found), ["A-1"]);

    let many = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_Many");
    let numbers: Vec<usize> = many
        .unwrap()
        .iter()
        .map(|one| one.required_number("Number").unwrap())
        .collect();
    assert_eq!(numbers, (0..MANY).collect::<Vec<_>>());
    let wql = "SELECT Name, OperationalStatus FROM Msvm_ComputerSystem";
    let parts = session.query_all(VIRTUALIZATION, wql).unwrap();
    assert_eq!(names(&parts), ["HV1", "A-1", "B\\2"]);
    assert_eq!(parts[0].class, "Msvm_ComputerSystem");
    assert_eq!(parts[0].numbers::<u16>("OperationalStatus"), [2, 11]);
    assert!(!parts[0].has("ElementName"));

    let none = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_None");
    assert!(none.unwrap().is_empty());
}

#[test]
fn objects_are_got_and_their_methods_called() {
    let server = start(options());
    let session = connect(&server, PASSWORD).unwrap();
    let got = session.get(&vm("B\\2")).unwrap();
    assert_eq!(got.text("Name").as_deref(), Some("B\\2"));

    let all = session.query_all(VIRTUALIZATION, &format!("SELECT * FROM {SERVICE}"));
    let service = all.unwrap()[0].object_path(VIRTUALIZATION).unwrap();
    let settings = "<INSTANCE CLASSNAME=\"X\"><P a='1'>&amp; \r\n</P></INSTANCE>";
    let parameters = [
        ("AffectedSystem", Value::from(vm("A-1"))),
        ("SnapshotSettings", settings.into()),
        ("Paths", vec!["C:\\a b", "D:\\"].into()),
        ("Nothing", Value::Null),
    ];
    let output = session.invoke(&service, "CreateSnapshot", &parameters);
    let output = output.unwrap();
    assert_eq!(output.return_value, 4096);
    let given = output.parameters;
    assert_eq!(given.value("Affected").to_reference(), Some(vm("A-1")));
    assert_eq!(given.text("Settings").as_deref(), Some(settings));
    assert_eq!(given.texts("Paths"), ["C:\\a b", "D:\\"]);
    let job = given.value("Job").to_reference().unwrap();
    assert_eq!(job.key("InstanceID"), Some("JOB-1"));
}

#[test]
fn each_failure_is_of_its_own_kind() {
    let server = start(options());
    let session = connect(&server, PASSWORD).unwrap();
    let service = object(SERVICE).with_key("CreationClassName", SERVICE);
    let invoke = |method: &str| session.invoke(&service, method, &[]).unwrap_err();
    let query = |namespace: &str, wql: &str| session.query_all(namespace, wql).unwrap_err();
    for (error, kind) in [
        (
            session.get(&vm("gone")).unwrap_err(),
            WmiErrorKind::NotFound,
        ),
        (
            query(VIRTUALIZATION, "SELECT * FROM Msvm_Unknown"),
            WmiErrorKind::NoClass,
        ),
        (
            query(CIMV2, "SELECT * FROM Win32_Volume"),
            WmiErrorKind::NoNamespace,
        ),
        (
            query(VIRTUALIZATION, "SELECT nonsense"),
            WmiErrorKind::BadQuery,
        ),
        (invoke("Deny"), WmiErrorKind::Denied),
        (invoke("Unknown"), WmiErrorKind::NoMethod),
        (invoke("Break"), WmiErrorKind::Failed),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert_eq!(invoke("Break").code(), Some(0x8007_0020));
}

#[test]
fn a_wrong_password_is_no_way_in() {
    let server = start(options());
    for password in ["wrong", "", "PÄSSWORD €1"] {
        let error = connect(&server, password).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Authentication, "{error}");
    }
    assert!(connect(&server, PASSWORD).is_ok());
}

#[test]
fn long_lists_come_within_the_envelope_and_are_refused_beyond_it() {
    let server = start(options());
    let session = connect(&server, PASSWORD).unwrap();
    let service = object(SERVICE).with_key("CreationClassName", SERVICE);
    let changes = |count: u32| session.invoke(&service, "GetChanges", &[("Count", count.into())]);
    let output = changes(5000).unwrap();
    let offsets = output.parameters.numbers::<u64>("ChangedByteOffsets");
    assert_eq!(offsets.len(), 5000);
    assert_eq!(offsets.last(), Some(&(4999 << 20)));
    let error = changes(100_000).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::TooLarge, "{error}");
    // The connection is as good as before.
    assert!(changes(1).is_ok());
}

#[test]
fn several_threads_and_sessions_are_answered_at_once() {
    let server = start(ServerOptions {
        connections_max: 4,
        ..options()
    });
    let shared = connect(&server, PASSWORD).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (server, shared) = (&server, &shared);
            scope.spawn(move || {
                let own = connect(server, PASSWORD).unwrap();
                let session = if worker % 2 == 0 { shared } else { &own };
                for _ in 0..5 {
                    let found = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_Many");
                    assert_eq!(found.unwrap().len(), MANY);
                }
            });
        }
    });
}
