//! The order of events, per version and kind of component.

use std::time::Duration;

use hyperv_sim::{DiskSpec, Guest, PowerState, Profile, VmSpec};
use uuid::Uuid;

use crate::stage::{MIB, Stage, component_of, never};

#[test]
fn a_guest_that_answers_is_backed_up_online_and_nothing_is_left() {
    for (profile, recovery) in [
        (Profile::Server2012, &["guest-snapshot-reverted"][..]),
        (Profile::Server2012R2, &["auto-recovery"][..]),
        (Profile::Server2022, &[][..]),
    ] {
        let stage = Stage::new(profile);
        let vm = stage.vm("web");
        let before = stage.ledger();
        let mut backup = stage.snapped(&[vm]);
        backup.complete(&never).unwrap();
        backup.delete_set().unwrap();
        drop(backup);
        let mut expected = vec![
            "backup-begun",
            "identify",
            "prepare-for-backup",
            "prepare-for-snapshot",
            "guest-asked",
            "guest-snapshot",
        ];
        let checkpoints = profile >= Profile::Server2012R2;
        expected.extend(checkpoints.then_some("checkpoint-created"));
        expected.extend(["freeze", "volume-snapshot", "thaw"]);
        expected.extend(recovery);
        expected.push("post-snapshot");
        expected.extend(checkpoints.then_some("checkpoint-removed"));
        expected.extend(["backup-complete", "snapshot-deleted"]);
        assert_eq!(stage.events(), expected, "{profile}");
        assert_eq!(stage.ledger(), before, "{profile}");
    }
}

/// Backs a VM up to its end; returns what happened from `PrepareForSnapshot` to `PostSnapshot`.
fn between(stage: &Stage, vm: Uuid) -> Vec<&'static str> {
    stage.host.clear_trace().unwrap();
    let mut backup = stage.snapped(&[vm]);
    backup.complete(&never).unwrap();
    drop(backup);
    let events = stage.events();
    let end = events.iter().position(|own| *own == "backup-complete");
    let usual = ["freeze", "volume-snapshot", "thaw"];
    let events = events[4..end.unwrap()].iter();
    events.copied().filter(|own| !usual.contains(own)).collect()
}

#[test]
fn a_guest_that_does_not_answer_is_backed_up_as_its_host_can() {
    let checkpoint = &["checkpoint-created", "post-snapshot", "checkpoint-removed"][..];
    let saved = &["saved", "post-snapshot", "resumed"][..];
    let paused = &["paused", "post-snapshot", "resumed"][..];
    for (profile, guest, caption, expected) in [
        (Profile::Server2022, Guest::Linux, "Offline", checkpoint),
        (Profile::Server2012R2, Guest::None, "Offline", checkpoint),
        (
            Profile::Server2012,
            Guest::Linux,
            "Backup Using Saved State",
            saved,
        ),
        (
            Profile::Server2012,
            Guest::None,
            "Backup Using Saved State",
            paused,
        ),
        (
            Profile::Server2008R2,
            Guest::Linux,
            "Backup Using Saved State",
            saved,
        ),
    ] {
        let stage = Stage::new(profile);
        let spec = VmSpec::new("db").with_disk(DiskSpec::empty(MIB));
        let vm = stage.add(&spec.with_guest(guest));
        let before = stage.ledger();
        let mut backup = stage.begin();
        let writers = backup.writers(&never).unwrap();
        let captions = writers[0].components.iter().map(|own| own.caption.as_str());
        let captions: Vec<&str> = captions.collect();
        assert_eq!(captions, ["Host Component", &format!("{caption}\\db")]);
        drop(backup);
        assert_eq!(between(&stage, vm), expected, "{profile} {guest:?}");
        assert_eq!(stage.ledger(), before, "{profile} {guest:?}");
    }
}

#[test]
fn a_vm_that_does_not_run_stays_as_it_is() {
    for profile in [Profile::Server2012, Profile::Server2022] {
        for power in [PowerState::Off, PowerState::Saved, PowerState::Paused] {
            let stage = Stage::new(profile);
            let vm = stage.vm("idle");
            stage.host.set_power(vm, power).unwrap();
            let found = between(&stage, vm);
            let frozen = power == PowerState::Paused && profile == Profile::Server2022;
            let expected = if frozen {
                &["checkpoint-created", "post-snapshot", "checkpoint-removed"][..]
            } else {
                &["post-snapshot"]
            };
            assert_eq!(found, expected, "{profile} {power:?}");
            assert_eq!(stage.host.vm(vm).unwrap().power, power);
        }
    }
}

#[test]
fn saving_takes_as_long_as_there_is_memory_and_the_uptime_begins_anew() {
    let mut took = Vec::new();
    for memory_mib in [1024, 8192] {
        let stage = Stage::new(Profile::Server2012);
        let mut spec = VmSpec::new("db").with_guest(Guest::Linux);
        spec.memory_mib = memory_mib;
        let vm = stage.add(&spec.with_disk(DiskSpec::empty(MIB)));
        stage.host.advance(Duration::from_secs(86_400)).unwrap();
        let backup = stage.snapped(&[vm]);
        let started = stage.host.vm(vm).unwrap().started.unwrap();
        let now = stage.host.now().unwrap();
        assert!(now.duration_since(started).as_secs() < 2);
        drop(backup);
        let time = |name: &str| {
            let trace = stage.host.trace().unwrap();
            let event = trace.iter().find(|event| event.kind.name() == name);
            event.unwrap().time
        };
        let interruption = time("resumed").duration_since(time("saved"));
        took.push(interruption.as_millis());
    }
    assert!(took[1] > took[0] + 10_000, "{took:?}");
}

#[test]
fn one_set_serves_many_vms_and_guests_are_asked_at_once() {
    let stage = Stage::new(Profile::Server2012R2);
    let vms = [stage.vm("a"), stage.vm("b"), stage.vm("c")];
    let before = stage.ledger();
    let mut backup = stage.snapped(&vms);
    assert_eq!(backup.snapshots().unwrap().len(), 1);
    let asked: Vec<_> = stage.host.trace().unwrap();
    let asked = asked.iter().filter(|own| own.kind.name() == "guest-asked");
    let times: Vec<_> = asked.map(|own| own.time).collect();
    assert!(times.len() == 3 && times[0] == times[2], "{times:?}");
    let writers = [component_of(vms[0]), component_of(vms[1])];
    backup.set_succeeded(&writers[0], true).unwrap();
    backup.set_succeeded(&writers[1], false).unwrap();
    assert!(
        backup
            .document()
            .unwrap()
            .contains("backupSucceeded=\"yes\"")
    );
    backup.complete(&never).unwrap();
    drop(backup);
    let last = |vm: Uuid| stage.host.vm(vm).unwrap().last_backup;
    assert!(last(vms[0]).is_some() && last(vms[1]).is_none());
    assert_eq!(stage.ledger(), before);
}
