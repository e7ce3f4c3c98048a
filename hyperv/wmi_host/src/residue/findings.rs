//! What can be left behind, in words.

use std::fmt::Display;

use hyperv_host::{Finding, HostError, PowerState, Severity};

use super::examine::MergeState;
use crate::facts::{ReferencePointFacts, SnapshotFacts, VmFacts};
use crate::journal::JournalEntry;

const FIX: &str = "`lifeboat doctor --fix` tries again, and so does the VM's next backup";

/// A run's entry cannot be settled now.
pub(super) fn unsettled(entry: &JournalEntry, why: &str) -> Finding {
    let text = format!(
        "what the run {} made on the VM {} could not be looked at or removed: {why}",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-UNSETTLED", Severity::Warn, text).cure(FIX)
}

/// The journal's file stays.
pub(super) fn journal_not_closed(place: &str, why: &str) -> Finding {
    let text = format!("nothing is left of a run, but its journal entry {place} stays: {why}");
    Finding::new("RESIDUE-JOURNAL", Severity::Info, text).cure(FIX)
}

/// A journal entry that cannot be read.
pub(super) fn journal_unreadable(file: &str, why: &str) -> Finding {
    let text = format!("the journal entry {file} cannot be read: {why}");
    Finding::new("RESIDUE-JOURNAL", Severity::Warn, text).cure(
        "use the newest version of the program; if it cannot read the entry either, compare the \
         VM's checkpoints with the program's runs and remove the file",
    )
}

/// The VM is not on the host any more.
pub(super) fn vm_gone(entry: &JournalEntry, place: &str) -> Finding {
    let mut owed = Vec::new();
    if entry.found.is_some() {
        owed.push("has saved the VM, or was about to, and did not bring it back");
    }
    if entry.replication_paused {
        owed.push("has paused the replication of the VM, or was about to, and did not resume it");
    }
    if owed.is_empty() {
        owed.push("has left a checkpoint or a reference point on the VM");
    }
    let text = format!(
        "the run {} {}: {} ({}), which {} does not have any more",
        entry.run,
        owed.join(", and "),
        entry.vm_name,
        entry.vm,
        entry.host
    );
    Finding::new("RESIDUE-VM-MOVED", Severity::Warn, text).cure(format!(
        "if the VM lives on another host: run lifeboat doctor --fix there, with this journal; if \
         it was deleted: remove {place}"
    ))
}

/// The job that makes a checkpoint goes on.
pub(super) fn job_goes_on(entry: &JournalEntry) -> Finding {
    let text = format!(
        "the host still works on a checkpoint of the VM {} that the run {} gave up waiting for",
        entry.vm_name, entry.run
    );
    Finding::new("RESIDUE-JOB", Severity::Warn, text).cure(
        "wait; if it never ends, restart the service vmms on the host, which does not stop VMs, \
         and run lifeboat doctor --fix",
    )
}

/// A checkpoint of a run that died.
pub(super) fn checkpoint_left(vm: &VmFacts, snapshot: &SnapshotFacts, run: &str) -> Finding {
    let text = format!(
        "the run {run} died and left the checkpoint {:?} on the VM {}",
        snapshot.name, vm.name
    );
    Finding::new("RESIDUE-CHECKPOINT", Severity::Warn, text).cure(FIX)
}

/// A checkpoint of a run could not be removed.
pub(super) fn checkpoint_stays(
    vm: &VmFacts,
    snapshot: &SnapshotFacts,
    why: &dyn Display,
) -> Finding {
    let text = format!(
        "the checkpoint {:?} of the VM {} could not be removed: {why}",
        snapshot.name, vm.name
    );
    Finding::new("RESIDUE-CHECKPOINT", Severity::Warn, text).cure(FIX)
}

/// A checkpoint with our name, of which no journal knows.
pub(super) fn checkpoint_marked(vm: &VmFacts, snapshot: &SnapshotFacts) -> Finding {
    let text = format!(
        "the VM {} has the checkpoint {:?}: by its name of a run of this program, of which the \
         journal here knows nothing",
        vm.name, snapshot.name
    );
    Finding::new("RESIDUE-CHECKPOINT-MARKED", Severity::Warn, text).cure(
        "if no other machine, and no run with another --state, backs this VM up right now, \
             remove it: Get-VMSnapshot -SnapshotType Recovery | Remove-VMSnapshot",
    )
}

/// A checkpoint that a backup made, not ours.
pub(super) fn checkpoint_foreign(vm: &VmFacts, snapshot: &SnapshotFacts) -> Finding {
    let text = format!(
        "the VM {} has the backup checkpoint {:?}, which this program did not make: it is not \
         touched",
        vm.name, snapshot.name
    );
    Finding::new("RESIDUE-CHECKPOINT-FOREIGN", Severity::Warn, text).cure(
        "if the program that made it is done with it, remove it: Get-VMSnapshot -SnapshotType \
         Recovery | Remove-VMSnapshot",
    )
}

/// Checkpoints that may be ours or another's.
pub(super) fn checkpoint_undecided(vm: &VmFacts, undecided: &[SnapshotFacts]) -> Finding {
    let names: Vec<String> = undecided
        .iter()
        .map(|own| format!("{:?}", own.name))
        .collect();
    let text = format!(
        "a run died while it made a checkpoint of the VM {}; which of {} is its own cannot be \
         told, so none is touched",
        vm.name,
        names.join(", ")
    );
    Finding::new("RESIDUE-CHECKPOINT-UNDECIDED", Severity::Warn, text).cure(
        "remove by hand what no other backup program needs: Get-VMSnapshot -SnapshotType Recovery \
         | Remove-VMSnapshot",
    )
}

/// A reference point of a run that died before its point existed, or that was replaced.
pub(super) fn reference_point_left(vm: &VmFacts, own: &ReferencePointFacts) -> Finding {
    let text = format!(
        "the VM {} has the reference point {} of a run of this program, which no backup needs",
        vm.name, own.instance_id
    );
    Finding::new("RESIDUE-REFERENCE-POINT", Severity::Info, text).cure(FIX)
}

/// A reference point could not be removed.
pub(super) fn reference_point_stays(
    vm: &VmFacts,
    own: &ReferencePointFacts,
    why: &dyn Display,
) -> Finding {
    let text = format!(
        "the reference point {} of the VM {}, which no backup needs any more, could not be \
         removed: {why}",
        own.instance_id, vm.name
    );
    Finding::new("RESIDUE-REFERENCE-POINT", Severity::Info, text).cure(FIX)
}

/// Only the VM's next backup can tell whether a reference point is needed.
pub(super) fn reference_point_waits(vm: &VmFacts, own: &ReferencePointFacts) -> Finding {
    let text = format!(
        "a run of the VM {} died when it had left the reference point {}; whether a restore point \
         needs it, the VM's next backup will know",
        vm.name, own.instance_id
    );
    Finding::new("RESIDUE-REFERENCE-POINT-WAITS", Severity::Info, text)
        .cure("nothing: the VM's next backup keeps or removes it")
}

/// Reference points that may be ours or another's.
pub(super) fn reference_point_undecided(
    vm: &VmFacts,
    undecided: &[ReferencePointFacts],
) -> Finding {
    let ids: Vec<&str> = undecided
        .iter()
        .map(|own| own.instance_id.as_str())
        .collect();
    let text = format!(
        "a run died while it made a reference point of the VM {}; which of {} is its own cannot \
         be told, so none is touched",
        vm.name,
        ids.join(", ")
    );
    Finding::new("RESIDUE-REFERENCE-POINT-UNDECIDED", Severity::Info, text)
        .cure("nothing has to be done: a reference point costs next to nothing")
}

/// The merge after a checkpoint's removal goes on, or does not.
pub(crate) fn merge_goes_on(vm: &VmFacts, state: MergeState, severity: Severity) -> Finding {
    let text = format!(
        "the VM {} still writes to a checkpoint's file: {}",
        vm.name,
        state.text()
    );
    let cure = match state {
        MergeState::Pending => {
            "look for events 19070 to 19100 in the log Hyper-V-VMMS/Admin on the host; shutting the \
             VM down lets it merge. Until then it is not backed up again"
        }
        _ => "nothing: the VM can be backed up again when its host is done",
    };
    Finding::new("VM-MERGE-RUNNING", severity, text).cure(cure)
}

/// A file of a checkpoint that no VM and no checkpoint uses.
pub(super) fn orphan_file(path: &str) -> Finding {
    let text = format!(
        "{path} is a checkpoint's file that no VM of this host and none of its checkpoints uses"
    );
    Finding::new("RESIDUE-AVHDX", Severity::Info, text).cure(
        "if no other host uses it either, move it away, and remove it once the VM has started \
         without it; never merge it by hand into a disk that is in use",
    )
}

/// A VM's replication that was paused for its backup, and is not resumed.
pub(super) fn replication_paused(entry: &JournalEntry, error: &HostError) -> Finding {
    let text = format!(
        "the run {} paused the replication of the VM {}, and it could not be resumed: {error}",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-REPLICATION", Severity::Warn, text).cure(
        "`lifeboat doctor --fix` tries again, and so does the VM's next backup; or resume it by \
         hand: Resume-VMReplication",
    )
}

/// A replication that a dead run has paused.
pub(super) fn replication_left(entry: &JournalEntry) -> Finding {
    let text = format!(
        "the run {} paused the replication of the VM {} for its backup and died before it was \
         resumed",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-REPLICATION", Severity::Warn, text).cure(
        "`lifeboat doctor --fix` resumes it, and so does the VM's next backup; or resume it by \
         hand: Resume-VMReplication",
    )
}

/// A VM that was saved for its backup, or was about to be, by a run that died.
pub(super) fn power_left(entry: &JournalEntry, vm: &VmFacts) -> Finding {
    if vm.state != PowerState::Saved {
        let text = format!(
            "the run {} died while it saved the VM {} for its backup, or brought it back: the VM \
             is {}",
            entry.run, vm.name, vm.state_text
        );
        return Finding::new("RESIDUE-POWER", Severity::Warn, text).cure(
            "`lifeboat doctor --fix` looks what is owed to the VM, and so does its next backup",
        );
    }
    let text = format!(
        "the run {} saved the VM {} for its backup and died before it was brought back",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-POWER", Severity::Warn, text).cure(
        "`lifeboat doctor --fix` brings it back, and so does the VM's next backup; or start it by \
         hand: Start-VM",
    )
}

/// What a run that died on another host owes to a VM there, where a VM of the same identity is
/// here: a replica and its primary, or a VM that was moved.
pub(crate) fn owed_elsewhere(entry: &JournalEntry) -> Vec<Finding> {
    let host = match entry.computer.as_str() {
        "" => &entry.host,
        computer => computer,
    };
    let of = |id: &str, did: &str| {
        let text = format!(
            "the run {} {did} the VM {} on {host}, and died before that was undone; the VM of this \
             identity here may be another one, so it is not touched",
            entry.run, entry.vm_name
        );
        Finding::new(id, Severity::Warn, text).cure(format!(
            "run lifeboat doctor --fix on {host}, with this journal; if the VM was moved here, see \
             by hand that it runs and replicates as it should"
        ))
    };
    let power = entry.found.map(|_| of("RESIDUE-POWER", "saved"));
    let paused = entry.replication_paused;
    let replication = paused.then(|| of("RESIDUE-REPLICATION", "paused the replication of"));
    power.into_iter().chain(replication).collect()
}

/// A VM that was saved for its backup could not be brought back.
pub(super) fn power_not_given_back(entry: &JournalEntry, why: &dyn Display) -> Finding {
    let text = format!(
        "the VM {}, which was saved for its backup, could not be brought back: {why}",
        entry.vm_name
    );
    Finding::new("RESIDUE-POWER", Severity::Warn, text).cure(
        "start it by hand: Start-VM; `lifeboat doctor --fix` tries again, and so does the VM's next \
         backup",
    )
}

/// A file that the host's writer has left.
pub(super) fn auto_recovery_left(path: &str) -> Finding {
    let text = format!(
        "{path} was left by a backup through the host's VSS writer: the VM's next backup would fail \
         on it (0x800423FB, 0x80070050)"
    );
    Finding::new("RESIDUE-AUTORECOVERY", Severity::Warn, text)
        .cure("see that no VM uses the file (Get-VMHardDiskDrive), then move it away (KB3175561)")
}

/// Something of the VM could not be looked at.
pub(super) fn not_looked_at(vm: &VmFacts, error: &HostError) -> Finding {
    let text = format!("what is left on the VM {} is not known: {error}", vm.name);
    Finding::new("RESIDUE-UNSETTLED", Severity::Warn, text).cure(FIX)
}

/// A node of a cluster could not be looked at.
pub(crate) fn node_not_looked_at(node: &str, error: &HostError) -> Finding {
    let text = format!("what is left on the node {node} is not known: {error}");
    Finding::new("RESIDUE-UNSETTLED", Severity::Warn, text).cure(FIX)
}

/// An entry of a dead run of which nothing is left.
pub(super) fn unsettled_entry(entry: &JournalEntry) -> Finding {
    let text = format!(
        "the run {} of the VM {} died; nothing of it is left but its journal entry",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-JOURNAL", Severity::Info, text).cure(FIX)
}
