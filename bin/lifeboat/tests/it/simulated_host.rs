//! The program and a simulated host.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::sandbox::{Sandbox, flat, json_lines, noise};

const DISK_BYTES: usize = 8 << 20;

/// Makes a simulated host with one VM, whose disk is the returned bytes.
fn with_vm(sandbox: &Sandbox, name: &str, guest: &str) -> Vec<u8> {
    if !sandbox.path("sim/host.json").exists() {
        sandbox.ok(&["sim", "new", "sim"]);
    }
    let mut bytes = vec![0; DISK_BYTES];
    bytes[..5 << 20].copy_from_slice(&noise(name, 5 << 20));
    let image = sandbox.path(&format!("{name}.img"));
    fs::write(&image, &bytes).unwrap();
    let image = image.to_str().unwrap();
    sandbox.ok(&[
        "sim", "add-vm", "sim", name, "--disk", image, "--guest", guest,
    ]);
    bytes
}

/// Lets the guest write `bytes` to its disk, where they differ.
fn apply(sandbox: &Sandbox, name: &str, bytes: &[u8]) {
    let image = sandbox.path(&format!("{name}.new.img"));
    fs::write(&image, bytes).unwrap();
    sandbox.ok(&[
        "sim",
        "apply",
        "sim",
        name,
        "--disk",
        "0",
        image.to_str().unwrap(),
    ]);
}

/// Backs a VM up and returns the run's item.
fn back_up(sandbox: &Sandbox, name: &str) -> Value {
    let lines = json_lines(&sandbox.ok(&["backup", "--host", "sim:sim", name, "--json"]));
    lines.last().unwrap()["items"][0].clone()
}

fn restored(sandbox: &Sandbox, point: &str, out: &str) -> Vec<u8> {
    sandbox.ok(&[
        "restore", "disk", point, "--disk", "0", "-o", out, "--format", "raw",
    ]);
    flat(&sandbox.path(out))
}

fn state(sandbox: &Sandbox) -> Value {
    let lines = json_lines(&sandbox.ok(&["sim", "state", "sim", "--json"]));
    lines[0].clone()
}

#[test]
fn the_second_backup_reads_what_changed_and_both_come_back() {
    let sandbox = Sandbox::with_repository();
    let first = with_vm(&sandbox, "SQL01", "windows");
    let item = back_up(&sandbox, "SQL01");
    assert_eq!(item["outcome"], "success", "{item}");
    assert_eq!(item["method"], "recovery-checkpoint");
    assert_eq!(item["consistency"]["level"], "application");
    assert_eq!(item["disks"][0]["full"], "first-backup");

    let mut second = first.clone();
    second[3 << 20..][..10_000].copy_from_slice(&noise("changed", 10_000));
    apply(&sandbox, "SQL01", &second);
    let item = back_up(&sandbox, "SQL01");
    let disk = &item["disks"][0];
    assert_eq!(disk["full"], Value::Null, "{item}");
    let changed = disk["changed_ranges_bytes"].as_u64().unwrap();
    assert!((10_000..=3 * 32_768).contains(&changed), "{changed}");
    let read = disk["statistics"]["read_bytes"].as_u64().unwrap();
    let proved = disk["proved_bytes"].as_u64().unwrap();
    assert!(read - proved <= 2 * 65_536, "{disk}");

    assert_eq!(restored(&sandbox, "SQL01@latest~1", "one.img"), first);
    assert_eq!(restored(&sandbox, "SQL01@latest", "two.img"), second);
    let shown = sandbox.ok(&["point", "show", "SQL01@latest"]);
    assert!(shown.contains("recovery-checkpoint"), "{shown}");
    assert!(shown.contains("what changed"), "{shown}");
    // Nothing of the runs is left on the host but the reference point of the last one.
    sandbox.ok(&["sim", "settle", "sim"]);
    let state = state(&sandbox);
    let vm = &state["vms"][0];
    assert_eq!(vm["snapshots"].as_array().map(Vec::len), Some(0), "{vm}");
    assert_eq!(
        vm["reference_points"].as_array().map(Vec::len),
        Some(1),
        "{vm}"
    );
    assert_eq!(
        vm["files"].as_object().map(serde_json::Map::len),
        Some(1),
        "{vm}"
    );
    sandbox.ok(&["doctor", "--host", "sim:sim"]);
}

#[test]
fn a_plan_says_what_will_be_done_and_does_nothing() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox, "WEB01", "linux-daemon");
    with_vm(&sandbox, "DOS", "none");
    let before = state(&sandbox);
    let plan = sandbox.ok(&["vm", "plan", "--host", "sim:sim"]);
    assert!(
        plan.contains("file-system") && plan.contains("crash"),
        "{plan}"
    );
    assert!(plan.contains("first backup of this VM"), "{plan}");
    let lines = json_lines(&sandbox.ok(&["vm", "plan", "--host", "sim:sim", "--json"]));
    assert_eq!(lines[0]["type"], "plan");
    assert_eq!(lines[0]["plan"]["interruption"], "none", "{}", lines[0]);
    sandbox.ok(&["backup", "--host", "sim:sim", "--all", "--dry-run"]);
    assert_eq!(state(&sandbox)["vms"], before["vms"]);
}

#[test]
fn a_level_that_is_missed_fails_warns_or_is_accepted() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox, "DOS", "none");
    let args = [
        "backup",
        "--host",
        "sim:sim",
        "DOS",
        "--require",
        "application",
    ];
    let output = sandbox.run(&args);
    // Known before anything is done, it is a finding; found out later, the level was missed.
    assert!(matches!(output.status.code(), Some(20 | 24)), "{output:?}");
    let warned = sandbox.run(&[&args[..], &["--on-missed", "warn", "--strict"]].concat());
    assert_eq!(warned.status.code(), Some(4), "{warned:?}");
    let accepted = sandbox.run(&[&args[..], &["--on-missed", "accept"]].concat());
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(
        !String::from_utf8_lossy(&accepted.stderr).contains("VM-CONSISTENCY"),
        "{accepted:?}"
    );
}

