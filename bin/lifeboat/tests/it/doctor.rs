//! `lifeboat doctor` and `lifeboat explain`, from end to end.

use std::collections::BTreeSet;
use std::fs;

use hyperv_sim::{
    ClusterOptions, Component, ComponentKind, DiskSpec, Profile, SimCluster, SimHost, VmSpec,
};
use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines};

fn with_vm(sandbox: &Sandbox) {
    sandbox.ok(&["sim", "new", "sim"]);
    sandbox.ok(&["sim", "add-vm", "sim", "SQL01", "--disk", "empty:4MiB"]);
}

/// Lets something about the simulated host be otherwise.
fn change(sandbox: &Sandbox, change: impl FnOnce(&SimHost)) {
    change(&SimHost::open(&sandbox.path("sim")).unwrap());
}

fn findings(sandbox: &Sandbox, args: &[&str]) -> Vec<Value> {
    let output = sandbox.run(&[&["doctor", "--json"], args].concat());
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    // How much room there is where the tests run is none of their business.
    let is_own = |line: &Value| line["type"] == "finding" && line["id"] != "REPO-LOW";
    lines.into_iter().filter(is_own).collect()
}

fn ids(found: &[Value]) -> BTreeSet<&str> {
    found
        .iter()
        .map(|own| own["id"].as_str().unwrap())
        .collect()
}

#[test]
fn findings_come_in_groups_with_all_that_programs_need() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    change(&sandbox, |sim| {
        let vm = sim.find_vm("SQL01").unwrap();
        let off = Component {
            enabled: false,
            status: 2,
        };
        sim.set_component(vm, ComponentKind::Vss, off).unwrap();
        sim.set_free_bytes("C:\\", 0).unwrap();
    });
    let found = findings(&sandbox, &["--host", "sim:sim"]);
    let own = found
        .iter()
        .find(|own| own["id"] == "VM-IC-BACKUP")
        .unwrap();
    assert_eq!(own["code"], "LB-4003");
    assert_eq!(own["severity"], "warn");
    assert_eq!(own["area"], "guest");
    assert_eq!(own["vm"], "SQL01");
    assert_eq!(own["node"], Value::Null);
    assert_eq!(own["fix"], true);
    assert!(
        own["cure"]
            .as_str()
            .unwrap()
            .contains("Enable-VMIntegrationService")
    );
    assert_eq!(
        ids(&found),
        ["HOST-VOLUME-LOW", "REPO-EMPTY", "VM-IC-BACKUP"].into()
    );
    let text = sandbox.ok(&["doctor", "--host", "sim:sim"]);
    let places = [
        "Host\n",
        "Guests\n",
        "Repository\n",
        "0 findings in the way, ",
    ];
    let places: Vec<usize> = places.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn a_cure_is_told_first_and_done_when_that_is_said() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    change(&sandbox, |sim| {
        let vm = sim.find_vm("SQL01").unwrap();
        let off = Component {
            enabled: false,
            status: 2,
        };
        sim.set_component(vm, ComponentKind::Vss, off).unwrap();
    });
    let fix = ["doctor", "--host", "sim:sim", "--fix", "vm-ic-backup"];
    let told = sandbox.ok(&fix);
    assert!(
        told.contains("(planned)") && told.contains("say --yes"),
        "{told}"
    );
    assert!(told.contains("VM-IC-BACKUP"), "nothing was done: {told}");
    let done = sandbox.ok(&[&fix[..], &["--yes"]].concat());
    assert!(
        done.contains("(done)") && !done.contains("VM-IC-BACKUP)"),
        "{done}"
    );
    let nothing = sandbox.ok(&fix);
    assert!(nothing.contains("nothing is to be done"), "{nothing}");
    // What cannot be undone, and what does not exist, is refused.
    for id in ["VM-OLD-VERSION", "nonsense"] {
        sandbox.fails(2, &["doctor", "--host", "sim:sim", "--fix", id, "--yes"]);
    }
}

