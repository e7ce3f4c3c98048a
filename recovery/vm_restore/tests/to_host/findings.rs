//! What a plan says before anything is touched: each finding where it applies, and not where it
//! does not.

use std::collections::BTreeSet;
use std::path::Path;

use hyperv_host::{Identity, PowerState, Severity};
use vm_restore::{HostRestoreRequest, RestorePart};

use crate::checkpoints::BASE;
use crate::finding_cases::{
    PROCESSOR, add_checkpoint, add_image, another_base, another_disk, as_new_vm, at_checkpoint,
    attach_to, branches, died, empty, empty_to, first_disk, free_memory, guest_state, in_the_way,
    kept_old, left_out, part, there, there_with_disks, tree, used_by_another, windows, with_memory,
    with_processor, without_definition,
};
use crate::world::{World, path_of, slot};

/// A host, a point, and what is asked.
type Case = fn() -> (World, HostRestoreRequest);

struct Row {
    id: &'static str,
    severity: Severity,
    /// Where it applies.
    with: Case,
    /// Where it does not, and as little as may be is otherwise.
    without: Case,
}

const fn row(id: &'static str, severity: Severity, with: Case, without: Case) -> Row {
    Row {
        id,
        severity,
        with,
        without,
    }
}

/// Findings of a VM that is made.
const MADE: [Row; 14] = [
    row(
        "POINT-VERSION",
        Severity::Block,
        || {
            empty(|world| {
                world.host.facts.lock().unwrap().versions = vec!["8.0".to_owned()];
            })
        },
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-CONFIGURATION",
        Severity::Block,
        || empty(|world| without_definition(&mut world.point)),
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-CONFIGURATION",
        Severity::Block,
        || {
            as_new_vm(|world| {
                without_definition(&mut world.point);
                world.point.configuration = None;
            })
        },
        || as_new_vm(|world| without_definition(&mut world.point)),
    ),
    row(
        "POINT-SAME-VM",
        Severity::Block,
        || there(|_, _| {}),
        || there(|_, request| request.identity = Identity::New),
    ),
    row(
        "POINT-SAME-NAME",
        Severity::Warn,
        || there(|_, request| request.identity = Identity::New),
        || {
            there(|_, request| {
                request.identity = Identity::New;
                request.name = Some("web 2".to_owned());
            })
        },
    ),
    row(
        "POINT-RESOURCES",
        Severity::Warn,
        || empty(|world| world.host.facts.lock().unwrap().logical_processors = 1),
        || empty(|world| world.host.facts.lock().unwrap().logical_processors = 2),
    ),
    row(
        "POINT-RESOURCES",
        Severity::Warn,
        || empty(|world| free_memory(world, 511)),
        || empty(|world| free_memory(world, 512)),
    ),
    row(
        "POINT-SWITCH-MISSING",
        Severity::Warn,
        || empty(|world| world.host.facts.lock().unwrap().switches.clear()),
        || empty(|_| {}),
    ),
    row(
        "POINT-FILE-NAME",
        Severity::Block,
        || empty(|world| first_disk(&mut world.point).name = "nul.vhdx".to_owned()),
        || empty(|world| first_disk(&mut world.point).name = "null.vhdx".to_owned()),
    ),
    row(
        "POINT-FILE-NAME",
        Severity::Block,
        || tree(|point| add_image(point, &BASE.to_uppercase())),
        || tree(|point| add_image(point, "Virtual Hard Disks/another.vhdx")),
    ),
    row(
        "POINT-PLACE-UNREACHABLE",
        Severity::Block,
        || empty_to(r"Q:\VMs"),
        || empty_to(r"C:\VMs"),
    ),
    row(
        "POINT-NO-ROOM",
        Severity::Block,
        || empty(|world| world.host.facts.lock().unwrap().volumes[0].free_bytes = 1 << 20),
        || empty(|_| {}),
    ),
    row(
        "POINT-NO-DISK",
        Severity::Block,
        || there_with_disks(vec![2]),
        || there_with_disks(vec![1]),
    ),
    row(
        "POINT-CLUSTERED",
        Severity::Info,
        || empty(|world| world.host.facts.lock().unwrap().is_cluster = true),
        || empty(|_| {}),
    ),
];

/// Findings of what the point says.
const OF_POINT: [Row; 13] = [
    row(
        "POINT-PROCESSOR",
        Severity::Warn,
        || with_processor("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"),
        || with_processor(PROCESSOR),
    ),
    row(
        "POINT-PROCESSOR",
        Severity::Block,
        || with_processor("AMD EPYC 7763 64-Core Processor"),
        || with_processor(PROCESSOR),
    ),
    row(
        "POINT-AS-NEW-LOSES",
        Severity::Warn,
        || as_new_vm(|_| {}),
        || empty(|_| {}),
    ),
    row(
        "POINT-CHECKPOINT-SETTINGS",
        Severity::Info,
        || at_checkpoint(Some("before the update")),
        || at_checkpoint(None),
    ),
    row(
        "POINT-MEMORY",
        Severity::Warn,
        || with_memory("HV9", false),
        || with_memory("HV1", false),
    ),
    row(
        "POINT-MEMORY",
        Severity::Warn,
        || with_memory("HV1", true),
        || as_new_vm(|_| {}),
    ),
    row(
        "POINT-VTPM",
        Severity::Info,
        || guest_state("HV9"),
        || guest_state("hv1.TEST"),
    ),
    row(
        "POINT-REACTIVATION",
        Severity::Info,
        || windows("HV9", None),
        || windows("HV1", None),
    ),
    row(
        "POINT-DOMAIN-CONTROLLER",
        Severity::Info,
        || windows("HV1", None),
        || empty(|_| {}),
    ),
    row(
        "POINT-LEFT-OUT",
        Severity::Warn,
        || empty(|world| world.point.left_out.push(left_out())),
        || empty(|_| {}),
    ),
    row(
        "POINT-BOOT-DISK",
        Severity::Warn,
        || windows("HV1", Some(vec![1])),
        || windows("HV1", Some(vec![0])),
    ),
    row(
        "POINT-CHECKPOINT-DISKS",
        Severity::Warn,
        || tree(|point| point.left_out.push(left_out())),
        || tree(|_| {}),
    ),
    row(
        "POINT-CHECKPOINT-DISKS",
        Severity::Warn,
        || tree(|point| another_base(point, "Virtual Hard Disks/gone.vhdx")),
        || tree(|point| another_base(point, BASE)),
    ),
];

