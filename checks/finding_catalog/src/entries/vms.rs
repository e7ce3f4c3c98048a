//! LB-20nn: what a VM is like.

use hyperv_host::HostErrorKind;
use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-2001",
        id: "VM-NOT-FOUND",
        title: "no VM has this identity",
        severity: Block,
        means: "The VM was deleted, or moved to another host, or the name was mistyped.",
        matters: "It is not backed up here. Its points stay in the repository.",
        cure: "See what `lifeboat vm list` says. A VM that was made anew under the same name is another VM, with a history of its own.",
        errors: &[HostErrorKind::NoSuchVm],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2002",
        id: "VM-SAME-NAME",
        title: "several VMs have the same name",
        severity: Info,
        means: "Hyper-V lets VMs have equal names. Their identity is their GUID, and each has a history of its own.",
        matters: "Where a name is asked for it names several of them, and choosing one would be a guess.",
        cure: "Name the VM by its id, or rename one; a renamed VM keeps its history.",
        ..BLANK
    },
    Explanation {
        code: "LB-2003",
        id: "VM-DUPLICATE-ID",
        title: "different configurations have the same id",
        severity: Block,
        means: "Two folders hold copies of one VM that are not the same any more.",
        matters: "Which of them the VM is cannot be told, and their points would be mixed.",
        cure: "Name a folder that holds only one of them.",
        ..BLANK
    },
    Explanation {
        code: "LB-2004",
        id: "VM-CONFIG-UNREADABLE",
        title: "the VM's configuration cannot be read from the host's files",
        severity: Warn,
        means: "The VM's disks can be reached, and its configuration file cannot, or makes no sense.",
        matters: "The point has the disks. A restore has to be told what else the VM is made of.",
        cure: "Let the account that runs lifeboat read the folder of the VM's configuration on the host.",
        ..BLANK
    },
    Explanation {
        code: "LB-2005",
        id: "VM-ELSEWHERE",
        title: "the VM is on another node of the cluster",
        severity: Block,
        means: "A clustered VM is known to the node that owns it, and to no other.",
        matters: "It cannot be frozen from here.",
        cure: "Name the node that the finding tells as the host, or the whole cluster: --host cluster:winrm://USER@NODE.",
        ..BLANK
    },
    Explanation {
        code: "LB-2006",
        id: "VM-NOBACKUP-TAG",
        title: "the VM's notes say nobackup",
        severity: Info,
        means: "The word nobackup or no-backup stands in the VM's notes.",
        matters: "Somebody decided that this VM is not to be protected.",
        cure: "Take the word out of the notes if the VM is to be backed up with all others.",
        ..BLANK
    },
    Explanation {
        code: "LB-2008",
        id: "VM-OLD-VERSION",
        title: "the VM's configuration version is below 8.0",
        severity: Warn,
        means: "The VM came from Windows Server 2012 R2 or earlier, and its configuration was not upgraded. Hyper-V tracks changes from version 8.0 on.",
        matters: "Every backup reads its disks in full. What is known is not stored again.",
        cure: "Get-VM | Format-Table Name, Version shows the versions of all VMs. If this one never has to go back to an older host: shut it down, Update-VMVersion NAME, start it. There is no way back from it, so lifeboat does not do it for you.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-2009",
        id: "VM-SHIELDED",
        title: "the VM is shielded",
        severity: Block,
        means: "A shielded VM keeps its disks and its memory from everybody but its owner, the host's administrators among them.",
        matters: "A copy made through the host could not be opened, and would only look like a backup.",
        cure: "Back it up from inside, as its owner.",
        ..BLANK
    },
    Explanation {
        code: "LB-2010",
        id: "VM-VTPM",
        title: "the VM has a virtual TPM",
        severity: Info,
        means: "The state of the TPM is in the VM's guest state file (.vmgs), which is part of the point. It is sealed to keys that the host keeps among its certificates.",
        matters: "On another host the VM is restored, and its TPM does not open without those keys: BitLocker asks for the recovery key.",
        cure: "Export the certificates of the host's \"Shielded VM Local Certificates\" store with their private keys, import them where the VM is to run, and keep BitLocker recovery keys.",
        ..BLANK
    },
    Explanation {
        code: "LB-2011",
        id: "VM-REPLICA",
        title: "the VM is a replica of one on another host",
        severity: Warn,
        means: "Hyper-V Replica sends it the changes of its primary. Its guest does not run here. While changes are applied, or when the replication is not in order, Hyper-V refuses backups of it on purpose.",
        matters: "A point of it is crash-consistent at best, and not to be had at all times.",
        cure: "Back up the VM on its primary host. Where that cannot be, pause the replication for the time of the backup.",
        more: &["LB-2107", "learn.microsoft.com: Set up Hyper-V Replica"],
        events: &[10150],
        phrases: &[
            "replica virtual machine … backup",
            "replication is in progress",
            "resynchronization is required",
            "cannot be backed up because … replication",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-2012",
        id: "VM-CHECKPOINT-TYPE",
        title: "the VM's checkpoint setting is not Production",
        severity: Info,
        means: "With the setting Standard the guest is not asked to take part in checkpoints, and a run keeps to that. Disabled concerns only checkpoints that people make: the run's own one is made and removed all the same.",
        matters: "With Standard a point is crash-consistent.",
        cure: "If that is not on purpose: Set-VM -CheckpointType Production.",
        ..BLANK
    },
    Explanation {
        code: "LB-2013",
        id: "VM-OLD-CHECKPOINTS",
        title: "a checkpoint is older than a month",
        severity: Warn,
        means: "Since a checkpoint was made, all that the guest writes goes to another file, which grows until the checkpoint is removed.",
        matters: "A checkpoint is no backup: it lies on the same volume as the disk that it would protect, and is worth nothing without it. The older it is the longer its merge takes. Going back to it can harm databases and domain controllers.",
        cure: "Make a restore point, keep that, and remove the checkpoint.",
        ..BLANK
    },
    Explanation {
        code: "LB-2014",
        id: "VM-LONG-CHAIN",
        title: "the VM runs upon many checkpoints",
        severity: Warn,
        means: "Each checkpoint adds a file to each disk. What is read is looked for in the newest first, then in the one below, and so on.",
        matters: "Reading becomes slower with each file, and one damaged file takes all above it along.",
        cure: "Remove checkpoints that are not needed any more, and wait for their merge.",
        ..BLANK
    },
    Explanation {
        code: "LB-2015",
        id: "VM-GUEST-STATE-MISSING",
        title: "the VM's guest state cannot be read",
        severity: Warn,
        means: "The VM has a virtual TPM, and the file that holds it (.vmgs) is not where the host says, or may not be read.",
        matters: "The point has no TPM. A restored VM gets an empty one, and BitLocker in it asks for its recovery key.",
        cure: "Let the account that runs lifeboat read the folder of the VM's configuration on the host, and keep BitLocker recovery keys.",
        more: &["LB-2010"],
        ..BLANK
    },
    Explanation {
        code: "LB-2016",
        id: "VM-MEMORY-MISSING",
        title: "the saved memory of the VM cannot be read",
        severity: Warn,
        means: "The VM is saved, and the file with its memory (.vmrs) is not where the host says, or may not be read.",
        matters: "The point has the disks without the memory that belongs to them: the restored VM starts as after a power cut.",
        cure: "Let the account that runs lifeboat read the folder of the VM's configuration on the host, or start the VM or shut it down before the next backup.",
        ..BLANK
    },
    Explanation {
        code: "LB-2017",
        id: "VM-UNREADABLE",
        title: "the host does not say what a VM is made of",
        severity: Block,
        means: "The host lists the VM, and not its settings: it is being made, moved or removed, or its configuration is lost or damaged.",
        matters: "Nobody knows which disks belong to it, so it is not backed up.",
        cure: "Run again. If it stays so: see whether Hyper-V Manager shows its settings, and restart the service vmms on the host, which does not stop VMs.",
        ..BLANK
    },
    Explanation {
        code: "LB-2019",
        id: "VM-OTHER-VOLUME",
        title: "the VM's checkpoints lie on another volume than its disks",
        severity: Info,
        means: "What Hyper-V makes for a checkpoint goes to the folder of the VM's settings, which is on a volume that holds no disk of the VM.",
        matters: "A backup through VSS has to snap both volumes at one moment, which some providers of snapshots cannot. With --same-volume such a VM is refused.",
        cure: "Nothing, as a rule: both volumes are snapped. Else Set-VM NAME -SnapshotFileLocation to the volume of its disks.",
        ..BLANK
    },
    Explanation {
        code: "LB-2020",
        id: "VM-NOT-RUNNING",
        title: "the VM does not run",
        severity: Info,
        means: "The VM is off, saved or paused, so its guest cannot be asked to bring its data into order.",
        matters: "The point of a VM that was shut down is as good as its disks. One that was saved needs its memory with it; one that is paused is frozen where it stands, and starts from its point as after a power cut.",
        cure: "Nothing, if that is as it should be. Start the VM before the backup where its applications should take part.",
        ..BLANK
    },
    Explanation {
        code: "LB-2021",
        id: "VM-OLD-GUEST",
        title: "the guest is too old to take part in a backup",
        severity: Warn,
        means: "Systems such as Windows 2000, Windows XP, early Linux and most BSDs have nothing that the host could ask to bring data into order.",
        matters: "On Windows Server 2012 R2 and later points are crash-consistent. Before, the host can only save the VM while the volume is snapped, which interrupts it.",
        cure: "Accept crash consistency, shut the VM down for its backup, or allow it to be saved (--allow-saved-state). Keep what matters in it elsewhere.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-2022",
        id: "VM-METHOD",
        title: "another way than the usual one is taken",
        severity: Info,
        means: "What was asked for, or what the host and the VM can do, leads to a volume snapshot, or to saving the VM, where a recovery checkpoint is the usual way. The finding says why.",
        matters: "The way decides what the point is worth and whether the VM is interrupted; the plan says both.",
        cure: "Nothing has to be done. `lifeboat vm plan` shows the ways of all VMs before anything is done.",
        ..BLANK
    },
    Explanation {
        code: "LB-2023",
        id: "VM-SAVED-STATE",
        title: "the VM is saved while it is backed up",
        severity: Warn,
        means: "The VM cannot be frozen while it runs, and the policy allows to save it: its memory goes to a file, the volume is snapped, and the VM goes on. Whatever happens meanwhile, it is brought back to the state it was found in.",
        matters: "Nobody reaches it for that time, which the plan estimates and the run measures.",
        cure: "Let its guest take part (the VM's other findings say how); then it need not be saved.",
        ..BLANK
    },
    Explanation {
        code: "LB-2024",
        id: "VM-SAVED-STATE-REFUSED",
        title: "the VM would have to be saved, which is not allowed",
        severity: Block,
        means: "The VM cannot be frozen while it runs. The only way left is to save it for a moment, and the policy does not allow interruptions.",
        matters: "The VM gets no point in this run.",
        cure: "Let its guest take part (the VM's other findings say how), shut it down for its backup, or allow it to be saved with --allow-saved-state.",
        ..BLANK
    },
    Explanation {
        code: "LB-2025",
        id: "VM-CHECKPOINT-INCOMPLETE",
        title: "a checkpoint's files are not all there",
        severity: Block,
        means: "The whole tree of checkpoints is to be backed up, and a file that one of them needs is missing or cannot be read.",
        matters: "A tree with a hole cannot be brought back, and would look like a backup.",
        cure: "Bring the file back, remove the checkpoint, or back up the latest state alone (--mode standard).",
        ..BLANK
    },
    Explanation {
        code: "LB-2026",
        id: "VM-CHECKPOINT-MISSING",
        title: "a checkpoint that the VM lists has no configuration",
        severity: Warn,
        means: "The VM's configuration names a checkpoint, and no file below the folder is its configuration.",
        matters: "That checkpoint is not in the point; the others and the latest state are.",
        cure: "Put the files of the checkpoint below the folder as well.",
        ..BLANK
    },
    Explanation {
        code: "LB-2027",
        id: "VM-SAVED-STATE-INSTEAD",
        title: "the VM was saved, as it could not be frozen while it ran",
        severity: Warn,
        means: "The host refused to freeze the VM while it runs, and the policy allows to save it instead: that was done.",
        matters: "The VM was not there for a while; the run says for how long.",
        cure: "See why the host refused, which the finding tells; then the VM need not be saved.",
        more: &["LB-2023"],
        ..BLANK
    },
    Explanation {
        code: "LB-2028",
        id: "VM-INTERRUPTED",
        title: "the guest did not run for a while",
        severity: Warn,
        means: "The VM was saved or paused while its volume was snapped, and brought back to the state it was found in.",
        matters: "Nobody reached it for the time that the finding tells.",
        cure: "Let its guest take part (the VM's other findings say how), or back it up at a time when nobody minds.",
        more: &["LB-2023"],
        ..BLANK
    },
    Explanation {
        code: "LB-2029",
        id: "VM-OWN-SNAPSHOT",
        title: "the VM got a volume snapshot of its own",
        severity: Info,
        means: "One volume snapshot was to serve many VMs. This one failed in it and was taken out; it was snapped again by itself.",
        matters: "Its point is of another moment than those of the other VMs of the run.",
        cure: "Nothing, if it was once. Else see what the finding says that the host said of it.",
        more: &["LB-2115"],
        ..BLANK
    },
    Explanation {
        code: "LB-2030",
        id: "VM-CHECKPOINT-FILES",
        title: "a checkpoint's configuration or memory cannot be read",
        severity: Warn,
        means: "A file that belongs to a checkpoint is not where the host says, or may not be read.",
        matters: "The point has the checkpoint's disks without it: it may not come back as a checkpoint.",
        cure: "Let the account that runs lifeboat read the VM's folder of snapshots on the host, or remove the checkpoint.",
        ..BLANK
    },
    Explanation {
        code: "LB-2032",
        id: "VM-SNAPSHOT-ALONE",
        title: "the VM shares its volume snapshots with no other",
        severity: Info,
        means: "One set of volume snapshots serves all VMs of a run, and freezes them together when the first of them begins. A command runs before or after each VM (--before-vm, --after-vm), so each VM is frozen alone, after its own command.",
        matters: "The run takes more snapshots, and the VMs' points are of different moments.",
        cure: "Nothing, if that is as it should be. With --before and --after alone one set serves all VMs.",
        more: &["docs/operate/backup-modes.md", "LB-2029"],
        ..BLANK
    },
    Explanation {
        code: "LB-2033",
        id: "VM-NOT-LOOKED",
        title: "doctor could not look at something of the VM",
        severity: Info,
        means: "The finding says what was not looked at and why: a disk that its host keeps for itself, or whose files nothing maps to this machine.",
        matters: "That nothing is said of it does not mean that nothing is wrong with it. Backups do not depend on that look.",
        cure: "Do what the finding says of it, or look again while the VM is off.",
        more: &["LB-4010", "LB-1023"],
        ..BLANK
    },
];
