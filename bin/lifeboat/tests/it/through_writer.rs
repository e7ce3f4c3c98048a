//! Restores through the host's VSS writer, by the built program and a simulated host.

use std::fs;

use hyperv_sim::SimHost;
use serde_json::Value;

use crate::sandbox::{Sandbox, flat, json_lines, noise};

fn last(text: &str) -> Value {
    json_lines(text).pop().unwrap()
}

/// A host with a VM that is backed up through VSS; returns what its disk held.
fn backed_up(sandbox: &Sandbox, profile: &str) -> Vec<u8> {
    sandbox.ok(&["sim", "new", "a", "--profile", profile]);
    let mut bytes = vec![0; 8 << 20];
    bytes[..3 << 20].copy_from_slice(&noise("SQL01", 3 << 20));
    let image = sandbox.path("SQL01.img");
    fs::write(&image, &bytes).unwrap();
    let image = image.to_str().unwrap();
    sandbox.ok(&["sim", "add-vm", "a", "SQL01", "--disk", image]);
    back_up(sandbox);
    bytes
}

fn back_up(sandbox: &Sandbox) -> Value {
    let args = ["backup", "--host", "sim:a", "SQL01", "--json"];
    let run = last(&sandbox.ok(&[&args[..], ALL_CHECKPOINTS].concat()));
    let item = run["items"][0].clone();
    assert!(
        item["method"].as_str().unwrap().starts_with("vss"),
        "{item}"
    );
    item
}

fn state(sandbox: &Sandbox) -> Value {
    json_lines(&sandbox.ok(&["sim", "state", "a", "--json"]))[0].clone()
}

/// Takes the VM from the host, with its disks.
fn remove(sandbox: &Sandbox) {
    let host = SimHost::open(&sandbox.path("a")).unwrap();
    let vm = host.vms().unwrap()[0].id;
    host.stop(vm).unwrap();
    host.remove_vm(vm, true).unwrap();
    host.settle().unwrap();
}

fn content(sandbox: &Sandbox) -> (Value, Vec<u8>) {
    let item = back_up(sandbox);
    let point = item["point"].as_str().unwrap().to_owned();
    let out = format!("{point}.img");
    sandbox.ok(&["restore", "disk", &point, "-o", &out, "--format", "raw"]);
    (item, flat(&sandbox.path(&out)))
}

const BACK: [&str; 7] = [
    "restore",
    "vm",
    "SQL01@latest",
    "--to",
    "sim:a",
    "--through",
    "writer",
];
/// Flat points of a VM that the writer made a checkpoint of are for an import.
const ALL_CHECKPOINTS: &[&str] = &["--mode", "all-checkpoints"];
const PROFILES: [&str; 2] = ["2012R2", "2022"];

#[test]
fn a_vm_that_was_removed_comes_back_and_its_next_backup_says_why_it_is_full() {
    for profile in PROFILES {
        let sandbox = Sandbox::with_repository();
        let bytes = backed_up(&sandbox, profile);
        let before = state(&sandbox)["vms"][0].clone();
        remove(&sandbox);
        let plan = sandbox.ok(&[&BACK[..], &["--dry-run"]].concat());
        for text in ["PreRestore", "PostRestore", "VSS writer"] {
            assert!(plan.contains(text), "{text}: {plan}");
        }
        assert!(state(&sandbox)["vms"].as_array().unwrap().is_empty());
        let done = last(&sandbox.ok(&[&BACK[..], &["--json"]].concat()));
        assert_eq!(done["exit"], 0, "{done}");
        let after = state(&sandbox)["vms"][0].clone();
        for part in [
            "id",
            "name",
            "generation",
            "processors",
            "memory",
            "network_adapters",
        ] {
            assert_eq!(after[part], before[part], "{part}");
        }
        assert_eq!(after["power"], "off", "{after}");
        sandbox.ok(&["doctor", "--host", "sim:a"]);
        sandbox.ok(&["sim", "start", "a", "SQL01"]);
        let (item, now) = content(&sandbox);
        assert!(now == bytes, "{profile}: the disk differs");
        let stored = item["statistics"]["new_bytes"].as_u64().unwrap();
        assert!(stored < 512 << 10, "{profile}: {item}");
    }
}