#[test]
fn listings_of_a_guest_are_read() {
    let sandbox = Sandbox::empty();
    let ps = "PID CMD\n1 systemd\n7 /usr/sbin/hv_kvp_daemon -n\n";
    fs::write(sandbox.path("ps.txt"), ps).unwrap();
    let text = sandbox.ok(&["doctor", "guest", "--paste", "ps.txt"]);
    assert!(text.contains("ps: 1 of 2"), "{text}");
    assert!(text.contains("LB-4012 GUEST-DAEMON"), "{text}");
    let utf16: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(ps.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    fs::write(sandbox.path("utf16.txt"), utf16).unwrap();
    assert_eq!(
        sandbox.ok(&["doctor", "guest", "--paste", "utf16.txt"]),
        text
    );
    fs::write(sandbox.path("other.txt"), "hello").unwrap();
    sandbox.fails(2, &["doctor", "guest", "--paste", "other.txt"]);
}

#[test]
fn a_restore_is_looked_at_ahead() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    sandbox.ok(&["backup", "--host", "sim:sim", "--all"]);
    let point = ["doctor", "restore", "SQL01@latest", "--json"];
    let seen = |args: &[&str]| {
        let output = sandbox.run(&[&point, args].concat());
        let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
        let found: Vec<Value> = lines
            .into_iter()
            .filter(|line| line["type"] == "finding")
            .collect();
        let ids: BTreeSet<String> = ids(&found).into_iter().map(str::to_owned).collect();
        (output.status.code(), ids)
    };
    let (code, found) = seen(&[]);
    assert_eq!(code, Some(0), "{found:?}");
    let (code, found) = seen(&["--host", "sim:sim"]);
    assert_eq!(code, Some(0), "{found:?}");
    assert!(found.contains("POINT-SAME-VM"), "{found:?}");
    // A host of 2016 does not run what one of 2022 made.
    sandbox.ok(&["sim", "new", "old", "--profile", "2016"]);
    let (code, found) = seen(&["--host", "sim:old"]);
    assert_eq!(code, Some(20), "{found:?}");
    assert!(found.contains("POINT-VERSION"), "{found:?}");
    assert!(!found.contains("POINT-SAME-VM"), "{found:?}");
}

#[test]
fn a_repository_is_looked_at() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    assert_eq!(ids(&findings(&sandbox, &[])), ["REPO-EMPTY"].into());
    sandbox.ok(&["backup", "--host", "sim:sim", "--all"]);
    sandbox.ok(&["sim", "add-vm", "sim", "NEW", "--disk", "empty:4MiB"]);
    let found = findings(&sandbox, &["--host", "sim:sim"]);
    let stale = found.iter().find(|own| own["id"] == "REPO-STALE").unwrap();
    assert_eq!(stale["vm"], "NEW");
    let found = findings(&sandbox, &["--repo", "nowhere"]);
    assert_eq!(ids(&found), ["REPO-UNREACHABLE"].into());
    assert_eq!(
        sandbox.run(&["doctor", "--repo", "nowhere"]).status.code(),
        Some(20)
    );
    let key = sandbox.path("key");
    let other = Sandbox::with_repository();
    fs::copy(other.path("key"), key).unwrap();
    assert_eq!(ids(&findings(&sandbox, &[])), ["REPO-KEY"].into());
}

#[test]
fn the_list_for_antivirus_programs_names_what_is_in_use() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    let text = sandbox.ok(&["doctor", "--antivirus", "--host", "sim:sim"]);
    for part in [
        "Vmms.exe",
        "lifeboat",
        "*.vhd",
        "Add-MpPreference",
        r"C:\Hyper-V\SQL01",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    sandbox.ok(&["doctor", "--antivirus", "--json"]);
}

#[test]
fn messages_events_and_numbers_are_explained() {
    let sandbox = Sandbox::empty();
    let rows: [(&[&str], &str); 5] = [
        (&["0x80042336"], "LB-2115"),
        (&["event", "10103"], "LB-2101"),
        (&["32775"], "LB-2108"),
        (&["VM-SCSI"], "LB-2101"),
        (
            &[
                "'SQL01' cannot start a backup operation because it is currently executing a conflicting operation.",
            ],
            "LB-2107",
        ),
    ];
    for (text, code) in rows {
        let said = sandbox.ok(&[&["explain"], text].concat());
        assert!(said.contains(code), "{text:?}: {said}");
    }
    sandbox.fails(2, &["explain", "everything is fine"]);
}

