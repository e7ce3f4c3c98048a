//! LB-22nn: what runs leave on a host.

use hyperv_host::Severity::{Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-2201",
        id: "VM-CLEANED",
        title: "what a dead run had left was removed",
        severity: Info,
        means: "An earlier run of this VM died. This one found in the journal what it had made on the host, and removed it.",
        matters: "The VM is as it was before the dead run.",
        cure: "Nothing has to be done. If runs die often, find out why.",
        ..BLANK
    },
    Explanation {
        code: "LB-2202",
        id: "RESIDUE-CHECKPOINT",
        fix: "removes what dead runs of lifeboat left, and waits for merges",
        settles_residue: true,
        title: "a checkpoint of a run is still there",
        severity: Warn,
        means: "A run of lifeboat made the checkpoint and could not remove it: it died, or the host refused.",
        matters: "What the guest writes goes to a file that grows until the checkpoint is gone.",
        cure: "`lifeboat doctor --fix` tries again, and so does the VM's next backup.",
        ..BLANK
    },
    Explanation {
        code: "LB-2203",
        id: "RESIDUE-CHECKPOINT-MARKED",
        title: "a checkpoint has the name of a run that is not known here",
        severity: Warn,
        means: "The name of the checkpoint is one that lifeboat gives, and the journal on this machine does not know it: another machine made it, or the journal was lost.",
        matters: "It grows like any other. It may be needed right now by a run on another machine.",
        cure: "If no other machine, and no run with another `--state`, backs the VM up right now, remove it: `Get-VMSnapshot -SnapshotType Recovery | Remove-VMSnapshot`. This program does not: it might be what another run of it is reading.",
        ..BLANK
    },
    Explanation {
        code: "LB-2204",
        id: "RESIDUE-CHECKPOINT-FOREIGN",
        title: "a backup checkpoint of another program is there",
        severity: Warn,
        means: "Only backups make recovery checkpoints, and this one is not of lifeboat.",
        matters: "It grows for as long as it stays. It is not touched, since the other program may need it.",
        cure: "If that program is done with it: Get-VMSnapshot -SnapshotType Recovery | Remove-VMSnapshot.",
        ..BLANK
    },
    Explanation {
        code: "LB-2205",
        id: "RESIDUE-CHECKPOINT-UNDECIDED",
        title: "whose a checkpoint is cannot be told",
        severity: Warn,
        means: "A run died while the host was making its checkpoint, and more than one was made at that time.",
        matters: "One of them may be another program's, so none is touched.",
        cure: "See which of them no other program needs, and remove those: Get-VMSnapshot -SnapshotType Recovery | Remove-VMSnapshot.",
        ..BLANK
    },
    Explanation {
        code: "LB-2206",
        id: "RESIDUE-REFERENCE-POINT",
        fix: "removes what dead runs of lifeboat left, and waits for merges",
        settles_residue: true,
        title: "a reference point of a run is not needed any more",
        severity: Info,
        means: "A reference point keeps a tracking id alive. This one belongs to no restore point.",
        matters: "It costs next to nothing. Many of them make merges slower.",
        cure: "`lifeboat doctor --fix` tries again to remove it, and so does the VM's next backup.",
        ..BLANK
    },
    Explanation {
        code: "LB-2207",
        id: "RESIDUE-REFERENCE-POINT-WAITS",
        title: "whether a reference point is needed is not known here",
        severity: Info,
        means: "A run died after it had left a reference point, and perhaps before its restore point was written. Only the repository knows, which is not asked here.",
        matters: "If its restore point exists, the next backup reads what changed since.",
        cure: "Nothing: the VM's next backup keeps or removes it.",
        ..BLANK
    },
    Explanation {
        code: "LB-2208",
        id: "RESIDUE-REFERENCE-POINT-UNDECIDED",
        title: "whose a reference point is cannot be told",
        severity: Info,
        means: "A run died while the host was making its reference point, and more than one was made at that time.",
        matters: "One of them may be another program's, so none is touched. It costs next to nothing.",
        cure: "Nothing has to be done.",
        ..BLANK
    },
    Explanation {
        code: "LB-2209",
        id: "RESIDUE-JOB",
        title: "the host still works for a run that gave up",
        severity: Warn,
        means: "The host is still making a checkpoint that a run stopped waiting for.",
        matters: "The VM is busy until it ends, and the checkpoint will be there then.",
        cure: "Wait, then `lifeboat doctor --fix`. If it never ends, restart the service vmms on the host, which does not stop VMs.",
        ..BLANK
    },
    Explanation {
        code: "LB-2210",
        id: "RESIDUE-VM-MOVED",
        title: "a run left something on a VM that is not here any more",
        severity: Warn,
        means: "The journal names a VM that the host does not have: it was moved to another host, and took its checkpoints along, or was deleted.",
        matters: "A checkpoint that moved along grows there.",
        cure: "Run `lifeboat doctor --fix` against the host that has the VM now, with the same --state. If the VM was deleted, remove the journal's file that the finding names.",
        ..BLANK
    },
    Explanation {
        code: "LB-2211",
        id: "RESIDUE-UNSETTLED",
        title: "what a run left could not be looked at or removed",
        severity: Warn,
        means: "The host could not be asked, or failed at it. The finding tells its words.",
        matters: "Whatever it is stays until somebody tries again.",
        cure: "`lifeboat doctor --fix` tries again, and so does the VM's next backup.",
        ..BLANK
    },
    Explanation {
        code: "LB-2212",
        id: "RESIDUE-JOURNAL",
        title: "a journal entry stays although nothing is left",
        severity: Info,
        means: "A run's entry in the journal could not be closed or read, or nobody has closed it since the run died.",
        matters: "Nothing on the host depends on it, unless it cannot be read: then nobody knows what the run made.",
        cure: "`lifeboat doctor --fix` closes it. If it cannot be read, use the newest version of lifeboat; then compare the VM's checkpoints with the runs, and remove the file.",
        ..BLANK
    },
    Explanation {
        code: "LB-2213",
        id: "RESIDUE-AVHDX",
        title: "a checkpoint's file belongs to nothing",
        severity: Info,
        means: "No VM of the host and none of their checkpoints uses the file.",
        matters: "It takes room. It may be all that is left of a checkpoint that somebody still wants.",
        cure: "See that no other host uses it, move it away, and remove it once its VM has started without it. Never merge it by hand into a disk that is in use.",
        ..BLANK
    },
    Explanation {
        code: "LB-2214",
        id: "RESIDUE-POWER",
        title: "a VM that was saved for its backup is not back",
        severity: Warn,
        means: "A run saved the VM, wrote down in which state it had found it, and died before it was brought back.",
        matters: "Nobody reaches the VM.",
        cure: "`lifeboat doctor --fix` brings it back to the state it was found in, and so does the VM's next backup; or start it by hand.",
        fix: "brings VMs back to the state that dead runs found them in",
        settles_residue: true,
        ..BLANK
    },
    Explanation {
        code: "LB-2215",
        id: "RESIDUE-AUTORECOVERY",
        title: "a file of the host's writer was left",
        severity: Warn,
        means: "An interrupted backup through VSS left NAME-AutoRecovery.avhdx beside a disk on a host of 2012 R2.",
        matters: "The VM's next backup through VSS fails on it (0x800423FB, 0x80070050).",
        cure: "See that no VM uses the file (Get-VMHardDiskDrive), then move it away.",
        more: &["LB-2124", "learn.microsoft.com: KB3175561"],
        ..BLANK
    },
    Explanation {
        code: "LB-2216",
        id: "RESIDUE-PLANNED-VM",
        title: "a restore has left a planned VM",
        severity: Warn,
        means: "A restore had the host read a VM's definition, wrote down that it would, and died before a VM came of it. Planned VMs are not shown by Hyper-V's own tools.",
        matters: "It holds nothing and runs nothing. Some hosts do not import the same VM again while it is there.",
        cure: "`lifeboat doctor --fix` removes it where it can be told from others', and so does the next restore to the host.",
        fix: "removes planned VMs that dead restores left",
        settles_residue: true,
        ..BLANK
    },
    Explanation {
        code: "LB-2217",
        id: "RESIDUE-RESTORED-VM",
        title: "a restore died after it had made its VM",
        severity: Info,
        means: "The VM is made, and the restore did not hear of it, or did not come to its end. One that was only half made is removed instead.",
        matters: "Files that the restore needed meanwhile are still there.",
        cure: "Run the same restore again: it takes the VM for its own and puts things in order. Or use the VM as it is, or remove it.",
        ..BLANK
    },
    Explanation {
        code: "LB-2218",
        id: "RESIDUE-WRITER-RESTORE",
        title: "a restore through VSS died while the VM was away",
        severity: Warn,
        means: "The writer was told to make room (PreRestore), which takes the VM from the host, and was never told that the files are in place (PostRestore). Writers do not undo what they did.",
        matters: "The VM is not on the host. Its old disks are there, under names that end in `.lifeboat-old-…` where they gave way already.",
        cure: "Run the same restore again: it goes on, or puts everything back. Once the VM is on the host, `lifeboat doctor --fix` forgets it.",
        ..BLANK
    },
];