#[test]
fn a_vm_that_is_there_gives_way_once_it_is_named() {
    for profile in PROFILES {
        let sandbox = Sandbox::with_repository();
        let bytes = backed_up(&sandbox, profile);
        sandbox.ok(&["sim", "write", "a", "SQL01", "--offset", "1MiB"]);
        sandbox.fails(30, &BACK);
        let over = [&BACK[..], &["--in-place", "--stop"]].concat();
        let text = sandbox.fails(2, &over);
        assert!(text.contains("--confirm \"SQL01\""), "{text}");
        let done = last(&sandbox.ok(&[&over[..], &["--confirm", "SQL01", "--json"]].concat()));
        assert_eq!(done["report"]["kind"], "in-place", "{done}");
        assert_eq!(done["report"]["started"], true, "as it ran before: {done}");
        assert!(content(&sandbox).1 == bytes, "{profile}");
        let files = sandbox_files(&sandbox);
        assert!(
            !files.iter().any(|name| name.contains("lifeboat-")),
            "{files:?}"
        );
    }
}

fn sandbox_files(sandbox: &Sandbox) -> Vec<String> {
    let files = crate::sandbox::files(&sandbox.path("a"));
    let names = files.iter().map(|path| path.display().to_string());
    // What keeps two restores of one VM apart stays.
    names.filter(|name| !name.ends_with(".lock")).collect()
}

#[test]
fn a_writer_that_fails_leaves_the_old_vm() {
    let faults = [
        "vss:PreRestore nth=1 writer=0x800423F4",
        "vss:PostRestore nth=1 writer=0x800423F4",
    ];
    for fault in faults {
        let sandbox = Sandbox::with_repository();
        backed_up(&sandbox, "2012R2");
        sandbox.ok(&["sim", "write", "a", "SQL01", "--offset", "1MiB"]);
        sandbox.ok(&["sim", "settle", "a"]);
        let before = state(&sandbox)["vms"][0].clone();
        let files = sandbox_files(&sandbox);
        sandbox.ok(&["sim", "fault", "a", fault]);
        let over = ["--in-place", "--stop", "--confirm", "SQL01"];
        let output = sandbox.run(&[&BACK[..], &over].concat());
        assert!(!output.status.success(), "{fault}: {output:?}");
        let after = state(&sandbox)["vms"][0].clone();
        for part in ["id", "name", "power"] {
            assert_eq!(after[part], before[part], "{fault} {part}: {output:?}");
        }
        assert_eq!(sandbox_files(&sandbox), files, "{fault}");
        sandbox.ok(&["doctor", "--host", "sim:a"]);
        // It was the writer alone.
        sandbox.ok(&["sim", "fault", "a", "--clear"]);
        sandbox.ok(&[&BACK[..], &over].concat());
    }
}

#[test]
fn a_point_without_the_writers_document_is_for_an_import() {
    let sandbox = Sandbox::with_repository();
    sandbox.ok(&["sim", "new", "a"]);
    sandbox.ok(&["sim", "add-vm", "a", "SQL01", "--disk", "empty:4MiB"]);
    sandbox.ok(&["backup", "--host", "sim:a", "SQL01"]);
    remove(&sandbox);
    let text = sandbox.fails(20, &BACK);
    assert!(text.contains("POINT-WRITER-DOCUMENT"), "{text}");
    assert!(text.contains("--through import"), "{text}");
    sandbox.ok(&["explain", "POINT-WRITER-DOCUMENT"]);
    let import = [
        "restore",
        "vm",
        "SQL01@latest",
        "--to",
        "sim:a",
        "--through",
        "import",
    ];
    sandbox.ok(&import);
}
