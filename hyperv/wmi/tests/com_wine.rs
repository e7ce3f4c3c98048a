//! WMI of this machine through COM, where there is no Hyper-V. Wine has enough of WMI to try it:
//! `.ci/run` shows how this is run there.

#![cfg(windows)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use wmi::com::ComSession;
use wmi::{CIMV2, ObjectPath, VIRTUALIZATION, Value, WmiErrorKind, WmiSession};

/// `HKEY_LOCAL_MACHINE`. Wine declares the parameter as signed, Windows as unsigned.
const LOCAL_MACHINE: i32 = 0x8000_0002_u32.cast_signed();
const VERSION_KEY: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// One session, and so one COM thread, for all tests: Wine's WMI crashes when threads use it at
/// the same time.
fn session() -> &'static ComSession {
    static SESSION: LazyLock<ComSession> =
        LazyLock::new(|| ComSession::open().expect("WMI is there"));
    &SESSION
}

fn registry() -> ObjectPath {
    ObjectPath::new(r"root\default", "StdRegProv")
}

#[test]
fn windows_own_classes_answer_with_typed_values() {
    let session = session();
    let systems = session
        .query_all(CIMV2, "SELECT * FROM Win32_OperatingSystem")
        .unwrap();
    let [system] = systems.as_slice() else {
        panic!("one operating system, not {}", systems.len());
    };
    assert_eq!(system.class, "Win32_OperatingSystem");
    assert!(system.required_text("Caption").unwrap().contains("Windows"));
    assert!(
        system
            .required_text("Version")
            .unwrap()
            .starts_with(|c: char| c.is_ascii_digit())
    );
    assert!(
        system
            .required_number::<u64>("TotalVisibleMemorySize")
            .unwrap()
            > 1024
    );
    assert!(system.time("LastBootUpTime").is_some(), "{system:?}");
    assert!(matches!(system.value("Primary"), Value::Bool(true)));
    assert!(!session.host().is_empty());
}

#[test]
fn disks_are_listed_and_can_be_had_again_by_their_path() {
    let session = session();
    let disks = session
        .query_all(
            CIMV2,
            "SELECT * FROM Win32_LogicalDisk WHERE DeviceID = 'C:'",
        )
        .unwrap();
    let disk = disks.first().expect("there is a C:");
    assert_eq!(disk.text("DeviceID").as_deref(), Some("C:"));
    assert!(matches!(disk.value("Size"), Value::Integer(size) if *size > 1 << 20));
    let path = disk.object_path(CIMV2).unwrap();
    assert_eq!(path.key("DeviceID"), Some("C:"));
    let again = session.get(&path).unwrap();
    assert_eq!(again.text("FileSystem"), disk.text("FileSystem"));
    assert_eq!(again.class, disk.class);
}

#[test]
fn a_query_is_read_to_its_end_or_to_where_its_reader_says() {
    let session = session();
    let wql = "SELECT ProcessId, Name FROM Win32_Process";
    let mut processes = Vec::new();
    session
        .query(CIMV2, wql, &mut |process| {
            processes.push(process.required_number::<u32>("ProcessId")?);
            // A reader may ask something else while its query is open.
            let system = session.query_all(CIMV2, "SELECT Caption FROM Win32_OperatingSystem")?;
            assert_eq!(system.len(), 1);
            Ok(())
        })
        .unwrap();
    assert!(processes.contains(&std::process::id()), "{processes:?}");
    assert!(processes.len() > 2, "{processes:?}");

    let mut left = 2;
    let error = session.query(CIMV2, wql, &mut |_| {
        left -= 1;
        match left {
            0 => Err(wmi::WmiError::new(WmiErrorKind::Failed, "enough")),
            _ => Ok(()),
        }
    });
    assert_eq!(error.unwrap_err().to_string(), "enough");
    assert_eq!(left, 0);
}

