//! Every id that checks of a host can make is shown here, or there is a reason why not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is not shown by the tests beside this one: where it is, or why it cannot be.
const ELSEWHERE: [(&str, &str); 27] = [
    (
        "HOST-NO-BYTES",
        "tests/planning: the host is connected without its files",
    ),
    (
        "HOST-NO-HYPERV",
        "tests/planning: a scripted host without the namespace",
    ),
    (
        "HOST-NO-VSS",
        "tests/planning: the way goes through VSS, and the host is reached without it",
    ),
    (
        "HOST-OLD",
        "tests/planning: older than any simulated host that answers",
    ),
    (
        "HOST-RIGHTS",
        "tests/planning: a scripted host that shows nothing",
    ),
    (
        "HOST-UNKNOWN-VERSION",
        "no simulated host is newer than the support matrix; its own tests",
    ),
    ("HOST-CSV-ELSEWHERE", "tests/cluster"),
    ("HOST-CSV-IN-BACKUP", "tests/cluster"),
    (
        "HOST-CSV-LOST",
        "no test: simulated volumes do not get lost",
    ),
    ("HOST-NODE-DOWN", "tests/cluster"),
    ("HOST-NODE-NOT-COVERED", "tests/cluster"),
    (
        "VM-DISK-OUTSIDE-ROOT",
        "folder_host: a link that leads out of the folder",
    ),
    ("VM-ELSEWHERE", "tests/cluster, tests/planning"),
    (
        "VM-MERGE-RUNNING",
        "tests/flow/trouble.rs: a merge that hangs after a run",
    ),
    ("VM-MOVED", "tests/cluster"),
    ("VM-NODE-NOT-COVERED", "tests/cluster"),
    (
        "VM-ON-THE-WAY",
        "no test: it is there for the moment of a move alone",
    ),
    (
        "VM-PARENT-MISMATCH",
        "folder_host: another parent in the same place",
    ),
    (
        "VM-ROLE-FAILED",
        "no test: simulated roles do not fail by themselves",
    ),
    (
        "HOST-SWITCH-PART",
        "tests/restore: a VLAN of the host's own port",
    ),
    ("VM-ROLE-NONE", "tests/cluster"),
    (
        "VM-ROLE-NOT-SHARED",
        "no test: simulated nodes are given shared volumes",
    ),
    (
        "VM-SAVED-STATE-REFUSED",
        "tests/planning: the table of methods; tests/cluster: another offline action",
    ),
    (
        "VM-SHIELDED",
        "simulated hosts have no shielded VMs; tests/planning",
    ),
    (
        "VM-STORAGE-NOT-SEEN",
        "no test: simulated hosts see all their storage",
    ),
    ("VM-UNREADABLE", "tests/planning: a VM without settings"),
    (
        "RESIDUE-",
        "what runs leave: tests/flow/residue.rs, tests/cluster",
    ),
];

/// Sources whose findings `WmiHost::doctor`, `look_inside` and `ClusterHost::doctor` tell.
const SOURCES: [&str; 6] = [
    "findings",
    "host_checks",
    "host_checks.rs",
    "inventory.rs",
    "cluster",
    "residue",
];

fn ids_in(source: &str) -> BTreeSet<String> {
    let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
    let is_id = |text: &&str| {
        let kind = text.split_once('-').map(|(kind, _)| kind);
        matches!(kind, Some("VM" | "HOST" | "RESIDUE"))
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    };
    let quoted = shipped.split('"').filter(is_id);
    quoted.map(str::to_owned).collect()
}

fn read(path: &Path, ids: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), ids);
        }
    } else {
        ids.extend(ids_in(&fs::read_to_string(path).unwrap()));
    }
}

#[test]
fn every_id_is_shown_or_accounted_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut made = BTreeSet::new();
    for source in SOURCES {
        read(&root.join("src").join(source), &mut made);
    }
    assert!(made.len() > 60, "{}", made.len());
    let mut shown = BTreeSet::new();
    for test in ["each_kind.rs", "fixes.rs", "writer.rs"] {
        read(&root.join("tests/checks").join(test), &mut shown);
    }
    let accounted = |id: &String| {
        let fits = |own: &str| own == id || (own.ends_with('-') && id.starts_with(own));
        ELSEWHERE
            .iter()
            .any(|(own, reason)| fits(own) && !reason.is_empty())
    };
    let open: Vec<_> = made
        .iter()
        .filter(|id| !shown.contains(*id) && !accounted(id))
        .collect();
    assert!(open.is_empty(), "neither shown nor accounted for: {open:?}");
    let count = made.intersection(&shown).count();
    assert!(count >= 45, "only {count} of {} are shown", made.len());
}
