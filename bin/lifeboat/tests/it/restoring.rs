//! Restoring to a host: backed up on one simulated host, restored to another.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, flat, json_lines, noise};

const DISK_BYTES: usize = 8 << 20;

/// Takes a command's words apart.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Makes a simulated host with a name and GUIDs of its own.
pub(crate) fn new_host(sandbox: &Sandbox, host: &str) {
    let (name, seed) = (format!("HV-{host}"), host.as_bytes()[0].to_string());
    sandbox.ok(&["sim", "new", host, "--name", &name, "--seed", &seed]);
}

/// Makes a VM on the simulated host `host`, whose disk is the returned bytes.
pub(crate) fn vm(sandbox: &Sandbox, host: &str, name: &str) -> Vec<u8> {
    if !sandbox.path(&format!("{host}/host.json")).exists() {
        new_host(sandbox, host);
    }
    let mut bytes = vec![0; DISK_BYTES];
    bytes[..3 << 20].copy_from_slice(&noise(name, 3 << 20));
    let image = sandbox.path(&format!("{name}.img"));
    fs::write(&image, &bytes).unwrap();
    let image = image.to_str().unwrap();
    let args = ["sim", "add-vm", host, name, "--disk", image];
    sandbox.ok(&[&args[..], &["--guest", "windows"]].concat());
    bytes
}

pub(crate) fn back_up(sandbox: &Sandbox, host: &str, names: &[&str]) {
    let host = format!("sim:{host}");
    sandbox.ok(&[&["backup", "--host", &host][..], names].concat());
}

pub(crate) fn last(text: &str) -> Value {
    json_lines(text).pop().unwrap()
}

/// Returns what a simulated host says of itself.
pub(crate) fn state(sandbox: &Sandbox, host: &str) -> Value {
    sandbox.ok(&["sim", "settle", host]);
    json_lines(&sandbox.ok(&["sim", "state", host, "--json"]))[0].clone()
}