/// Findings of the VM that is there.
const OF_OLD: [Row; 15] = [
    row(
        "POINT-BRANCH-STAYS",
        Severity::Info,
        || branches(&["web_1.avhdx", "web_2.avhdx"]),
        || branches(&["web_1.avhdx"]),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || in_the_way(|vm| vm.state = PowerState::Running),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Warn,
        || in_the_way(|vm| vm.state = PowerState::Saved),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || {
            part(RestorePart::Configuration, |vm| {
                vm.state = PowerState::Saved;
            })
        },
        || part(RestorePart::Configuration, |_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Block,
        || part(RestorePart::Network, |vm| vm.state = PowerState::Saved),
        || part(RestorePart::Network, |_| {}),
    ),
    row(
        "POINT-VM-RUNNING",
        Severity::Warn,
        || kept_old(|vm| vm.state = PowerState::Running),
        || kept_old(|_| {}),
    ),
    row(
        "POINT-REPLICA",
        Severity::Warn,
        || in_the_way(|vm| vm.is_replicated = true),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-REPLICA",
        Severity::Warn,
        || part(RestorePart::Network, |vm| vm.is_replicated = true),
        || part(RestorePart::Network, |_| {}),
    ),
    row(
        "POINT-CLUSTERED",
        Severity::Info,
        || in_the_way(|vm| vm.is_clustered = true),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-CHECKPOINTS-GO",
        Severity::Block,
        || part(RestorePart::Configuration, add_checkpoint),
        || part(RestorePart::Configuration, |_| {}),
    ),
    row(
        "POINT-DISK-STAYS",
        Severity::Warn,
        || in_the_way(|vm| drop(vm.disks.insert(slot(7), path_of(0).replace("web.", "new.")))),
        || in_the_way(|_| {}),
    ),
    row(
        "POINT-DISK-STAYS",
        Severity::Warn,
        || another_disk(99),
        || another_disk(1),
    ),
    row(
        "POINT-DISK-IN-USE",
        Severity::Block,
        || used_by_another(&path_of(0)),
        || used_by_another(r"C:\Elsewhere\web.vhdx"),
    ),
    row(
        "POINT-NO-TARGET-VM",
        Severity::Block,
        || attach_to("web 3"),
        || attach_to("WEB"),
    ),
    row(
        "POINT-RESTORE-DIED",
        Severity::Block,
        || died(true),
        || died(false),
    ),
];

/// What is told once the restore is done, or of many together: see `in_place`, `writer` and
/// `dead_restores`.
const REPORTED: [&str; 3] = [
    "POINT-NOT-STARTED",
    "POINT-VM-OTHERWISE",
    "POINT-NEEDS-CONFIRMATION",
];

/// What stands in the way of the host's VSS writer: see `writer`.
const OF_WRITER: [&str; 5] = [
    "POINT-WRITER-CHAIN",
    "POINT-WRITER-DOCUMENT",
    "POINT-WRITER-HOST",
    "POINT-WRITER-PART",
    "POINT-WRITER-PLACE",
];

fn rows() -> impl Iterator<Item = &'static Row> {
    MADE.iter().chain(&OF_POINT).chain(&OF_OLD)
}

fn found(case: Case) -> (World, HostRestoreRequest, Vec<hyperv_host::Finding>) {
    let (world, request) = case();
    let findings = world.plan(&request).findings;
    (world, request, findings)
}

#[test]
fn each_finding_is_told_where_it_applies_and_nowhere_else() {
    for (number, row) in rows().enumerate() {
        let name = format!("row {number}, {}", row.id);
        let (world, request, told) = found(row.with);
        let own = told.iter().find(|finding| finding.id == row.id);
        let own = own.unwrap_or_else(|| panic!("{name} is not told: {told:?}"));
        assert_eq!(own.severity, row.severity, "{name}: {own:?}");
        assert!(own.cure.is_some(), "{name} has no cure");
        if row.severity == Severity::Block {
            let before = world.host.ledger();
            world.run(&request).unwrap_err();
            assert_eq!(world.host.ledger(), before, "{name} was not heeded");
        }
        let (_, _, told) = found(row.without);
        let own = told
            .iter()
            .find(|finding| finding.id == row.id && finding.severity == row.severity);
        assert_eq!(own, None, "{name} is told where it does not apply");
    }
}

#[test]
fn there_is_a_row_for_each_finding_that_the_source_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host_restore");
    let mut named = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let ids = text.split('"').filter(|part| part.starts_with("POINT-"));
        named.extend(ids.map(str::to_owned));
    }
    let told = REPORTED.into_iter().chain(OF_WRITER);
    let rows = rows().map(|row| row.id).chain(told);
    let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(rows, named);
}
