//! LB-23nn: VMs that move, and VMs that are copied.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-2301",
        id: "VM-MOVED",
        title: "the VM moved to another node around its backup",
        severity: Info,
        means: "The cluster moved the VM before its turn or while it was read. Its files are on storage that all nodes see, so it was read to its end; what the run had made on it was ended on the new node.",
        matters: "The point is as good as any.",
        cure: "Nothing has to be done.",
        ..BLANK
    },
    Explanation {
        code: "LB-2302",
        id: "VM-NODE-NOT-COVERED",
        title: "the VM is on a node that cannot be looked at",
        severity: Block,
        means: "The cluster says which node owns the VM, and that node does not answer or does not let this account in.",
        matters: "The VM is not backed up.",
        cure: "Make the node answer, as the finding says, or move the VM to a node that does.",
        more: &["LB-1101"],
        ..BLANK
    },
    Explanation {
        code: "LB-2303",
        id: "VM-ON-THE-WAY",
        title: "no node lists the VM at the moment",
        severity: Warn,
        means: "The cluster says that a node has the VM, and that node does not know it. That is so for a moment while a VM moves, and for good where a VM was deleted and its role was not.",
        matters: "A run looks for it again when its turn comes. A VM that no node has cannot be backed up.",
        cure: "Nothing, while it moves. If it stays so, compare the roles in Failover Cluster Manager with the VMs in Hyper-V Manager and remove the role that is empty.",
        ..BLANK
    },
    Explanation {
        code: "LB-2304",
        id: "VM-NOT-CLUSTERED",
        title: "the VM is on a node of a cluster and no role of it",
        severity: Info,
        means: "The VM was made with Hyper-V Manager and not added to the cluster. Failover Cluster Manager does not know it.",
        matters: "It stays where it is: when its node is down, it is down, and so is its backup.",
        cure: "If that is not on purpose, put its files on storage that all nodes see and make it a role: Add-ClusterVirtualMachineRole.",
        ..BLANK
    },
    Explanation {
        code: "LB-2305",
        id: "VM-ROLE-FAILED",
        title: "the cluster has given up on the VM, or on a part of it",
        severity: Warn,
        means: "The group that holds the VM is failed or partly online: the cluster tried to bring it up, as often as its settings allow.",
        matters: "The VM may not run. A point of it is one of a VM that is off.",
        cure: "See the role's critical events in Failover Cluster Manager, cure their cause, and bring the role online.",
        ..BLANK
    },
    Explanation {
        code: "LB-2306",
        id: "VM-STORAGE-NOT-SEEN",
        title: "this machine does not see the storage of a disk",
        severity: Block,
        means: "WMI carries no files. The disk's path is on an SMB share or a cluster shared volume for which nothing says where it is seen here, or that this account may not read.",
        matters: "The disk cannot be read. Nothing is made on the host before that is known.",
        cure: "Say where it is seen: --host-files '\\\\server\\share=FOLDER', or --host-files 'C:\\ClusterStorage=FOLDER' for all volumes of a cluster.",
        ..BLANK
    },
    Explanation {
        code: "LB-2311",
        id: "VM-REPLICA-TIMES",
        title: "how far a replica is behind, and when it was idle",
        severity: Info,
        means: "The host says when changes from the primary arrived and were applied. Beside that each attempt to back the replica up is remembered, and at which hours it never met replication at work.",
        matters: "A host refuses backups of a replica while it applies changes.",
        cure: "Run its backup at an hour at which it was idle before, or let the backup pause the replication.",
        more: &["LB-2011"],
        ..BLANK
    },
    Explanation {
        code: "LB-2312",
        id: "VM-REPLICATION-NOT-PAUSED",
        title: "the VM's replication could not be paused",
        severity: Warn,
        means: "The backup was asked to pause the replication while the VM is frozen, and the host refused.",
        matters: "The backup went on. It may meet changes that are being applied, and is refused then.",
        cure: "See what Get-VMReplication says on the VM's host; a replication that is critical or resynchronizing cannot be paused.",
        ..BLANK
    },
    Explanation {
        code: "LB-2313",
        id: "VM-REPLICATION-VSS",
        title: "the VM replicates on a host whose snapshots do not like that",
        severity: Warn,
        means: "On Windows Server 2012 R2 and older a VM is backed up through VSS, and its writer may fail for a VM that sends its changes to a replica.",
        matters: "The VM's backup may fail each time.",
        cure: "Let the backup pause the replication. Where that is not enough, remove the replication for the time of the backup, or back up the replica on its own host.",
        ..BLANK
    },
    Explanation {
        code: "LB-2314",
        id: "RESIDUE-REPLICATION",
        title: "a run paused the VM's replication, and it is still paused",
        severity: Warn,
        means: "A backup was asked to pause the replication. It died, or the host refused to resume it.",
        matters: "Changes are not sent to the replica; they pile up beside the VM's disks.",
        cure: "Run lifeboat doctor --fix, or the VM's next backup. By hand: Resume-VMReplication.",
        fix: "resumes what dead runs paused, and settles the rest of what they left",
        settles_residue: true,
        ..BLANK
    },
];
