//! LB-340n: what a VM meets on a machine that it was not made on, and what of it stays behind.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3400",
        id: "POINT-PROCESSOR",
        title: "the memory of the VM was saved on another processor",
        severity: Warn,
        means: "The point has saved memory, which was asked for, and what the host was set to then names another processor than the target host has. With another maker's processor this blocks.",
        matters: "A guest that resumes goes on with what its processor could. Where the other one lacks some of it, Hyper-V refuses, or the guest fails.",
        cure: "Restore without `--memory`: the VM starts as after a power cut. Memory moves between models of one maker where the VM was set to be compatible with older processors (Set-VMProcessor -CompatibilityForMigrationEnabled).",
        ..BLANK
    },
    Explanation {
        code: "LB-3401",
        id: "POINT-AS-NEW-LOSES",
        title: "a VM that is made anew lacks what its definition alone had",
        severity: Warn,
        means: "The VM is made of its typed configuration: generation, processors, memory, disks, adapters, Secure Boot with its template where the point tells it, and notes. The finding names what this VM loses besides.",
        matters: "Without the virtual TPM, BitLocker asks for its recovery key. With another template of Secure Boot a guest other than Windows does not start. Backups take it for another VM.",
        cure: "Have recovery keys at hand. Set what is missing before the VM starts: Set-VMFirmware -SecureBootTemplate, Enable-VMTPM, Set-VM. Or restore to a host that runs the VM's configuration version.",
        ..BLANK
    },
    Explanation {
        code: "LB-3402",
        id: "POINT-CHECKPOINT-SETTINGS",
        title: "a checkpoint's disks come with the latest settings",
        severity: Info,
        means: "A VM was asked for as it was at a checkpoint. Its disks are those of the checkpoint, each one file; its settings are those that the VM had when the point was made.",
        matters: "A checkpoint keeps settings of its own: processors, memory or adapters may have been others.",
        cure: "Restore the point as a whole and apply the checkpoint, where its settings matter.",
        ..BLANK
    },
    Explanation {
        code: "LB-3403",
        id: "POINT-BRANCH-STAYS",
        title: "a file of an old checkpoint stays behind",
        severity: Info,
        means: "The VM that gives way has checkpoints on more than one branch. What its disks are built upon goes with it; files of other branches are not its disks, and are left where they are.",
        matters: "They take room, and nothing can be read from them once what they are built upon has changed.",
        cure: "Remove the file that the finding names once the restored VM is as it should be.",
        ..BLANK
    },
    Explanation {
        code: "LB-3404",
        id: "POINT-NEEDS-CONFIRMATION",
        title: "a restore among many would destroy something",
        severity: Block,
        means: "`restore all-latest` brings back VMs that are gone, and asks nobody. What this VM's restore would do takes the place of something that is there: files with the names of its disks, or what a restore that died has left to be removed.",
        matters: "What is destroyed is confirmed by the name of what gives way, and that is asked for one VM at a time. The other VMs are restored.",
        cure: "Look at the plan of the one VM with `lifeboat restore vm POINT --to HOST --dry-run`, then confirm it.",
        ..BLANK
    },
];
