//! The process that reads guests, and the secrets that it opens volumes with.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use disk_model::independent_tools::run;
use guest_reader::{Guest as _, ReaderStart, RemoteGuest, Secrets};
use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines};

/// Returns what the kernel says of the processes that this one started to read guests.
#[cfg(target_os = "linux")]
fn readers() -> Vec<String> {
    let own = format!("PPid:\t{}\n", std::process::id());
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let readers = processes.filter_map(|process| {
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let command = fs::read(process.path().join("cmdline")).ok()?;
        let is_reader = command.ends_with(b"\0guest-reader\0") && status.contains(&own);
        is_reader.then_some(status)
    });
    readers.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_reading_process_is_confined_while_it_serves() {
    let sandbox = Sandbox::empty();
    sandbox.fat_volume("Fat.raw");
    let bytes = fs::read(sandbox.path("host/Fat.raw")).unwrap();
    let disks: Vec<Arc<dyn BlockDevice>> = vec![Arc::new(MemoryDisk::new(bytes))];
    let start = ReaderStart {
        command: Box::new(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
            command.arg("guest-reader");
            command
        }),
        interrupted: || false,
    };
    let guest = RemoteGuest::start(start, disks, Secrets::default()).unwrap();
    assert_eq!(guest.facts().volumes.len(), 1);
    let readers = readers();
    let [status] = readers.as_slice() else {
        panic!("{readers:?}");
    };
    for line in ["Seccomp:\t2\n", "NoNewPrivs:\t1\n", "Threads:\t1\n"] {
        assert!(status.contains(line), "no {line:?} in {status}");
    }
    assert!(guest.open(0).is_ok());
    drop(guest);
    assert!(self::readers().is_empty());
}

/// Backs up a disk that is a FAT volume in LUKS, as QEMU encrypts it.
fn backed_up(sandbox: &Sandbox) -> bool {
    sandbox.fat_volume("../Fat.raw");
    let (clear, luks) = (sandbox.path("Fat.raw"), sandbox.path("host/SECRET.raw"));
    let options = [
        "convert",
        "--object",
        "secret,id=key,data=open sesame",
        "-O",
        "luks",
        "-o",
    ];
    let mut arguments = options.map(OsStr::new).to_vec();
    arguments.push("key-secret=key,iter-time=10".as_ref());
    arguments.extend([OsStr::new("-q"), clear.as_os_str(), luks.as_os_str()]);
    if run("qemu-img", &arguments).is_none() {
        return false;
    }
    fs::write(sandbox.path("right.txt"), "open sesame\n").unwrap();
    fs::write(sandbox.path("right.key"), "open sesame").unwrap();
    fs::write(sandbox.path("wrong.txt"), "open barley\n").unwrap();
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    true
}

fn volume(sandbox: &Sandbox, options: &[&str]) -> Value {
    let mut arguments = vec!["files", "volumes", "SECRET@latest", "--json"];
    arguments.extend(options);
    let lines = json_lines(&sandbox.ok(&arguments));
    let found = lines.into_iter().find(|line| line["type"] == "volume");
    found.unwrap()
}

#[test]
fn an_encrypted_volume_opens_with_what_its_owner_has() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let closed = volume(&sandbox, &[]);
    assert_eq!(closed["filesystem"], "LUKS");
    assert_eq!(closed["encryption"], Value::Null);
    for options in [
        ["--volume-password-file", "right.txt"],
        ["--volume-key-file", "right.key"],
        ["--recovery-key-file", "right.txt"],
    ] {
        let open = volume(&sandbox, &options);
        assert_eq!(open["filesystem"], "FAT12", "{options:?}");
        assert_eq!(open["encryption"], "LUKS", "{options:?}");
    }
    let file = "SECRET@latest:/1/HELLO.TXT";
    let right = [
        "--volume-password-file",
        "wrong.txt",
        "--volume-password-file",
        "right.txt",
    ];
    let cat = [&["files", "cat", file][..], &right].concat();
    assert_eq!(sandbox.ok(&cat), "hello");
}

#[test]
fn a_wrong_secret_is_named_with_the_volumes_that_stay_closed() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let file = "SECRET@latest:/1/HELLO.TXT";
    let wrong = ["files", "cat", file, "--volume-password-file", "wrong.txt"];
    let error = sandbox.fails(31, &wrong);
    assert!(
        error.contains("wrong.txt opens none of the volumes"),
        "{error}"
    );
    assert!(error.contains("/1 (LUKS)"), "{error}");
    assert!(!error.contains("barley"), "{error}");
    fs::write(sandbox.path("odd.txt"), b"open s\xe9same\n").unwrap();
    let odd = ["files", "cat", file, "--recovery-key-file", "odd.txt"];
    let error = sandbox.fails(2, &odd);
    assert!(error.contains("odd.txt: it is no text"), "{error}");
    fs::write(sandbox.path("empty.txt"), "\n").unwrap();
    let empty = ["files", "cat", file, "--volume-password-file", "empty.txt"];
    let error = sandbox.fails(2, &empty);
    assert!(error.contains("there is no secret in it"), "{error}");
    let nothing = ["files", "cat", file, "--volume-key-file", "nothing.key"];
    let error = sandbox.run(&nothing);
    assert_ne!(error.status.code(), Some(0));
}

#[test]
fn of_an_encrypted_volume_nobody_says_which_files_changed() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let image = sandbox.path("host/SECRET.raw");
    let mut bytes = fs::read(&image).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    fs::write(&image, bytes).unwrap();
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let churn = ["point", "churn", "SECRET@latest", "--json"];
    let right = ["--volume-password-file", "right.txt"];
    let output = sandbox.run(&[&churn[..], &right].concat());
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let rows: Vec<&Value> = lines.iter().filter(|it| it["type"] == "churn").collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0]["what"], "outside the volumes, or in their copies");
    assert_eq!(rows[0]["permille"], 1000);
    assert_eq!(rows[1]["what"], "/1: files are not known (encrypted)");
    assert_eq!(rows[1]["changed_bytes"], Value::Null);
    let summary = lines.last().unwrap();
    assert_eq!(summary["changed_bytes"], rows[0]["changed_bytes"]);
    assert_eq!(summary["unreadable"], 1);
}
