//! The order of events, per version and kind of component.

use hyperv_sim::Profile;

use crate::stage::{Stage, never};

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
