//! LB-11nn: clusters, their nodes and volumes.

use hyperv_host::Severity::{Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-1101",
        id: "HOST-NODE-NOT-COVERED",
        title: "a node of the cluster cannot be looked at",
        severity: Warn,
        means: "The cluster names a node that does not answer, or does not let this account in. The VMs that it owns now are listed, and nothing more is known of them.",
        matters: "VMs on that node are not backed up, and neither is a VM that moves there before its turn.",
        cure: "Do what the finding says: it names the command that makes the node answer, and the one that shows that it does. The same account and password are used for all nodes.",
        more: &["LB-1007"],
        ..BLANK
    },
    Explanation {
        code: "LB-1102",
        id: "HOST-NODE-DOWN",
        title: "a node of the cluster is down",
        severity: Warn,
        means: "The cluster says that the node does not run, or that its cluster service does not.",
        matters: "The cluster starts its VMs on other nodes as after a power cut, and they are backed up there. What was tracked of their changes may be lost: their disks are then read in full once.",
        cure: "Nothing has to be done for the backup. Start the node, or the service ClusSvc on it.",
        ..BLANK
    },
    Explanation {
        code: "LB-1103",
        id: "HOST-CSV-LOST",
        title: "a cluster shared volume cannot be read",
        severity: Warn,
        means: "The cluster says of a volume that it is dismounted, or that no node can reach it.",
        matters: "The VMs on it do not run, and cannot be backed up.",
        cure: "See what Failover Cluster Manager says of the volume and of the disk behind it.",
        ..BLANK
    },
    Explanation {
        code: "LB-1104",
        id: "HOST-CSV-IN-BACKUP",
        title: "another backup is at a cluster shared volume",
        severity: Info,
        means: "A snapshot of the volume is being made or kept for a backup, on whichever node.",
        matters: "Backups through VSS wait for it, and older clusters allow only one at a time. Backups that make recovery checkpoints do not mind.",
        cure: "Nothing: a run waits. Where no backup is running any more, moving the volume to another node (Move-ClusterSharedVolume) makes the cluster forget it.",
        ..BLANK
    },
    Explanation {
        code: "LB-1105",
        id: "HOST-CSV-ELSEWHERE",
        title: "a volume's snapshots are made on another node",
        severity: Info,
        means: "Snapshots of a cluster shared volume are made on the node that coordinates it, and that is not the node that has the VM.",
        matters: "The program has to run on the coordinator as well, or nothing that needs VSS can be backed up.",
        cure: "Run lifeboat on the node that the finding names, or move the volume to the VM's node: Move-ClusterSharedVolume.",
        ..BLANK
    },
];
