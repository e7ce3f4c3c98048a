//! Restoring to a simulated cluster: its roles, its nodes, and a program that is killed.

use std::fs;

use block_io::BlockDevice as _;
use hyperv_sim::{LedgerKind, PowerState, RoleState, SimCluster};
use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines, noise};

const DISK_BYTES: usize = 4 << 20;
const IN_PLACE: [&str; 9] = [
    "restore",
    "vm",
    "SQL01@latest",
    "--to",
    "cluster:sim:cluster",
    "--in-place",
    "--stop",
    "--confirm",
    "SQL01",
];

/// A cluster of two nodes with the running role SQL01 on HV2 and a point of it; what its disk held
/// then.
fn scene() -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::with_repository();
    sandbox.ok(&["sim", "new", "cluster", "--nodes", "2"]);
    let mut bytes = vec![0; DISK_BYTES];
    bytes[..1 << 20].copy_from_slice(&noise("cluster", 1 << 20));
    let image = sandbox.path("SQL01.img");
    fs::write(&image, &bytes).unwrap();
    let disk = image.to_str().unwrap();
    let add = ["sim", "add-vm", "cluster", "SQL01", "--disk", disk];
    let role = ["--guest", "windows", "--clustered", "--node", "HV2"];
    sandbox.ok(&[&add[..], &role].concat());
    sandbox.ok(&["backup", "--host", "cluster:sim:cluster", "SQL01"]);
    guest_goes_on(&sandbox);
    (sandbox, bytes)
}

fn guest_goes_on(sandbox: &Sandbox) {
    let write = ["sim", "write", "cluster", "SQL01", "--offset", "512KiB"];
    sandbox.ok(&write);
}

fn cluster(sandbox: &Sandbox) -> SimCluster {
    let cluster = SimCluster::open(&sandbox.path("cluster")).unwrap();
    cluster.settle().unwrap();
    cluster
}

/// The node that has the role, what is on the role's disk, and how the role is.
fn role(sandbox: &Sandbox) -> (String, Vec<u8>, RoleState) {
    let cluster = cluster(sandbox);
    let vm = cluster.find_vm("SQL01").unwrap();
    let host = cluster.owner_host(vm).unwrap();
    let mut bytes = vec![0; DISK_BYTES];
    let disk = host.open_disk(vm, 0).unwrap();
    disk.read_at(0, &mut bytes).unwrap();
    let state = cluster.facts().unwrap().roles[&vm].state;
    (cluster.owner(vm).unwrap(), bytes, state)
}

fn last(text: &str) -> Value {
    json_lines(text).pop().unwrap()
}

fn check_nothing_left(sandbox: &Sandbox, what: &str) {
    let cluster = cluster(sandbox);
    let mut nodes = cluster.nodes();
    assert!(
        nodes.all(|(_, node)| node.planned_vms().unwrap().is_empty()),
        "{what}"
    );
    let ledger = cluster.ledger().unwrap();
    for kind in [LedgerKind::File, LedgerKind::ConfigurationFile] {
        let mut files = ledger.of_kind(kind);
        let left = files.find(|(name, _)| name.contains("lifeboat-restore"));
        assert_eq!(left, None, "{what}");
    }
    for folder in ["cluster/restores", "cluster/journal"] {
        let files = fs::read_dir(sandbox.path(folder)).into_iter().flatten();
        for file in files.flatten() {
            let name = file.file_name().into_string().unwrap();
            assert!(!name.ends_with(".json"), "{what}: {folder}/{name}");
        }
    }
    assert_eq!(cluster.surprises().unwrap(), [], "{what}");
}

