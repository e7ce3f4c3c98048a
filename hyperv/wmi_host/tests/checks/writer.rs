//! The Hyper-V VSS writer as it may be (requirements PRE-08, VSS-21).

use hyperv_host::Severity;
use hyperv_sim::{Profile, WriterHealth};

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
