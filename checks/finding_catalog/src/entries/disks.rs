//! LB-3nnn: disks.

use hyperv_host::HostErrorKind;
use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3001",
        id: "VM-PASS-THROUGH",
        phrases: &[
            "ignorenonsnapshottabledisks",
            "pass-through disk",
            "physical disk … cannot be backed up",
        ],
        title: "a disk of the VM is a physical disk of the host",
        severity: Warn,
        means: "A pass-through disk has no file. Hyper-V can neither freeze nor replicate it.",
        matters: "It is not in the point, which is marked as incomplete. A VM that needs it does not start from the point alone.",
        cure: "Back its data up from inside the VM, or move it to a virtual disk: New-VHD -SourceDisk on the host while the VM is off, or `lifeboat disk convert` from an image of it. With --refuse-incomplete such a VM gets no point at all.",
        ..BLANK
    },
    Explanation {
        code: "LB-3002",
        id: "VM-SHARED-DISK",
        codes: &[0xC05C_FF0A],
        phrases: &["shared virtual hard disk", "shared vhdx"],
        title: "a disk of the VM is shared with other VMs",
        severity: Block,
        means: "The disk is a shared VHDX in the manner of Windows Server 2012 R2: several VMs write to it at once. Hyper-V makes no checkpoint of a VM with such a disk.",
        matters: "The VM cannot be backed up through its host.",
        cure: "Back it up from inside the guest cluster.",
        ..BLANK
    },
    Explanation {
        code: "LB-3003",
        id: "VM-VHD-SET",
        codes: &[0xC05C_FF0C],
        phrases: &[
            "failed to create checkpoint on collection",
            "active-active access is not supported for the shared vhdx",
            "more than one vm claimed to be the owner of shared vhdx",
        ],
        title: "a disk of the VM is a VHD set",
        severity: Block,
        means: "A VHD set (.vhds) is shared by several VMs. It can be frozen for all of them at once, as a group, and not for one of them.",
        matters: "The VM cannot be backed up through its host: backups of groups are not built yet.",
        cure: "Back its data up from inside the guest cluster.",
        ..BLANK
    },
    Explanation {
        code: "LB-3004",
        id: "VM-VHD-DISK",
        title: "a disk of the VM is a VHD",
        severity: Info,
        means: "Hyper-V tracks changes of VHDX. Of the older VHD it does not, as far as is known.",
        matters: "Every backup reads the disk in full. What is known is not stored again.",
        cure: "While the VM is off: Convert-VHD to a .vhdx, and attach that instead.",
        ..BLANK
    },
    Explanation {
        code: "LB-3005",
        id: "VM-NO-DISKS",
        title: "the VM has no disk",
        severity: Info,
        means: "No virtual disk is attached to the VM.",
        matters: "A point of it holds its configuration and its state alone.",
        cure: "Nothing, if that is as it should be.",
        ..BLANK
    },
    Explanation {
        code: "LB-3006",
        id: "VM-DISK-EXCLUDED",
        title: "a disk is left out on purpose",
        severity: Info,
        means: "The run was told to leave the disk out.",
        matters: "A restored VM comes back without it, and the point says so.",
        cure: "Nothing, if that is as it should be. As a rule all disks of a VM belong into its points.",
        ..BLANK
    },
    Explanation {
        code: "LB-3007",
        id: "VM-EXCLUDE-UNKNOWN",
        title: "a disk that is to be left out does not exist",
        severity: Warn,
        means: "The VM has no disk at the place that was named.",
        matters: "Either the disk was moved to another place, and is read now, or the place was mistyped.",
        cure: "Compare with the places that `lifeboat vm show` lists.",
        ..BLANK
    },
    Explanation {
        code: "LB-3008",
        id: "VM-DRIVE-UNKNOWN",
        title: "a drive holds something that is not known",
        severity: Warn,
        means: "The VM's configuration names a sort of drive that lifeboat does not know.",
        matters: "What is in it is not in the point.",
        cure: "See in the VM's settings what it is. If it holds data that matters, back that up in another way, and report the name that the finding tells.",
        ..BLANK
    },
    Explanation {
        code: "LB-3010",
        id: "VM-DISK-MISSING",
        title: "a disk's file is not there",
        severity: Block,
        means: "The configuration names a disk, and no file below the folder has its name.",
        matters: "The VM would not be whole, so it is not backed up.",
        cure: "Put the disk below the folder, under the name that the configuration has for it.",
        ..BLANK
    },
    Explanation {
        code: "LB-3011",
        id: "VM-DISK-AMBIGUOUS",
        title: "a disk may be any of several files",
        severity: Block,
        means: "Several files below the folder have the name of the disk.",
        matters: "Choosing one would be a guess, and a wrong one would look like a backup.",
        cure: "Name a folder that holds only one of them, or give them the folders that they had on the host.",
        ..BLANK
    },
    Explanation {
        code: "LB-3012",
        id: "VM-DISK-OUTSIDE-ROOT",
        title: "a disk lies outside of what may be read",
        severity: Block,
        means: "A disk or its parent leads, perhaps through a link, out of the folders that were named.",
        matters: "Nothing outside of them is ever opened, so that a disk cannot make lifeboat read other people's files.",
        cure: "Name the folder that holds all files of the VM; for a host behind WMI add it with --host-files.",
        ..BLANK
    },
    Explanation {
        code: "LB-3013",
        id: "VM-DISK-IN-USE",
        codes: &[0x8007_0020, 0xC03A_001E, 0xC03A_001F],
        phrases: &["being used by another process"],
        title: "a disk is in use",
        severity: Block,
        means: "Another program, most likely Hyper-V itself, has the file open for writing.",
        matters: "What is read while it changes is no disk of any one time.",
        cure: "Back the VM up through its host, which freezes it, or shut it down.",
        ..BLANK
    },
    Explanation {
        code: "LB-3014",
        id: "VM-DISK-UNREADABLE",
        codes: &[
            0xC03A_0001,
            0xC03A_0002,
            0xC03A_0003,
            0xC03A_0004,
            0xC03A_0005,
            0xC03A_0006,
            0xC03A_0007,
            0xC03A_0008,
            0xC03A_0009,
            0xC03A_000A,
            0xC03A_000B,
            0xC03A_000C,
            0xC03A_0010,
            0xC03A_0011,
            0xC03A_0012,
            0xC03A_0013,
            0xC03A_0014,
            0xC03A_0015,
            0xC03A_001A,
            0xC03A_001B,
            0xC03A_001C,
            0xC03A_001D,
            0xC03A_0025,
            0xC03A_0026,
            0xC03A_0027,
            0xC03A_0028,
            0x8007_0570,
        ],
        phrases: &["the file or directory is corrupted and unreadable"],
        title: "a disk's file is damaged or not known",
        severity: Block,
        means: "The file breaks the rules of its format, or needs a feature that lifeboat does not have.",
        matters: "What it holds cannot be told, so the VM is not backed up.",
        cure: "Look at it with `lifeboat disk check`. Get a whole copy of it if there is one.",
        ..BLANK
    },
    Explanation {
        code: "LB-3015",
        id: "VM-DISK-UNREACHABLE",
        codes: &[0xC03A_0016, 0x8007_0003, 0x8007_0035],
        phrases: &["the network path was not found"],
        title: "this machine cannot reach a disk's file",
        severity: Block,
        means: "The host names a file, and where this machine sees the host's drives nothing is found under its name, or it may not be read.",
        matters: "The VM cannot be read, so it is refused before it is frozen.",
        cure: "Name the drive or share that the disk is on as well, with --host-files, and let the account that runs lifeboat read it.",
        more: &["LB-1005"],
        ..BLANK
    },
    Explanation {
        code: "LB-3016",
        id: "VM-DISK-NOT-FROZEN",
        title: "the host's checkpoint does not hold a disk",
        severity: Warn,
        means: "The host made a checkpoint of the VM, and the disk is not in it, or the VM goes on writing to the file that the checkpoint names.",
        matters: "What is read while it changes is no disk of any one time, so the disk is not in the point.",
        cure: "Look at the event log Hyper-V-VMMS/Admin on the host at that time. With --refuse-incomplete such a VM gets no point at all.",
        ..BLANK
    },
    Explanation {
        code: "LB-3020",
        id: "VM-PARENT-MISSING",
        codes: &[0xC03A_000D, 0xC03A_0019],
        phrases: &[
            "parent virtual hard disk … not found",
            "chain of virtual hard disks is inaccessible",
        ],
        title: "a disk's parent is missing",
        severity: Block,
        means: "A differencing disk holds only what differs from its parent, and the parent is at none of the places that it names.",
        matters: "Without the parent the disk is worth nothing. The VM will not start again either.",
        cure: "Put the parent back where it was.",
        ..BLANK
    },
    Explanation {
        code: "LB-3021",
        id: "VM-PARENT-MISMATCH",
        codes: &[0xC03A_000E, 0xC03A_000F, 0xC03A_0017],
        phrases: &["mismatch in the identifiers of the parent virtual hard disk"],
        title: "a disk's parent is not the one that it was made from",
        severity: Block,
        means: "A file stands where the parent should be, and its identity is another one: it was replaced, or written to after the checkpoint was made.",
        matters: "Together they would be a disk that never was.",
        cure: "Put the parent back as it was. A parent that was changed cannot be put right again.",
        ..BLANK
    },
    Explanation {
        code: "LB-3022",
        id: "VM-PARENT-LOOP",
        codes: &[0xC03A_0018],
        title: "a disk's parents lead back to it",
        severity: Block,
        means: "The chain of parents has no beginning.",
        matters: "There is nothing that could be read.",
        cure: "Put the right parents back.",
        ..BLANK
    },
    Explanation {
        code: "LB-3023",
        id: "VM-PARENT-AMBIGUOUS",
        title: "a disk's parent may be any of several files",
        severity: Block,
        means: "Several files fit as the parent.",
        matters: "Choosing one would be a guess.",
        cure: "Leave only one of them below the folder.",
        ..BLANK
    },
    Explanation {
        code: "LB-3030",
        id: "VM-DISK-FAILED",
        title: "reading a disk failed",
        severity: Block,
        means: "A disk that had been opened could not be read to its end, or changed while it was read.",
        matters: "There is no point of the VM in this run. Those before it are as they were.",
        cure: "The message names the file and the place in it. Look at the volume's health, and at the file with `lifeboat disk check`.",
        errors: &[HostErrorKind::Disk],
        return_codes: &[32779],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3040",
        id: "DISK-TRACKING-WRONG",
        title: "the host called ranges unchanged that had changed",
        severity: Warn,
        means: "Each run reads some of what the host calls unchanged and compares it with the last point. This time it differed, so the whole disk was read.",
        matters: "This point is right. Points since the tracking went wrong may lack changes; the message says where.",
        cure: "Look for what wrote to the disk behind Hyper-V: another program, a file copied over it, a repair. If it comes again, back this VM up with `--mode standard` and report it. `lifeboat point diff` shows where points differ.",
        ..BLANK
    },
    Explanation {
        code: "LB-3041",
        id: "DISK-MENDED",
        title: "the repository had lost some of a disk, and got it back",
        severity: Warn,
        means: "Data of earlier backups that this point shares was not in the repository any more. It was read from the host again and stored.",
        matters: "This point is whole. Earlier points may not be, where the disk has changed since.",
        cure: "Run `lifeboat repo check --read-data` to see which points are affected, and find out why the storage lost what it had.",
        ..BLANK
    },
    Explanation {
        code: "LB-3042",
        id: "DISK-SKIP-KEPT",
        title: "something that was to be left out is in the point",
        severity: Warn,
        means: "`--skip` asked for page files, hibernation files, swap or free space to be left out, and the volume could not be shown to do without: its file system was not at rest, it keeps shadow copies, or it is of a kind that is not looked into.",
        matters: "The point is whole. It is larger than asked for.",
        cure: "The message says why. A guest that takes part in the backup (integration services, `hv_vss_daemon`) brings its file systems to rest. LVM, BitLocker, dynamic disks and the like are always kept; then ask for less with `--skip`, or not at all.",
        ..BLANK
    },
];
