//! Findings about a VM's checkpoints.

use hyperv_host::{Finding, Severity};
use jiff::{SignedDuration, Timestamp};

use crate::facts::VmFacts;

/// A checkpoint of this age is forgotten rather than wanted.
const OLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Checkpoints upon each other from which on reading is felt to be slow (DISK-06).
const LONG_CHAIN: usize = 10;

pub(super) fn findings(vm: &VmFacts, now: Timestamp) -> impl Iterator<Item = Finding> {
    [leftover(vm), old(vm, now), long_chain(vm)]
        .into_iter()
        .flatten()
}

/// A backup's checkpoint that outlived its run. Whose it is cannot be told from here.
fn leftover(vm: &VmFacts) -> Option<Finding> {
    let names: Vec<String> = vm
        .recovery_snapshots()
        .map(|snapshot| match snapshot.created {
            Some(created) => format!("{:?} of {}", snapshot.name, created.strftime("%F %R")),
            None => format!("{:?}", snapshot.name),
        })
        .collect();
    if names.is_empty() {
        return None;
    }
    let text = format!(
        "a backup's checkpoint is there: {}; unless a backup is running right now, a run left it \
         behind, and it grows for as long as it stays",
        names.join(", ")
    );
    Some(
        Finding::new("VM-LEFTOVER-CHECKPOINT", Severity::Warn, text).cure(
            "`lifeboat doctor --fix` removes those of its own runs; one of another program is \
             removed with Get-VMSnapshot -SnapshotType Recovery | Remove-VMSnapshot",
        ),
    )
}

fn old(vm: &VmFacts, now: Timestamp) -> Option<Finding> {
    let oldest = vm
        .user_snapshots()
        .filter_map(|snapshot| Some((now.duration_since(snapshot.created?), snapshot)))
        .max_by_key(|(age, _)| *age)
        .filter(|(age, _)| *age > OLD);
    let (age, snapshot) = oldest?;
    let text = format!(
        "the checkpoint {:?} is {} days old; it lies beside the disk that it would protect, so it \
         is no backup, and the longer it stays the longer its merge takes",
        snapshot.name,
        age.as_hours() / 24
    );
    Some(
        Finding::new("VM-OLD-CHECKPOINTS", Severity::Warn, text)
            .cure("remove it when a restore point has what it was made for"),
    )
}

fn long_chain(vm: &VmFacts) -> Option<Finding> {
    let mut depth = 0;
    let mut at = vm.settings.parent.as_deref();
    while let Some(id) = at {
        let parent = vm
            .snapshots
            .iter()
            .find(|snapshot| snapshot.settings.instance_id.eq_ignore_ascii_case(id));
        depth += 1;
        // What refers to itself ends here as well.
        at = parent
            .filter(|_| depth <= vm.snapshots.len())
            .and_then(|snapshot| snapshot.parent.as_deref());
    }
    if depth < LONG_CHAIN {
        return None;
    }
    let text = format!(
        "the VM runs upon {depth} checkpoints, one on top of the other: every read goes through \
         all their files"
    );
    Some(
        Finding::new("VM-LONG-CHAIN", Severity::Warn, text)
            .cure("remove checkpoints that are not needed any more"),
    )
}
