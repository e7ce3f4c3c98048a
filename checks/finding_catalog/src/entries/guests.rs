//! LB-4nnn: the guest.

use hyperv_host::Severity::{Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-4001",
        id: "VM-INTEGRATION",
        title: "the guest does not answer the backup service",
        severity: Warn,
        means: "The host asks a running guest through the backup integration service to bring its data into order before it is frozen: a Windows guest its VSS writers, a Linux guest its file systems. The guest answers its host otherwise, and not here: the requestor in it does not run, or it answers in another version.",
        matters: "The point is crash-consistent: the guest starts from it as after a power cut. Databases that are made for that come back; others may not.",
        cure: "In Windows see that the service \"Hyper-V Volume Shadow Copy Requestor\" (vmicvss) runs and that `vssadmin list writers` in the guest shows no failed writer. In Linux install and start hv_vss_daemon; the package's name is in the support matrix. After an update of the integration services the guest may need a restart.",
        more: &[
            "LB-2109",
            "LB-4003",
            "LB-4004",
            "docs/operate/support-matrix.md",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-4002",
        id: "VM-GUEST-ISCSI",
        title: "the guest has an iSCSI initiator",
        severity: Warn,
        means: "Disks that a guest attaches by itself, over iSCSI or otherwise, are not known to the host. That there may be some is told only by what the guest says of itself, so the absence of this finding proves nothing.",
        matters: "They are not in the point.",
        cure: "Back them up from inside the guest, or where they are kept.",
        ..BLANK
    },
    Explanation {
        code: "LB-4003",
        id: "VM-IC-BACKUP",
        title: "Backup (volume snapshot) is switched off in the VM's settings",
        severity: Warn,
        means: "The integration service \"Backup (volume snapshot)\" is offered to each VM by itself. That integration services are installed in the guest is not enough: this one is not ticked in the VM's settings.",
        matters: "The host does not ask the guest, whatever runs in it: points are crash-consistent.",
        cure: "Switch it on: Enable-VMIntegrationService -VMName NAME -Name VSS, or Settings, Integration Services in Hyper-V Manager; it takes effect at once. `lifeboat doctor --fix VM-IC-BACKUP` does it.",
        more: &["LB-4001"],
        phrases: &[
            "backup (volume snapshot) … disabled",
            "volume shadow copy requestor … disabled",
        ],
        fix: "switches the backup service on in the VM's settings",
        ..BLANK
    },
    Explanation {
        code: "LB-4004",
        id: "VM-IC-MISSING",
        title: "the guest answers no integration service",
        severity: Warn,
        means: "The VM runs, and nothing in it answers its host: integration services are not installed, or their daemons do not run, or the guest has not started up yet.",
        matters: "Points are crash-consistent, and nothing is known of the guest.",
        cure: "Windows Server 2012 R2 and later have them built in, and get updates from Windows Update. On hosts up to 2012 R2 insert the integration services setup disk (Action menu of the VM's window), install, and restart the guest. In Linux and FreeBSD install the daemons of the support matrix.",
        more: &["docs/operate/support-matrix.md", "LB-4001"],
        ..BLANK
    },
    Explanation {
        code: "LB-4005",
        id: "VM-GUEST-VSS",
        title: "VSS failed inside the guest",
        severity: Warn,
        means: "The host asked the guest to bring its data into order, and a writer or VSS itself failed in there: \"VSS writers inside virtual machine … failed to perform BackupComplete to its shadow copy (VSS snapshot) set\" (events 10172, 18012).",
        matters: "The checkpoint is crash-consistent, or was not made at all. Databases are consistent in a point only if they take part through VSS.",
        cure: "In the guest see `vssadmin list writers` and the event log Application (source VSS), restart the service of the failed writer, and see that its volumes are NTFS on basic disks with room for snapshots. `lifeboat doctor guest --paste FILE` reads what vssadmin prints.",
        more: &["LB-4008", "LB-4009"],
        events: &[10172, 18012],
        phrases: &[
            "vss writers inside virtual machine",
            "failed to perform backupcomplete to its shadow copy",
            "guest … vss … failed",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-4007",
        id: "VM-DOMAIN-CONTROLLER",
        title: "the guest is a domain controller",
        severity: Info,
        means: "The guest says that it is a domain controller. Its points come from a snapshot, and Active Directory has rules of its own for coming back from one.",
        matters: "A restored controller that the others have gone on without has to know that it was restored. From Windows Server 2012 on it sees that by the VM's generation id; older ones do not (USN rollback).",
        cure: "Take application-consistent points (--require application). Restore onto Windows Server 2012 or later; with other controllers alive rather make a new one. Never restore two points of one controller side by side in one network.",
        more: &["learn.microsoft.com: Virtualized Domain Controller Architecture"],
        ..BLANK
    },
    Explanation {
        code: "LB-4008",
        id: "VM-FS",
        title: "a volume of the guest has a file system without snapshots",
        severity: Warn,
        means: "A partition of a Windows guest is FAT or exFAT, of which VSS makes no snapshots. An EFI system partition is always FAT, and is not meant.",
        matters: "On hosts up to Windows Server 2012 R2 the whole VM then cannot be backed up while it runs; on later ones that volume is crash-consistent.",
        cure: "Convert it in the guest: convert X: /fs:ntfs.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-4009",
        id: "VM-DYNAMIC-DISK",
        title: "the guest uses dynamic disks of Windows (LDM)",
        severity: Warn,
        means: "Windows' disk management made a virtual disk \"dynamic\" (Logical Disk Manager): its partition table has the type 0x42 or the LDM GUIDs. That has nothing to do with a dynamically expanding VHDX, which is a file that grows and is fine.",
        matters: "Hyper-V cannot freeze such a guest while it runs on hosts up to Windows Server 2012 R2; on later ones its volumes are crash-consistent. Single files out of such a volume can be restored only where it is put together again.",
        cure: "Move the data to a basic disk in the guest; Windows has no way back for a dynamic disk with volumes on it. Leave the VHDX as it is.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-4010",
        id: "VM-GUEST-DISK-UNREAD",
        title: "the guest's partitions could not be looked at",
        severity: Info,
        means: "The disk's files could not be opened beside the host, or what is on them is no partition table that makes sense.",
        matters: "Whether the guest uses FAT or dynamic disks is not known. The backup does not depend on it.",
        cure: "Nothing, if the disk is new or encrypted as a whole. Else look at it with `lifeboat disk info` while the VM is off.",
        ..BLANK
    },
    Explanation {
        code: "LB-4011",
        id: "GUEST-MODULE",
        title: "a Linux guest lacks a Hyper-V module",
        severity: Warn,
        means: "In what lsmod printed a module is missing that the guest needs to speak with its host: hv_vmbus, hv_utils, hv_storvsc, hv_netvsc. A kernel may have them built in; then lsmod does not show them.",
        matters: "Without hv_utils the daemons have nobody to talk to, and points are crash-consistent.",
        cure: "Load it (modprobe hv_utils), and have it loaded at each start; or see with `grep HYPERV /boot/config-$(uname -r)` that it is built in.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-4012",
        id: "GUEST-DAEMON",
        title: "a Linux guest's Hyper-V daemon does not run",
        severity: Warn,
        means: "In what ps printed hv_vss_daemon (hypervvssd) or hv_kvp_daemon (hypervkvpd) is missing.",
        matters: "Without the first, file systems are not frozen, and points are crash-consistent. Without the second the host does not know what system the guest is.",
        cure: "Install the package of the support matrix and start the daemons: systemctl enable --now hv-vss-daemon hv-kvp-daemon, on Red Hat and its kin hypervvssd hypervkvpd.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-4013",
        id: "GUEST-WRITER",
        title: "a VSS writer of the guest is not stable",
        severity: Warn,
        means: "In what `vssadmin list writers` printed a writer is in a failed or an unfinished state.",
        matters: "Its application does not take part in the next backup, or makes it fail.",
        cure: "Restart the service of the writer, or the guest, and look again. The event log Application (source VSS) tells why it failed.",
        more: &["LB-4005"],
        ..BLANK
    },
];