#[test]
fn a_role_gives_way_and_is_online_again_as_asked() {
    let (sandbox, bytes) = scene();
    assert!(role(&sandbox).1 != bytes, "its guest went on");
    let plan = sandbox.ok(&[&IN_PLACE[..], &["--dry-run"]].concat());
    for step in ["its role of the cluster offline", "of the cluster online"] {
        assert!(plan.contains(step), "{plan}");
    }
    let (_, held, state) = role(&sandbox);
    assert!(held != bytes && state == RoleState::Online, "a plan alone");
    let done = last(&sandbox.ok(&[&IN_PLACE[..], &["--json"]].concat()));
    assert_eq!(done["report"]["kind"], "in-place", "{done}");
    let (owner, held, state) = role(&sandbox);
    assert!(held == bytes, "its disk differs");
    assert_eq!((owner.as_str(), state), ("HV2", RoleState::Online));
    check_nothing_left(&sandbox, "in place");
    guest_goes_on(&sandbox);
    sandbox.ok(&[&IN_PLACE[..], &["--no-start"]].concat());
    let (owner, held, state) = role(&sandbox);
    assert!(held == bytes, "its disk differs");
    assert_eq!((owner.as_str(), state), ("HV2", RoleState::Offline));
    sandbox.ok(&["sim", "online", "cluster", "SQL01"]);
    // It is a role like any other: it moves.
    sandbox.ok(&["sim", "move", "cluster", "SQL01", "HV1"]);
    let (owner, held, _) = role(&sandbox);
    assert!(owner == "HV1" && held == bytes);
}

#[test]
fn a_role_that_is_offline_stays_offline_without_a_word() {
    let (sandbox, bytes) = scene();
    sandbox.ok(&["sim", "stop", "cluster", "SQL01"]);
    sandbox.ok(&IN_PLACE);
    let (_, held, state) = role(&sandbox);
    assert!(held == bytes);
    assert_eq!(state, RoleState::Offline);
    let cluster = cluster(&sandbox);
    let vm = cluster.find_vm("SQL01").unwrap();
    let power = cluster.owner_host(vm).unwrap().vm(vm).unwrap().power;
    assert_eq!(power, PowerState::Off);
}

#[test]
fn a_vm_is_restored_on_the_node_that_has_it_now() {
    let (sandbox, bytes) = scene();
    sandbox.ok(&["sim", "move", "cluster", "SQL01", "HV1"]);
    sandbox.ok(&IN_PLACE);
    let (owner, held, _) = role(&sandbox);
    assert_eq!(owner, "HV1");
    assert!(held == bytes, "its disk differs");
    check_nothing_left(&sandbox, "on another node");
    // Also while the other node is down.
    guest_goes_on(&sandbox);
    sandbox.ok(&["sim", "node", "cluster", "HV2", "down"]);
    sandbox.ok(&IN_PLACE);
    let (owner, held, _) = role(&sandbox);
    assert!(owner == "HV1" && held == bytes);
}

#[test]
fn a_node_that_does_not_answer_is_an_error() {
    for node in ["HV1", "HV2"] {
        let (sandbox, _) = scene();
        let before = role(&sandbox);
        sandbox.ok(&["sim", "node", "cluster", node, "unreachable"]);
        let text = sandbox.fails(21, &IN_PLACE);
        assert!(text.contains(node), "{text}");
        sandbox.fails(21, &[&IN_PLACE[..], &["--dry-run"]].concat());
        sandbox.ok(&["sim", "node", "cluster", node, "reachable"]);
        assert!(role(&sandbox) == before, "{node}: nothing was touched");
        check_nothing_left(&sandbox, node);
    }
}

/// Runs the restore and kills the program as soon as it says that a step begins.
#[cfg(unix)]
fn killed_at(sandbox: &Sandbox, step: &str) {
    let args = [&IN_PLACE[..], &["--json"]].concat();
    let mut running = crate::running::Running::start(sandbox, &args);
    running.hear(|said| {
        let text = said["text"].as_str();
        said["type"] == "step" && text.is_some_and(|text| text.contains(step))
    });
}

#[cfg(unix)]
#[test]
fn a_killed_restore_is_ended_by_the_same_command() {
    let (sandbox, bytes) = scene();
    for step in [
        "putting the definition files",
        "turning the VM off",
        "keeping a copy of the old definition",
        "taking the old VM from the host",
        "comparing ",
        "writing over ",
        "asking for a planned VM",
        "setting the paths of the disks",
        "making the VM of it",
        "starting the VM",
    ] {
        killed_at(&sandbox, step);
        let done = last(&sandbox.ok(&[&IN_PLACE[..], &["--json"]].concat()));
        assert_eq!(done["exit"], 0, "{step}: {done}");
        let (owner, held, state) = role(&sandbox);
        assert_eq!(
            (owner.as_str(), state),
            ("HV2", RoleState::Online),
            "{step}"
        );
        assert!(held == bytes, "{step}: its disk differs");
        check_nothing_left(&sandbox, step);
        guest_goes_on(&sandbox);
    }
}