pub(crate) fn vm_names(sandbox: &Sandbox, host: &str) -> Vec<String> {
    let state = state(sandbox, host);
    let vms = state["vms"].as_array().unwrap().iter();
    let mut names: Vec<String> = vms
        .map(|vm| vm["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Backs a VM of a host up once more, and returns its first disk out of that point.
fn disk_now(sandbox: &Sandbox, host: &str, name: &str) -> (Value, Vec<u8>) {
    let host = format!("sim:{host}");
    let run = last(&sandbox.ok(&["backup", "--host", &host, name, "--json"]));
    let point = run["items"][0]["point"].as_str().unwrap().to_owned();
    let out = format!("{point}.img");
    let args = ["restore", "disk", &point, "-o", &out, "--format", "raw"];
    sandbox.ok(&args);
    (run["items"][0].clone(), flat(&sandbox.path(&out)))
}

#[test]
fn a_vm_of_one_host_runs_on_another() {
    let sandbox = Sandbox::with_repository();
    let bytes = vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    new_host(&sandbox, "b");
    sandbox.ok(&words(
        "host switches --create-like SQL01@latest --host sim:b --yes",
    ));
    let before = state(&sandbox, "b");
    let to_b = ["restore", "vm", "SQL01@latest", "--to", "sim:b"];
    let with = |args: &[&str]| sandbox.ok(&[&to_b[..], args].concat());
    let plan = with(&["--path", r"C:\Restored", "--dry-run"]);
    assert!(
        plan.contains(r"C:\Restored") && plan.contains("writes"),
        "{plan}"
    );
    assert_eq!(
        state(&sandbox, "b")["vms"],
        before["vms"],
        "a plan touches nothing"
    );

    let done = last(&with(&["--path", r"C:\Restored", "--start", "--json"]));
    assert_eq!(done["exit"], 0, "{done}");
    assert_eq!(vm_names(&sandbox, "b"), ["SQL01"]);
    let (own, there) = (state(&sandbox, "a"), state(&sandbox, "b"));
    let (own, there) = (&own["vms"][0], &there["vms"][0]);
    assert_eq!(there["id"], own["id"], "it keeps its identity");
    assert_eq!(there["power"], "running", "{there}");
    for part in ["generation", "processors", "memory", "network_adapters"] {
        assert_eq!(there[part], own[part], "{part}");
    }
    let (item, now) = disk_now(&sandbox, "b", "SQL01");
    assert!(now == bytes, "the disk differs");
    let stored = item["statistics"]["new_bytes"].as_u64().unwrap();
    assert!(
        stored < 256 << 10,
        "the next backup stores next to nothing: {item}"
    );
    assert!(
        !item["disks"][0]["full"].is_null(),
        "and says why it read all: {item}"
    );

    // Once more: it is there, and nothing says that it gives way. A plan alone says that as well.
    sandbox.fails(30, &to_b);
    let plan = sandbox.fails(30, &[&to_b[..], &["--dry-run"]].concat());
    assert!(plan.contains("POINT-SAME-VM"), "{plan}");
}

#[test]
fn in_place_needs_the_name_and_writes_what_differs() {
    let sandbox = Sandbox::with_repository();
    let bytes = vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    sandbox.ok(&words("sim write a SQL01 --offset 1MiB"));
    let back = words("restore vm SQL01@latest --to sim:a --in-place --stop");
    let before = state(&sandbox, "a");
    let text = sandbox.fails(2, &back);
    assert!(text.contains("--confirm \"SQL01\""), "{text}");
    sandbox.fails(2, &[&back[..], &["--yes", "--confirm", "SQL02"]].concat());
    assert_eq!(
        state(&sandbox, "a")["vms"],
        before["vms"],
        "nothing was touched"
    );

    let done = last(&sandbox.ok(&[&back[..], &["--confirm", "SQL01", "--json"]].concat()));
    assert_eq!(done["report"]["kind"], "in-place", "{done}");
    let written = done["report"]["written_bytes"].as_u64().unwrap();
    assert!(written < 1 << 20, "only what differs: {done}");
    assert_eq!(done["started"], true, "{done}");
    assert_eq!(state(&sandbox, "a")["vms"][0]["power"], "running");
    assert_eq!(vm_names(&sandbox, "a"), ["SQL01"]);
    assert!(disk_now(&sandbox, "a", "SQL01").1 == bytes);
}

#[test]
fn the_old_vm_can_stay() {
    let sandbox = Sandbox::with_repository();
    let bytes = vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    let args = words("restore vm SQL01@latest --to sim:a --in-place");
    sandbox.ok(&[
        &args[..],
        &["--keep-old", "--stop", "--disconnect", "--new-mac"],
    ]
    .concat());
    let names = vm_names(&sandbox, "a");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"SQL01".to_owned()), "{names:?}");
    assert!(disk_now(&sandbox, "a", "SQL01").1 == bytes);
}

#[test]
fn parts_of_a_point_go_to_a_vm_that_is_there() {
    let sandbox = Sandbox::with_repository();
    let bytes = vm(&sandbox, "a", "SQL01");
    vm(&sandbox, "a", "WEB01");
    back_up(&sandbox, "a", &["--all"]);
    let attach = words("restore disk SQL01@latest --attach-to WEB01 --to sim:a");
    sandbox.ok(&[&attach[..], &["--path", r"C:\Extra", "--slot", "scsi0:5"]].concat());
    let state = state(&sandbox, "a");
    let vms = state["vms"].as_array().unwrap();
    let web = vms.iter().find(|vm| vm["name"] == "WEB01").unwrap();
    assert_eq!(web["disks"].as_array().unwrap().len(), 2, "{web}");
    let run = last(&sandbox.ok(&["backup", "--host", "sim:a", "WEB01", "--json"]));
    let point = run["items"][0]["point"].as_str().unwrap().to_owned();
    let args = [
        "restore", "disk", &point, "--disk", "1", "-o", "x.img", "--format", "raw",
    ];
    sandbox.ok(&args);
    assert!(flat(&sandbox.path("x.img")) == bytes);

    let network = words("restore network SQL01@latest --to sim:a --stop");
    sandbox.fails(2, &network);
    let plan = sandbox.ok(&[&network[..], &["--dry-run"]].concat());
    assert!(plan.contains("as it ran before"), "{plan}");
    let done = last(&sandbox.ok(&[&network[..], &["--json", "--yes"]].concat()));
    assert_eq!(done["kind"], Value::Null, "{done}");
    assert_eq!(done["report"]["kind"], "network", "{done}");
    let config = words("restore config SQL01@latest --to sim:a --stop");
    let text = sandbox.fails(2, &config);
    assert!(
        text.contains("--confirm") && !text.contains("--keep-old"),
        "{text}"
    );
    let config = [&config[..], &["--json", "--confirm", "SQL01", "--no-start"]].concat();
    let done = last(&sandbox.ok(&config));
    assert_eq!(done["report"]["kind"], "configuration", "{done}");
    assert_eq!(done["started"], false, "{done}");
    sandbox.ok(&["sim", "start", "a", "SQL01"]);
    assert!(
        disk_now(&sandbox, "a", "SQL01").1 == bytes,
        "its disks stay as they are"
    );
}

#[test]
fn a_hosts_settings_go_with_each_run() {
    let sandbox = Sandbox::with_repository();
    vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    let now = json_lines(&sandbox.ok(&["host", "show", "--host", "sim:a", "--json"]))[0].clone();
    let then = json_lines(&sandbox.ok(&["host", "show", "SQL01@latest", "--json"]))[0].clone();
    assert_eq!(then["nodes"], now["nodes"]);
    assert_eq!(
        then["nodes"][0]["switches"][0]["name"], "External",
        "{then}"
    );
    let report = sandbox.ok(&["host", "export", "SQL01@latest"]);
    assert!(report.contains("New-VMSwitch -Name 'External'"), "{report}");
    let json = sandbox.ok(&["host", "export", "SQL01@latest", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["nodes"], now["nodes"]);

    new_host(&sandbox, "b");
    let like = words("host switches --create-like SQL01@latest --host sim:b");
    let plan = sandbox.ok(&[&like[..], &["--dry-run"]].concat());
    assert!(plan.contains("create"), "{plan}");
    sandbox.fails(2, &like);
    let made = last(&sandbox.ok(&[&like[..], &["--yes", "--json"]].concat()));
    assert_eq!(made["made"], 1, "{made}");
    let there = sandbox.ok(&["host", "show", "--host", "sim:b"]);
    assert!(there.contains("External"), "{there}");
    let again = last(&sandbox.ok(&[&like[..], &["--yes", "--json"]].concat()));
    assert_eq!(again["missing"], 0, "{again}");
}

#[test]
fn a_point_says_what_it_can_restore() {
    let sandbox = Sandbox::with_repository();
    vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    let shown = sandbox.ok(&["point", "show", "SQL01@latest"]);
    assert!(shown.contains("needs        2 processors"), "{shown}");
    assert!(shown.contains("can restore  vm"), "{shown}");
    assert!(shown.contains("cannot       checkpoints: "), "{shown}");
    let lines = json_lines(&sandbox.ok(&["point", "show", "SQL01@latest", "--json"]));
    let offers = lines.iter().find(|line| line["type"] == "offers").unwrap();
    let of = |kind: &str| {
        let mut all = offers["offers"].as_array().unwrap().iter();
        all.find(|offer| offer["kind"] == kind).unwrap()["possible"].clone()
    };
    assert_eq!(
        (of("vm"), of("checkpoints")),
        (true.into(), false.into()),
        "{offers}"
    );
}

#[test]
fn files_alone_come_with_the_commands_that_import_them() {
    let sandbox = Sandbox::with_repository();
    vm(&sandbox, "a", "SQL01");
    back_up(&sandbox, "a", &["SQL01"]);
    let done = last(&sandbox.ok(&words("restore vm SQL01@latest --path out --json")));
    let import = done["import"].as_array().unwrap();
    let import = import[1].as_str().unwrap();
    assert!(import.starts_with("Import-VM -Path 'out"), "{import}");
    sandbox.fails(2, &["restore", "vm", "SQL01@latest"]);
    sandbox.fails(
        2,
        &[
            "restore",
            "vm",
            "SQL01@latest",
            "--path",
            "o",
            "--disconnect",
        ],
    );
    let folder = format!("dir:{}", sandbox.text("out"));
    sandbox.fails(2, &["restore", "vm", "SQL01@latest", "--to", &folder]);
}