#[test]
fn what_a_dead_run_left_is_found_and_removed() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox, "SQL01", "windows");
    // The answer to the checkpoint never comes, and neither does any later one.
    sandbox.ok(&["sim", "fault", "sim", "CreateSnapshot dies after"]);
    let output = sandbox.run(&["backup", "--host", "sim:sim", "SQL01"]);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    sandbox.ok(&["sim", "fault", "sim", "--clear"]);
    sandbox.ok(&["sim", "settle", "sim"]);
    let found = sandbox.run(&["doctor", "--host", "sim:sim"]);
    assert_eq!(found.status.code(), Some(25), "{found:?}");
    sandbox.run(&["doctor", "--host", "sim:sim", "--fix"]);
    sandbox.ok(&["sim", "settle", "sim"]);
    sandbox.ok(&["doctor", "--host", "sim:sim"]);
    let item = back_up(&sandbox, "SQL01");
    assert_eq!(item["outcome"], "success", "{item}");
}

#[test]
fn one_kind_of_residue_is_told_first_and_removed_when_that_is_said() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox, "SQL01", "windows");
    sandbox.ok(&["sim", "fault", "sim", "CreateSnapshot dies after"]);
    sandbox.run(&["backup", "--host", "sim:sim", "SQL01"]);
    sandbox.ok(&["sim", "fault", "sim", "--clear"]);
    sandbox.ok(&["sim", "settle", "sim"]);
    let fix = |args: &[&str]| {
        let output = sandbox.run(&[&["doctor", "--host", "sim:sim", "--fix"], args].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = fix(&["RESIDUE-CHECKPOINT"]);
    assert_eq!(code, Some(25), "nothing was done: {text}");
    assert!(
        text.contains("SQL01: ") && text.contains("(planned)"),
        "{text}"
    );
    // Another kind is not there, and what is there is left alone.
    for id in ["RESIDUE-REPLICATION", "LB-2214"] {
        let (code, text) = fix(&[id, "--yes"]);
        assert_eq!(code, Some(25), "{text}");
        assert!(text.contains("nothing is to be done"), "{text}");
    }
    let (_, text) = fix(&["VM-LEFTOVER-CHECKPOINT", "--yes"]);
    assert!(text.contains("(done)"), "{text}");
    sandbox.ok(&["sim", "settle", "sim"]);
    sandbox.ok(&["doctor", "--host", "sim:sim"]);
    let item = back_up(&sandbox, "SQL01");
    assert_eq!(item["outcome"], "success", "{item}");
}

#[test]
fn a_host_that_is_not_there_or_is_no_host_says_so() {
    let sandbox = Sandbox::with_repository();
    sandbox.fails(21, &["vm", "list", "--host", "sim:nowhere"]);
    if !cfg!(windows) {
        let text = sandbox.fails(21, &["vm", "list", "--host", "local"]);
        assert!(text.contains("Windows"), "{text}");
    }
    sandbox.fails(2, &["vm", "list", "--host", "winrm://admin@127.0.0.1:1"]);
    sandbox.fails(2, &["explain", "LB-9999"]);
    let text = sandbox.ok(&["explain", "LB-2107"]);
    assert!(text.contains("LB-2107"), "{text}");
}

/// A simulated host that answers WS-Man, until it is dropped.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start(sandbox: &Sandbox) -> Self {
        fs::write(sandbox.path("host-password"), "correct battery\n").unwrap();
        let args = [
            "sim",
            "serve",
            "sim",
            "--listen",
            "127.0.0.1:0",
            "--until-stdin-closes",
            "--json",
        ];
        let mut process = sandbox
            .command(&args)
            .env("LIFEBOAT_HOST_PASSWORD_FILE", sandbox.path("host-password"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        let url = format!("winrm://admin@{}", listening["address"].as_str().unwrap());
        Self { process, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

#[test]
fn a_host_behind_ws_man_is_listed_planned_and_backed_up() {
    let sandbox = Sandbox::with_repository();
    let bytes = with_vm(&sandbox, "SQL01", "windows");
    let served = Served::start(&sandbox);
    let run = |args: &[&str]| {
        let output = sandbox
            .command(args)
            .env("LIFEBOAT_HOST_PASSWORD_FILE", sandbox.path("host-password"))
            .env("LIFEBOAT_STATE", sandbox.path("state"))
            .env("LIFEBOAT_HOST", &served.url)
            .output();
        output.unwrap()
    };
    let listed = run(&["vm", "list"]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("SQL01"));
    // WS-Man carries no disks.
    let refused = run(&["backup", "SQL01"]);
    assert_eq!(refused.status.code(), Some(20), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("HOST-NO-BYTES"));
    let drive = format!("C:\\={}", sandbox.text("sim/drives/C"));
    for _ in 0..2 {
        let done = run(&["backup", "SQL01", "--host-files", &drive]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    }
    assert_eq!(restored(&sandbox, "SQL01@latest", "out.img"), bytes);

    fs::write(sandbox.path("host-password"), "wrong").unwrap();
    let denied = run(&["vm", "list"]);
    assert_eq!(denied.status.code(), Some(22), "{denied:?}");
    assert!(
        !String::from_utf8_lossy(&denied.stderr).contains("wrong"),
        "{denied:?}"
    );
}
