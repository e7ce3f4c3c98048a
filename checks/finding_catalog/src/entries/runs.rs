//! LB-21nn: what stands in the way of a VM's backup.

use hyperv_host::HostErrorKind;
use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-2101",
        id: "VM-NO-SCSI",
        title: "the VM has no SCSI controller",
        severity: Warn,
        means: "Windows Server 2012 R2 attaches the disks that it makes for a backup to the VM's SCSI controller for a moment. Without one it says: \"cannot be hot backed up since it has no SCSI controllers attached\" (event 10103). Later versions do not need it.",
        matters: "On such a host the VM can only be backed up with an interruption.",
        cure: "Shut the VM down and add a SCSI controller. It may stay empty. `lifeboat doctor --fix VM-SCSI` adds one to VMs that are off. Why: the guest's own snapshot becomes a disk that is attached while the VM runs, and a virtual IDE controller cannot take one then.",
        aliases: &["VM-SCSI"],
        events: &[10103],
        phrases: &[
            "cannot be hot backed up since it has no scsi controllers",
            "failed to revert to vss snapshot on the virtual hard disk",
        ],
        fix: "adds a SCSI controller to VMs that are off",
        ..BLANK
    },
    Explanation {
        code: "LB-2102",
        id: "VM-MERGE-PENDING",
        title: "the host is still merging disks",
        severity: Block,
        means: "A checkpoint was removed, and the host is writing its file into the one below.",
        matters: "A backup now would stack a new file upon one that is about to vanish. That is how merges come to fail for good (event 19100), and how the next backup finds files in use (0x80070020).",
        cure: "Wait until it has ended. `lifeboat doctor` says where it stands; the events 19070 (begun), 19080 (ended) and 19100 (failed) in Hyper-V-VMMS/Admin tell its story. A merge that does not begin often does when the VM is shut down.",
        events: &[19070, 19080, 19090, 19100],
        phrases: &["background disk merge"],
        ..BLANK
    },
    Explanation {
        code: "LB-2103",
        id: "VM-LEFTOVER-CHECKPOINT",
        title: "a backup's checkpoint is still there",
        severity: Warn,
        means: "A recovery checkpoint, which only backups make, exists although its run should have removed it: the run died, or belongs to another program. Hyper-V Manager shows it without a way to delete it.",
        matters: "What the guest writes goes to a file that grows until the volume is full. Some programs refuse to back the VM up at all.",
        cure: "`lifeboat doctor --fix` removes those that lifeboat made. One of another program: see that none of its jobs runs, then Get-VMSnapshot -VMName NAME -SnapshotType Recovery | Remove-VMSnapshot. Never merge its files by hand while it is there.",
        aliases: &["VM-LINGER"],
        codes: &[0xA000_971E],
        fix: "removes what dead runs of lifeboat left, and waits for merges",
        settles_residue: true,
        ..BLANK
    },
    Explanation {
        code: "LB-2104",
        id: "VM-STORAGE-LOST",
        phrases: &[
            "has been paused because it has run out of disk space",
            "lost connection to its storage",
        ],
        title: "the VM has lost its storage",
        severity: Block,
        means: "The host cannot reach a disk of the VM, or its volume is full, and keeps the VM in a critical state until it can.",
        matters: "Its guest stands still, and nothing of it can be frozen.",
        cure: "Bring the volume, the share or the cluster disk back, or make room. The VM goes on by itself.",
        ..BLANK
    },
    Explanation {
        code: "LB-2105",
        id: "VM-MERGE-RUNNING",
        phrases: &["merge never happens", "merge in progress"],
        title: "the merge after a backup is not over",
        severity: Warn,
        means: "A checkpoint is gone, and the VM still writes to its file: the host merges it into the one below, or has not begun to.",
        matters: "The point is good. The VM is not backed up again until the merge has ended, so that nothing is stacked on it.",
        cure: "Wait. If it does not end: the events 19070 to 19100 in Hyper-V-VMMS/Admin say why; shutting the VM down lets it merge.",
        more: &["LB-2102"],
        ..BLANK
    },
    Explanation {
        code: "LB-2106",
        id: "VM-CHECKPOINT-NAME",
        title: "the run's checkpoint could not be given its name",
        severity: Info,
        means: "A run names its checkpoint after itself, so that people see whose it is. The host did not let it.",
        matters: "Nothing depends on the name: the journal knows the checkpoint by its id.",
        cure: "Nothing has to be done.",
        ..BLANK
    },
    Explanation {
        code: "LB-2107",
        id: "VM-BUSY",
        title: "another operation of the host stands in the way",
        severity: Warn,
        means: "Hyper-V does one thing at a time with a VM: a checkpoint, an export, a move, another program's backup, changes from Hyper-V Replica. It answers: \"cannot start a backup operation because it is currently executing a conflicting operation. Try the backup again.\"",
        matters: "The run waits and tries again, with longer and longer pauses. When its patience is used up the VM gets no point in this run.",
        cure: "Run later, or find out what keeps the VM busy: Get-VM shows its status, and other backup programs have schedules. For a replica pause the replication meanwhile.",
        more: &["LB-2102", "LB-2108", "LB-2011"],
        errors: &[HostErrorKind::Busy],
        return_codes: &[32774],
        phrases: &[
            "currently executing a conflicting operation",
            "another backup job is in progress for the virtual machine",
            "operation cannot be performed while the object is in use",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-2108",
        id: "VM-STATE-INVALID",
        title: "the VM's state does not allow it (32775)",
        severity: Warn,
        means: "Hyper-V returns 32775, invalid state, where a VM is on its way from one state to another, is being replicated, or has a job that cannot be shared.",
        matters: "It is taken for a conflict: the run waits and tries again.",
        cure: "If it stays: see with Get-VM what the VM is doing, and whether its replication is in order.",
        more: &["LB-2107"],
        return_codes: &[5, 32775],
        phrases: &[
            "createvirtualsystemsnapshotv2 … 32775",
            "cannot be performed while the virtual machine is in its current state",
            "invalid state for this operation",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2109",
        id: "VM-CONSISTENCY",
        title: "the consistency that is required is not to be had",
        severity: Block,
        means: "The run was told to require a level (--require), and the VM does not reach it: it is off, its guest cannot take part, or a writer in it failed.",
        matters: "With --on-missed fail there is no point, with warn there is one that says what it is worth. A lesser level is never called by a greater one's name.",
        cure: "Do what the VM's other findings say of its guest, or require less. Most systems start from a crash-consistent point as they do after a power cut.",
        more: &["LB-4001", "LB-2012"],
        errors: &[HostErrorKind::ConsistencyMissed],
        ..BLANK
    },
    Explanation {
        code: "LB-2110",
        id: "VM-BLOCKED",
        title: "a check says that this cannot work",
        severity: Block,
        means: "Before anything was touched, a finding stood in the way. The message names it.",
        matters: "The VM gets no point in this run; others are not touched by it.",
        cure: "Ask for the finding's own page.",
        errors: &[HostErrorKind::Blocked],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2111",
        id: "HOST-VSS-DCOM",
        title: "a program's VSS parts may not be called (event 8194)",
        severity: Info,
        means: "Windows' event log says \"Unexpected error querying for the IVssWriterCallback interface. hr = 0x80070005, Access is denied.\" A writer runs as an account, often NETWORK SERVICE, that the requester's DCOM settings do not let in.",
        matters: "Harmless, where the writers are stable afterwards: the message comes with every backup, and Hyper-V's own writer is not meant. Where a writer stays failed, its application takes no part.",
        cure: "See that `vssadmin list writers` shows the Hyper-V writer Stable without error. To get rid of the message give the account of the writer that is named in the event Local Access in dcomcnfg: Component Services, My Computer, Properties, COM Security, Access Permissions, Edit Default.",
        more: &[
            "LB-1031",
            "learn.microsoft.com: Event ID 8194, Volume Shadow Copy Service",
        ],
        events: &[8194],
        phrases: &["unexpected error querying for the ivsswritercallback interface"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2112",
        id: "VM-DATA-EXCHANGE",
        title: "the data exchange service is off, or of another version",
        severity: Info,
        means: "Through this integration service (KVP) the guest tells its host what system it is. It is switched off in the VM's settings, or not answered. The host's event log says \"The Data Exchange integration service is either not enabled, not running or not initialized.\"",
        matters: "The backup itself does not need it. The checks do not know what system the guest is: hints for old guests, domain controllers and packages are missing.",
        cure: "Switch it on (Enable-VMIntegrationService -VMName NAME -Name \"Key-Value Pair Exchange\"); in Linux install and start hv_kvp_daemon. `lifeboat doctor --fix VM-DATA-EXCHANGE` switches it on.",
        phrases: &["data exchange integration service is either not enabled"],
        fix: "switches the data exchange service on in the VM's settings",
        ..BLANK
    },
    Explanation {
        code: "LB-2113",
        id: "VM-NO-ROOM",
        title: "there is no room for a checkpoint to grow",
        severity: Block,
        means: "While a VM is frozen, what its guest writes goes to new files beside its disks. Before it is frozen a share of its disks' size, and a reserve on top, must be free on their volume; while it is read the reserve must stay free.",
        matters: "A volume that fills pauses every VM that has a disk on it. The run gives up and merges before that.",
        cure: "Make room, back up at a time when the guest writes little, or allow less room with --room-percent and --room-reserve.",
        more: &["LB-1007"],
        errors: &[HostErrorKind::NoRoom],
        ..BLANK
    },
    Explanation {
        code: "LB-2114",
        id: "VM-CANCELLED",
        title: "somebody stopped the run",
        severity: Warn,
        means: "The run was asked to stop, and ended at the next step.",
        matters: "The VM gets no point in this run. What was made on the host is removed; if even that is cut short, the next run finds it in its journal.",
        cure: "Run again. What was stored already is not stored twice.",
        errors: &[HostErrorKind::Cancelled],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2115",
        id: "VM-VSS-PARTIAL",
        title: "one VM fails the volume snapshot for all of them",
        severity: Warn,
        means: "In one set of volume snapshots Hyper-V's writer answers for all VMs at once. One of them failed, and took the others with it.",
        matters: "The run takes that VM out and makes the set again for the others. A failure that may pass is tried again, one that is final is not.",
        cure: "Read what the run says of the VM that was taken out. If it fails each time, let VMs have sets of their own (--snapshot-per-vm).",
        more: &["LB-1031", "LB-1036"],
        phrases: &["vss_e_writererror_partial_failure"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2120",
        id: "HOST-SIGNATURE",
        title: "Windows cannot verify a program's signature (system error 577)",
        severity: Block,
        means: "Windows 7 and Windows Server 2008 R2 do not know signatures with SHA-2 until they get the update KB3033929, and say \"Windows cannot verify the digital signature for this file\".",
        matters: "A driver or a service that is signed so does not start. Lifeboat installs none; other programs on the host do.",
        cure: "Install KB3033929, or what replaced it, and restart the host. Windows Server 2008 R2 is no host that lifeboat can talk to.",
        more: &[
            "docs/operate/support-matrix.md",
            "learn.microsoft.com: Microsoft Security Advisory 3033929",
        ],
        codes: &[577, 0x8007_0241],
        phrases: &["system error 577", "cannot verify the digital signature"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2121",
        id: "VM-FULL-READ",
        codes: &[
            0xC03A_0020,
            0xC03A_0021,
            0xC03A_0022,
            0xC03A_0023,
            0xC03A_0024,
            0xC03A_0029,
            0xC03A_002A,
            0xC03A_0030,
            0xC03A_0034,
        ],
        phrases: &[
            "fail to load cbt",
            "failed to load cbt",
            "perform normal in-file delta",
            "change tracking identifier",
        ],
        title: "a disk is read in full although the host tracks its changes",
        severity: Warn,
        means: "What the last point kept does not fit the disk any more: it was resized, replaced or moved, a checkpoint was applied, the host crashed, or its reference point is gone. The finding names the reason.",
        matters: "This run takes longer. Nothing is wrong with it: all is read, and what is known is not stored again.",
        cure: "Nothing. If it happens in every run, look for another program that removes reference points, or for checkpoints that are applied each day.",
        ..BLANK
    },
    Explanation {
        code: "LB-2122",
        id: "VM-NO-REFERENCE-POINT",
        title: "the host could not leave a reference point",
        severity: Warn,
        means: "After the data was read, the run's checkpoint is turned into a reference point, from which the host tracks what changes. That failed, or left a disk out, and the checkpoint was removed instead.",
        matters: "The point of this run is good. The next backup reads the disks in full.",
        cure: "The finding tells the host's own words. 0x8007052F means that the group NT VIRTUAL MACHINE\\Virtual Machines lost the right to log on as a service.",
        more: &["LB-2121"],
        ..BLANK
    },
];
