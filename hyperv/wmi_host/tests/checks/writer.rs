//! The Hyper-V VSS writer as it may be (requirements PRE-08, VSS-21).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyperv_host::{Finding, Severity};
use hyperv_sim::{Profile, SimClock, SimSession, WriterHealth};
use wmi_host::{WmiHost, WmiHostOptions};

use crate::stage::{Stage, vm};

#[test]
fn a_writer_that_is_missing_or_failed_is_told_as_bad_as_it_is() {
    let rows = [
        (Profile::Server2022, WriterHealth::Stable, None),
        (
            Profile::Server2022,
            WriterHealth::Missing,
            Some(Severity::Warn),
        ),
        (
            Profile::Server2022,
            WriterHealth::FailedFinal,
            Some(Severity::Warn),
        ),
        (Profile::Server2012R2, WriterHealth::Stable, None),
        // There VSS is the only way.
        (
            Profile::Server2012R2,
            WriterHealth::Missing,
            Some(Severity::Block),
        ),
        (
            Profile::Server2012R2,
            WriterHealth::FailedRetryable,
            Some(Severity::Block),
        ),
    ];
    for (profile, health, severity) in rows {
        let stage = Stage::new(profile);
        stage.sim.add_vm(&vm("vm")).unwrap();
        stage
            .sim
            .change_behavior(|behavior| behavior.writer = health)
            .unwrap();
        let before = stage.sim.ledger().unwrap();
        assert_eq!(
            stage.severity_of("HOST-VSS-WRITER"),
            severity,
            "{profile} {health:?}"
        );
        assert_eq!(
            stage.sim.ledger().unwrap(),
            before,
            "asking leaves nothing behind"
        );
    }
}

#[test]
fn a_desktop_has_no_writer_and_is_told_once_why() {
    let stage = Stage::new(Profile::Server2022);
    stage
        .sim
        .change_behavior(|behavior| behavior.is_client_edition = true)
        .unwrap();
    assert_eq!(stage.severity_of("HOST-DESKTOP"), Some(Severity::Info));
    assert_eq!(stage.severity_of("HOST-VSS-WRITER"), None);
}

#[test]
fn what_could_not_be_looked_at_is_told() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.sim.add_vm(&vm("vm")).unwrap();
    assert_eq!(stage.severity_of("HOST-NOT-LOOKED"), None);
    assert_eq!(stage.severity_of("VM-NOT-LOOKED"), None);
    // As it is through WinRM, with no files at hand.
    let session = SimSession::new(Arc::clone(&stage.sim)).unwrap();
    let clock = Arc::new(SimClock::new(Arc::clone(&stage.sim)));
    let options = WmiHostOptions::default();
    let far = WmiHost::connect(Arc::new(session), clock, None, options).unwrap();
    let told = |found: Vec<(Option<String>, Finding)>, id: &str| {
        let mut texts = found.into_iter().filter(|(_, own)| own.id == id);
        let (_, finding) = texts.next().unwrap();
        assert_eq!((finding.severity, texts.count()), (Severity::Info, 0));
        finding.text
    };
    let text = told(far.doctor().unwrap(), "HOST-NOT-LOOKED");
    assert!(text.contains("Hyper-V's writer"), "{text}");
    let text = told(far.look_inside().unwrap(), "HOST-NOT-LOOKED");
    assert!(text.contains("--host-files"), "{text}");
    // A VM that runs, with a disk that makes no sense.
    stage.sim.start(vm).unwrap();
    for entry in walk(&stage.folder.path().join("sim")) {
        if entry.extension().is_some_and(|own| own == "vhdx") {
            std::fs::write(entry, b"no disk").unwrap();
        }
    }
    let text = told(stage.host.look_inside().unwrap(), "VM-NOT-LOOKED");
    assert!(text.contains("partitions of disk 0"), "{text}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
