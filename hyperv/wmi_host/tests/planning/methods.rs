//! How a VM is frozen: host version × kind of VM × mode × policy, as a table that is checked in.
//!
//! `LIFEBOAT_BLESS=1` writes it anew; what changed is then read, and checked in, or not.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use hyperv_host::{BackupMode, BackupRequest, HypervHost, SavedState, Severity, VmPlan};
use vss::{Provider, RequestOptions, SnapshotVolume, VssBackup, VssError, VssService};

use crate::listed_host::ListedHost;
use crate::vm_instances::VmInstances;

/// A service that nothing may be asked of: plans touch nothing.
struct Untouched;

impl VssService for Untouched {
    fn providers(&self) -> Result<Vec<Provider>, VssError> {
        panic!("a plan asks the service nothing")
    }

    fn volume_of(&self, _path: &str) -> Result<SnapshotVolume, VssError> {
        panic!("a plan asks the service nothing")
    }

    fn begin(&self, _options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError> {
        panic!("a plan asks the service nothing")
    }
}

/// Caption, version, product type, and the configuration version of VMs that were made there.
const HOSTS: [(&str, &str, u32, &str); 8] = [
    ("Windows Server 2008 R2", "6.1.7601", 3, "2.0"),
    ("Windows Server 2012", "6.2.9200", 3, "4.0"),
    ("Windows Server 2012 R2", "6.3.9600", 3, "5.0"),
    ("Windows Server 2016", "10.0.14393", 3, "8.0"),
    ("Windows Server 2019", "10.0.17763", 3, "9.0"),
    ("Windows Server 2022", "10.0.20348", 3, "10.0"),
    ("Windows Server 2025", "10.0.26100", 3, "12.0"),
    ("Windows 11 Pro", "10.0.22631", 1, "11.0"),
];

const MODES: [(BackupMode, &str); 3] = [
    (BackupMode::Tracked, "cbt"),
    (BackupMode::Standard, "standard"),
    (BackupMode::AllCheckpoints, "all"),
];

const POLICIES: [(SavedState, &str); 2] =
    [(SavedState::Refuse, "refuse"), (SavedState::Allow, "allow")];

fn kinds(version: &str) -> Vec<(&'static str, VmInstances)> {
    let bare = || {
        let vm = VmInstances::new(1, "vm").memory(4096);
        vm.setting("Version", version)
    };
    let vm = || bare().disk("scsi", 0, r"C:\VMs\a.vhdx");
    let ubuntu = |vm: VmInstances| vm.says(&[("OSName", "Ubuntu")]);
    let doing = |state: u16| vm().windows().system("EnabledState", state);
    let xp = vm().vss(2, 12).says(&[("OSName", "Microsoft Windows XP")]);
    let replica = vm()
        .windows()
        .system("EnabledState", 3_u16)
        .system("ReplicationMode", 2_u16)
        .system("ReplicationState", 3_u16);
    let with_checkpoint = vm()
        .windows()
        .snapshot(5, "Realized", "before update", "20261120000000.000000-000")
        .derives_from(5);
    vec![
        ("Windows", vm().windows()),
        ("Linux with daemon", ubuntu(vm().vss(2, 2))),
        ("Linux without daemon", ubuntu(vm().vss(2, 12))),
        ("no integration services", vm()),
        (
            "backup service disabled",
            vm().vss(3, 2)
                .says(&[("OSName", "Windows Server 2022 Standard")]),
        ),
        ("Windows XP", xp),
        ("off", doing(3)),
        ("saved", doing(6)),
        ("paused", doing(9)),
        (
            "generation 1 without SCSI",
            bare().windows().disk("ide", 0, r"C:\VMs\a.vhdx"),
        ),
        ("pass-through disk", vm().windows().pass_through(3)),
        (
            "shared disk",
            vm().windows().shared_disk(3, r"C:\VMs\s.vhdx"),
        ),
        ("version 5.0", vm().windows().setting("Version", "5.0")),
        ("own checkpoints", with_checkpoint),
        (
            "checkpoint type standard",
            vm().windows().setting("UserSnapshotType", 5_u16),
        ),
        ("replica", replica),
    ]
}

fn cell(plan: &VmPlan) -> String {
    let mut cell = match plan.block() {
        Some(_) => "blocked".to_owned(),
        None => format!(
            "{}, {}, {}",
            plan.method.name(),
            plan.consistency.level.name(),
            match plan.interruption_seconds {
                Some(0) => "no interruption".to_owned(),
                Some(seconds) => format!("about {seconds} s"),
                None => "interrupted".to_owned(),
            }
        ),
    };
    for finding in &plan.findings {
        let bad = match finding.severity {
            Severity::Block => "!!",
            Severity::Warn => "!",
            Severity::Info => "",
        };
        if finding.id != "HOST-NO-BYTES" {
            write!(cell, " {bad}{}", finding.id).unwrap();
        }
    }
    if plan.block().is_none() {
        write!(cell, "; {}", plan.consistency.reason).unwrap();
    }
    cell
}

/// Writes the cells of a kind, with equal ones told once.
fn rows(host: &dyn HypervHost, kind: &str, table: &mut String) {
    let entry = host.inventory().unwrap().vms.remove(0);
    let mut cells: Vec<(String, Vec<String>)> = Vec::new();
    for (mode, mode_name) in MODES {
        let of = |saved_state| {
            let request = BackupRequest {
                mode,
                saved_state,
                ..BackupRequest::default()
            };
            // Nothing says where the host's files are, which is not what this is about.
            let mut plan = host.plan(&entry, &request, None).unwrap();
            plan.findings.retain(|own| own.id != "HOST-NO-BYTES");
            cell(&plan)
        };
        let [(refuse, refuse_name), (allow, allow_name)] = POLICIES;
        let mut add = |label: String, cell: String| {
            let known = cells.iter_mut().find(|(own, _)| *own == cell);
            match known {
                Some((_, labels)) => labels.push(label),
                None => cells.push((cell, vec![label])),
            }
        };
        if of(refuse) == of(allow) {
            add(mode_name.to_owned(), of(refuse));
        } else {
            add(format!("{mode_name}/{refuse_name}"), of(refuse));
            add(format!("{mode_name}/{allow_name}"), of(allow));
        }
    }
    for (at, (cell, labels)) in cells.iter().enumerate() {
        let kind = if at == 0 { kind } else { "" };
        writeln!(table, "{kind:26} {}: {cell}", labels.join(" ")).unwrap();
    }
}

#[test]
fn the_table_of_methods_is_the_one_that_is_checked_in() {
    let mut table = String::from(
        "How a VM is frozen: mode/policy for saving it: method, level, interruption, findings; why\n\
         that level. !! stands in the way, ! warns. LIFEBOAT_BLESS=1 writes this anew.\n",
    );
    for (caption, version, product_type, vm_version) in HOSTS {
        writeln!(table, "\n== {caption} ({version})\n").unwrap();
        for (kind, vm) in kinds(vm_version) {
            if kind == "checkpoint type standard" && version.starts_with("6.") {
                // There was no such setting.
                continue;
            }
            let host = ListedHost::of(caption, version, product_type).with(&vm);
            let host = Arc::new(host).host().with_vss(Arc::new(Untouched));
            rows(&host, kind, &mut table);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planning/methods.txt");
    if std::env::var_os("LIFEBOAT_BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (now, expected)) in table.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, expected, "line {}", number + 1);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}