#[test]
fn a_query_goes_on_beyond_its_first_batch() {
    let wql = "SELECT Name FROM Win32_Service";
    let services = session().query_all(CIMV2, wql).unwrap();
    let names: BTreeSet<String> = services
        .iter()
        .map(|service| service.required_text("Name").unwrap())
        .collect();
    // Batches have 16, and Wine some 20 services.
    assert!(names.len() > 16, "{names:?}");
    assert_eq!(names.len(), services.len());
}

#[test]
fn what_is_not_there_is_told_apart() {
    let session = session();
    let ask = |namespace: &str, wql: &str| session.query_all(namespace, wql).unwrap_err();
    let error = ask(VIRTUALIZATION, "SELECT * FROM Msvm_ComputerSystem");
    assert_eq!(error.kind(), WmiErrorKind::NoNamespace, "{error}");
    assert!(error.to_string().contains(VIRTUALIZATION), "{error}");
    assert_eq!(error.code(), Some(0x8004_100E));
    let error = ask(CIMV2, "SELECT FROM WHERE");
    assert_eq!(error.kind(), WmiErrorKind::BadQuery, "{error}");
    assert!(error.to_string().contains("SELECT FROM WHERE"), "{error}");
    assert!(
        std::error::Error::source(&error).is_some(),
        "no words for {error}"
    );
    let nowhere = ObjectPath::new(CIMV2, "Win32_LogicalDisk").with_key("DeviceID", "?:");
    let error = session.get(&nowhere).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::NotFound, "{error}");
    let relative = ObjectPath::new("", "Win32_LogicalDisk");
    let error = session.get(&relative).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::BadQuery, "{error}");
}

#[test]
fn a_method_takes_numbers_and_texts_and_gives_arrays() {
    let session = session();
    let call = |method: &str, name: &str, value: Value| {
        let parameters = [
            ("hDefKey", Value::from(LOCAL_MACHINE)),
            ("sSubKeyName", Value::from(VERSION_KEY)),
            (name, value),
        ];
        session.invoke(&registry(), method, &parameters).unwrap()
    };
    let keys = call("EnumKey", "sSubKeyName", Value::from("SOFTWARE"));
    assert_eq!(keys.return_value, 0);
    let names = keys.parameters.texts("sNames");
    assert!(names.iter().any(|name| name == "Microsoft"), "{names:?}");

    let text = call(
        "GetStringValue",
        "sValueName",
        Value::from("CurrentVersion"),
    );
    assert_eq!(text.return_value, 0);
    assert!(text.parameters.text("sValue").is_some(), "{text:?}");

    let none = call("GetStringValue", "sValueName", Value::from("No such value"));
    assert_ne!(none.return_value, 0);
}

#[test]
fn a_null_parameter_is_left_out_and_an_unknown_one_is_named() {
    let session = session();
    // Wine's method then sees no key at all, and says with its return value that it cannot be.
    let parameters = [
        ("hDefKey", Value::Null),
        ("sSubKeyName", Value::from("SOFTWARE")),
    ];
    let keys = session.invoke(&registry(), "EnumKey", &parameters).unwrap();
    const INVALID_HANDLE: u32 = 6;
    assert_eq!(keys.return_value, INVALID_HANDLE);

    let unknown = [("NoSuchParameter", Value::from(1_u8))];
    let error = session
        .invoke(&registry(), "EnumKey", &unknown)
        .unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::NoMethod, "{error}");
    assert!(error.to_string().contains("NoSuchParameter"), "{error}");

    let error = session
        .invoke(&registry(), "NoSuchMethod", &[])
        .unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::NoMethod, "{error}");
    assert!(error.to_string().contains("NoSuchMethod"), "{error}");

    let misfit = [("hDefKey", Value::from("many"))];
    let error = session.invoke(&registry(), "EnumKey", &misfit).unwrap_err();
    assert!(error.to_string().contains("hDefKey"), "{error}");
}

#[test]
fn several_threads_use_one_session() {
    let session = session();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let wql = "SELECT * FROM Win32_OperatingSystem";
                    assert_eq!(session.query_all(CIMV2, wql).unwrap().len(), 1);
                }
            });
        }
    });
}
