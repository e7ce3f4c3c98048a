//! Findings about a VM as a whole.

use hyperv_host::{Finding, PowerState, Severity};

use crate::facts::{CheckpointSetting, ConfigurationVersion, VmFacts, VmOperation};

pub(super) fn findings(vm: &VmFacts) -> impl Iterator<Item = Finding> {
    [
        shielded(vm),
        storage_lost(vm),
        merging(vm),
        busy(vm),
        old_version(vm),
        replica(vm),
        checkpoint_setting(vm),
        tpm(vm),
        not_wanted(vm),
    ]
    .into_iter()
    .flatten()
}

fn shielded(vm: &VmFacts) -> Option<Finding> {
    vm.shielded.then(|| {
        let text = "this is a shielded VM: nobody but its owner may read its disks, so there is \
                    nothing that a backup through the host could restore";
        Finding::new("VM-SHIELDED", Severity::Block, text)
            .cure("back it up from inside, as its owner")
    })
}

fn storage_lost(vm: &VmFacts) -> Option<Finding> {
    vm.critical.then(|| {
        let text = "the host says that the VM has lost its storage";
        Finding::new("VM-STORAGE-LOST", Severity::Block, text).cure(
            "bring the volume or share back that holds its disks, and see that it is not full",
        )
    })
}

/// A run must not stack on disks that still merge (requirement X-01).
fn merging(vm: &VmFacts) -> Option<Finding> {
    (vm.operation == Some(VmOperation::MergingDisks)).then(|| {
        let text = "the host is still merging disks after a checkpoint was removed; a backup now \
                    would stack a new file upon one that is about to vanish";
        Finding::new("VM-MERGE-PENDING", Severity::Block, text).cure(
            "wait until the merge has ended (`lifeboat doctor` says where it stands), then run \
             again; events 19070 to 19100 in the log Hyper-V-VMMS/Admin tell its story",
        )
    })
}

fn busy(vm: &VmFacts) -> Option<Finding> {
    let what = match vm.operation {
        Some(VmOperation::MergingDisks) => return None,
        Some(operation) => format!("the host is {}", operation.text()),
        None if vm.state == PowerState::Other && !vm.critical => {
            format!("the VM is {}", vm.state_text)
        }
        None => return None,
    };
    let text = format!("{what}, and only one such operation can go on at a time");
    Some(
        Finding::new("VM-BUSY", Severity::Warn, text)
            .cure("nothing: the run tries again for a while; if that fails, run it later"),
    )
}

fn old_version(vm: &VmFacts) -> Option<Finding> {
    let version = vm.settings.version;
    (version < ConfigurationVersion::TRACKED).then(|| {
        let text = format!(
            "the VM's configuration version is {version}, and the host tracks changes from {} on: \
             every backup reads the disks in full",
            ConfigurationVersion::TRACKED
        );
        // There is no way back from it, so it is told and not done (requirement PRE-29).
        let cure = format!(
            "look with Get-VM | Format-Table Name, Version; if the VM never has to move back to an \
             older host: shut it down and run Update-VMVersion {:?}, from which there is no way back",
            vm.name
        );
        Finding::new("VM-OLD-VERSION", Severity::Warn, text).cure(cure)
    })
}

fn replica(vm: &VmFacts) -> Option<Finding> {
    let replication = vm.replication;
    if !replication.is_replica() {
        return None;
    }
    let finding = match replication.in_the_way() {
        Some(state) => Finding::new(
            "VM-REPLICA",
            Severity::Warn,
            format!("this is a replica of a VM on another host, and {state}: a backup will fail"),
        ),
        None => Finding::new(
            "VM-REPLICA",
            Severity::Info,
            "this is a replica of a VM on another host: its guest does not run here, so a backup \
             is crash-consistent at best, and waits while changes from the other host are applied",
        ),
    };
    Some(finding.cure("back up the VM on its primary host instead, or pause the replication"))
}

/// Says what the setting for people's checkpoints means to a backup (CONS-04, CONS-05).
fn checkpoint_setting(vm: &VmFacts) -> Option<Finding> {
    let text = match vm.settings.checkpoints {
        CheckpointSetting::Standard => {
            "production checkpoints are switched off in the VM's settings (checkpoint type \
             Standard): the guest is not asked to take part, and points are crash-consistent"
        }
        CheckpointSetting::Disabled => {
            "checkpoints are switched off in the VM's settings; that concerns those that people \
             make, and the run's own checkpoint is made and removed all the same"
        }
        _ => return None,
    };
    let cure = "set the checkpoint type to Production, if that is not on purpose: \
                Set-VM -CheckpointType Production";
    Some(Finding::new("VM-CHECKPOINT-TYPE", Severity::Info, text).cure(cure))
}

fn tpm(vm: &VmFacts) -> Option<Finding> {
    (vm.has_tpm && !vm.shielded).then(|| {
        let text = "the VM has a virtual TPM: its state is in the point, sealed to keys that this \
                    host keeps";
        Finding::new("VM-VTPM", Severity::Info, text).cure(
            "export the host's guardian certificates (\"Shielded VM Local Certificates\"), so that \
             the TPM opens on another host too, and keep BitLocker recovery keys",
        )
    })
}

/// Requirement X-31.
fn not_wanted(vm: &VmFacts) -> Option<Finding> {
    let notes = vm.settings.notes.to_lowercase();
    let tagged = notes
        .split(|character: char| !character.is_alphanumeric() && character != '-')
        .any(|word| matches!(word, "nobackup" | "no-backup"));
    tagged.then(|| {
        let text = "the VM's notes say nobackup";
        Finding::new("VM-NOBACKUP-TAG", Severity::Info, text)
            .cure("take the word out of its notes if it is to be backed up")
    })
}
