//! LB-339n: what of a restored VM is otherwise than it was.

use hyperv_host::Severity::{Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3390",
        id: "VM-VLAN-NOT-SET",
        title: "the VLAN of a restored network adapter could not be set",
        severity: Warn,
        means: "The host did not take the VLAN for the adapter's port, or does not know VLANs.",
        matters: "The VM may be in another network than it was, or in none.",
        cure: "Set it with Set-VMNetworkAdapterVlan before the VM is started.",
        ..BLANK
    },
    Explanation {
        code: "LB-3391",
        id: "VM-DISK-NOT-TAKEN-OUT",
        title: "a disk that was not restored is still in the VM's settings",
        severity: Warn,
        means: "The definition has a disk that is not in place, and the host does not let the planned VM go without it.",
        matters: "The VM does not start while a disk's file is missing.",
        cure: "Remove the disk from the VM's settings before it is started.",
        ..BLANK
    },
    Explanation {
        code: "LB-3392",
        id: "VM-DVD-IMAGE",
        title: "a DVD drive's image is not on the target host",
        severity: Info,
        means: "The VM had an image in its DVD drive that the host does not have. The drive was emptied, as far as the host let it be.",
        matters: "With an image that is missing the VM may not start.",
        cure: "Nothing has to be done where the drive was emptied. Else empty it in the VM's settings.",
        ..BLANK
    },
    Explanation {
        code: "LB-3393",
        id: "VM-CHECKPOINT-DROPPED",
        title: "a checkpoint that the definition lists was dropped",
        severity: Warn,
        means: "The definition lists a checkpoint whose own definition is not among the restored files.",
        matters: "The VM has no such checkpoint. With it the host would not take the VM.",
        cure: "Restore a point of all checkpoints where the checkpoint is needed.",
        ..BLANK
    },
    Explanation {
        code: "LB-3394",
        id: "VM-HOST-NOTE",
        title: "the host notes something of a VM that it takes",
        severity: Info,
        means: "The host validated the planned VM, and said something of it besides that it is valid.",
        matters: "The VM was made. The note is in the host's own words.",
        cure: "Read the note before the VM is started.",
        ..BLANK
    },
    Explanation {
        code: "LB-3395",
        id: "HOST-SWITCH-PART",
        title: "a part of a virtual switch was not made as it was",
        severity: Warn,
        means: "The switch was made, and something of it was not: the VLAN of the host's own port, or the switch on one of the cluster's nodes.",
        matters: "The host, or VMs on that node, may not reach the network behind the switch.",
        cure: "Set it by hand: the VLAN with Set-VMNetworkAdapterVlan -ManagementOS, a switch with New-VMSwitch.",
        ..BLANK
    },
    Explanation {
        code: "LB-3396",
        id: "VM-ROLE-NOT-UPDATED",
        title: "the cluster did not take over what a restore changed",
        severity: Warn,
        means: "The VM was restored on the node that owns its role, and the cluster was not brought up to date.",
        matters: "The VM may not start on another node.",
        cure: "Run Update-ClusterVirtualMachineConfiguration for the VM before it is moved.",
        ..BLANK
    },
    Explanation {
        code: "LB-3397",
        id: "VM-ROLE-NONE",
        title: "a VM that was restored to a cluster is no role of it",
        severity: Info,
        means: "The VM was made on a node that is up. No role of the cluster has its identity.",
        matters: "No other node takes it over when its node fails.",
        cure: "Run Add-ClusterVirtualMachineRole for it, once it is as it should be.",
        ..BLANK
    },
    Explanation {
        code: "LB-3398",
        id: "VM-ROLE-NOT-SHARED",
        title: "files of a clustered VM are on one node alone",
        severity: Warn,
        means: "The VM is a role of the cluster, and was restored to a drive that no other node sees.",
        matters: "It cannot run on another node.",
        cure: "Restore it to a cluster shared volume or a share, or move its storage there.",
        ..BLANK
    },
    Explanation {
        code: "LB-3399",
        id: "POINT-NOT-STARTED",
        title: "a restored VM did not start",
        severity: Warn,
        means: "All of the VM is back, and the host refused to start it, or the restore was cancelled before.",
        matters: "Nothing was taken back: the VM is there, and off.",
        cure: "Read the host's own words in the finding: too little memory, a missing switch or image. Then start the VM by hand.",
        ..BLANK
    },
];