#[test]
fn what_a_host_says_leads_to_its_page() {
    let sandbox = Sandbox::with_repository();
    with_vm(&sandbox);
    // 0x8007052F, as a host without the right to log on as a service.
    sandbox.ok(&["sim", "fault", "sim", "CreateSnapshot code=0x8007052F"]);
    let output = sandbox.run(&["backup", "--host", "sim:sim", "SQL01", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("LB-1018") || text.contains("LB-1011"),
        "{text}"
    );
}

#[test]
fn every_node_of_a_cluster_is_looked_at() {
    let sandbox = Sandbox::with_repository();
    let options = ClusterOptions::of_nodes(2, Profile::Server2022);
    let cluster = SimCluster::create(&sandbox.path("cluster"), options).unwrap();
    let disk = DiskSpec::empty(4 << 20);
    let spec = VmSpec {
        folder: Some(r"C:\ClusterStorage\Volume1\WEB01".to_owned()),
        is_clustered: true,
        ..VmSpec::new("WEB01").with_disk(disk)
    };
    let vm = cluster.add_vm("HV2", &spec).unwrap();
    let node = cluster.node("HV2").unwrap();
    let off = Component {
        enabled: false,
        status: 2,
    };
    node.set_component(vm, ComponentKind::Vss, off).unwrap();
    node.change_behavior(|behavior| {
        let stopped = ("vmcompute".to_owned(), "Stopped".to_owned());
        behavior.services.extend([stopped]);
    })
    .unwrap();
    drop((node, cluster));
    let found = findings(&sandbox, &["--host", "sim:cluster"]);
    let service = found
        .iter()
        .find(|own| own["id"] == "HOST-VMCOMPUTE")
        .unwrap();
    assert!(
        service["text"].as_str().unwrap().contains("HV2"),
        "{service}"
    );
    let own = found
        .iter()
        .find(|own| own["id"] == "VM-IC-BACKUP")
        .unwrap();
    assert_eq!((&own["vm"], &own["node"]), (&"WEB01".into(), &"HV2".into()));
    let fix = [
        "doctor",
        "--host",
        "sim:cluster",
        "--fix",
        "VM-IC-BACKUP",
        "--yes",
    ];
    let done = sandbox.ok(&fix);
    assert!(done.contains("WEB01") && done.contains("(done)"), "{done}");
    assert!(!ids(&findings(&sandbox, &["--host", "sim:cluster"])).contains("VM-IC-BACKUP"));
}

/// What doctor finds on the cluster that `sim ailing` makes.
const AILMENTS: &str = "
    HOST-CLUSTER-MIXED HOST-NODE-NOT-COVERED HOST-NOT-LOOKED HOST-SHADOW-STORAGE HOST-VMCOMPUTE
    HOST-VOLUME-LOW HOST-VSS-SERVICE HOST-VSS-VOLUME RESIDUE-CHECKPOINT-FOREIGN VM-BUSY
    VM-CHECKPOINT-TYPE VM-DATA-EXCHANGE VM-DISK-UNREACHABLE VM-DISK-UNREADABLE
    VM-DOMAIN-CONTROLLER VM-DYNAMIC-DISK VM-FS VM-GUEST-DISK-UNREAD VM-GUEST-ISCSI VM-IC-BACKUP
    VM-IC-MISSING VM-INTEGRATION VM-LEFTOVER-CHECKPOINT VM-LONG-CHAIN VM-MERGE-PENDING
    VM-MERGE-RUNNING VM-NO-DISKS VM-NO-SCSI VM-NOBACKUP-TAG VM-NODE-NOT-COVERED VM-NOT-CLUSTERED
    VM-NOT-RUNNING VM-OLD-CHECKPOINTS VM-OLD-GUEST VM-OLD-VERSION VM-OTHER-VOLUME VM-PARENT-MISSING
    VM-PASS-THROUGH VM-REPLICA VM-SAME-NAME VM-SHARED-DISK VM-STORAGE-LOST VM-VHD-DISK VM-VHD-SET
    VM-VTPM";

#[test]
fn an_ailing_cluster_shows_what_doctor_knows() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["sim", "ailing", "ailing"]);
    let found = findings(&sandbox, &["--host", "sim:ailing"]);
    let found = ids(&found);
    let missing: Vec<_> = AILMENTS
        .split_whitespace()
        .filter(|id| !found.contains(id))
        .collect();
    assert!(missing.is_empty(), "missing {missing:?} among {found:?}");
}
