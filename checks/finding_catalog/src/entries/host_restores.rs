//! LB-337n, LB-338n: what a restore to a host finds, on the host and in the point.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3370",
        id: "POINT-SAME-NAME",
        title: "the target host has a VM of the same name",
        severity: Warn,
        means: "A VM of the host is called as the restored one will be.",
        matters: "Hyper-V bears two VMs of one name; people and scripts do not.",
        cure: "Give the restored VM another name with `--name`.",
        ..BLANK
    },
    Explanation {
        code: "LB-3371",
        id: "POINT-VM-RUNNING",
        title: "the VM that a restore changes runs",
        severity: Block,
        means: "The VM has to be off while its disks, its configuration or its network adapters are changed. One that is set aside may go on, under its new name.",
        matters: "What runs has its disks open; two VMs of one address disturb each other.",
        cure: "Shut the guest down, or let the restore turn the VM off with `--stop`, which is like pulling its plug. It runs again afterwards, unless `--no-start` is given.",
        ..BLANK
    },
    Explanation {
        code: "LB-3372",
        id: "POINT-SWITCH-MISSING",
        title: "the target host does not have the VM's virtual switch",
        severity: Warn,
        means: "An adapter of the VM was connected to a switch that the host does not have, by name or by what it was mapped to.",
        matters: "The adapter comes back, and is not connected to anything.",
        cure: "Map the switch with `--map-switch OLD=NEW`, or make one like it first: the host's settings of that time are in the point.",
        ..BLANK
    },
    Explanation {
        code: "LB-3373",
        id: "POINT-RESOURCES",
        title: "the VM wants more than the target host has",
        severity: Warn,
        means: "The VM has more processors than the host has logical ones, or starts with more memory than it has or has free.",
        matters: "It comes back as it was, and may not start.",
        cure: "Change its processors or memory before it starts, or turn other VMs off.",
        ..BLANK
    },
    Explanation {
        code: "LB-3374",
        id: "POINT-BOOT-DISK",
        title: "the disk that the VM starts from does not come back",
        severity: Warn,
        means: "A disk with an EFI system partition, or with an active partition, is not among those that were asked for.",
        matters: "The restored VM does not start.",
        cure: "Restore that disk as well; or attach the others to a VM that has its system.",
        ..BLANK
    },
    Explanation {
        code: "LB-3375",
        id: "POINT-CHECKPOINT-DISKS",
        title: "a checkpoint has disks that the point does not",
        severity: Warn,
        means: "A disk was left out when the point was made, and the checkpoint had it as well, or its images are not among the point's.",
        matters: "The checkpoint comes back, and cannot be applied as it was.",
        cure: "Restore the latest state alone with `--flatten`, or leave the checkpoint be.",
        ..BLANK
    },
    Explanation {
        code: "LB-3376",
        id: "POINT-REPLICA",
        title: "the VM that a restore changes is part of a replication",
        severity: Warn,
        means: "The host says that the VM is replicated, or is a replica.",
        matters: "What a restore changes is not what the other side knows: the replication starts over, or ends.",
        cure: "End the replication first and set it up again afterwards; the initial copy can start from the restored disks.",
        ..BLANK
    },
    Explanation {
        code: "LB-3377",
        id: "POINT-CLUSTERED",
        title: "the restored VM and its role in the cluster",
        severity: Info,
        means: "A VM that gives way leaves its role, which is taken offline for the restore and stays a role. A VM that is new is on one node, and no role of the cluster.",
        matters: "A VM that is no role does not move when its node fails.",
        cure: "A role that was online is online again after the restore, unless `--no-start` is given. For a new VM make one with Add-ClusterVirtualMachineRole.",
        ..BLANK
    },
    Explanation {
        code: "LB-3378",
        id: "POINT-REACTIVATION",
        title: "Windows in the guest may ask to be activated again",
        severity: Info,
        means: "The VM comes to another host or gets a new identity, and the disk that it starts from has an NTFS or BitLocker volume. If the guest is Windows, it sees other hardware.",
        matters: "The guest runs, and reminds people of it.",
        cure: "Have its key at hand. Guests of a Datacenter host with automatic activation do it by themselves.",
        ..BLANK
    },
    Explanation {
        code: "LB-3379",
        id: "POINT-DOMAIN-CONTROLLER",
        title: "a domain controller goes back in time",
        severity: Info,
        means: "The disk that the guest starts from has an NTFS or BitLocker volume, so it may be Windows, and may be a domain controller: the point does not tell. Since Windows Server 2012 one sees by the VM's generation id that it went back, and mends itself.",
        matters: "An older one hands out numbers that were used already (USN rollback), and its partners stop listening to it.",
        cure: "Where others of the domain live, make a new one rather than restore. Restore one without network first, and look at its event log (NTDS 1109, 2208).",
        ..BLANK
    },
    Explanation {
        code: "LB-3380",
        id: "POINT-DISK-STAYS",
        title: "a disk that the point does not know stays behind",
        severity: Warn,
        means: "The VM that gives way has a disk that was attached to it after the point was made.",
        matters: "Its file stays where it is, and is no disk of the restored VM.",
        cure: "Attach it again with Add-VMHardDiskDrive, or remove the file once nobody needs it.",
        ..BLANK
    },
    Explanation {
        code: "LB-3381",
        id: "POINT-PLACE-UNREACHABLE",
        title: "a folder of the target host cannot be written from here",
        severity: Block,
        means: "Files of the VM would go to a drive or share that this machine has no way to, or that the host does not have.",
        matters: "Nothing was written to the host.",
        cure: "Name another folder with `--path`, or say with `--host-files` where the host's drives and shares are reached.",
        ..BLANK
    },
    Explanation {
        code: "LB-3382",
        id: "POINT-FILE-NAME",
        title: "the point has a file name that no host should be given",
        severity: Block,
        means: "A name in the point leads out of its folder, is one of Windows' devices, or is there twice.",
        matters: "Such a name was not made by Hyper-V. Nothing was written to the host.",
        cure: "Restore the disks one by one, under names of your own, with `lifeboat restore disk`.",
        ..BLANK
    },
    Explanation {
        code: "LB-3383",
        id: "POINT-NO-TARGET-VM",
        title: "the VM that a part is to be restored to is not on the host",
        severity: Block,
        means: "Disks, a configuration or network adapters were asked to be restored to a VM that the host does not have, or has several of by that name.",
        matters: "Nothing was done to any VM.",
        cure: "Name the VM by its GUID; or restore all of it.",
        ..BLANK
    },
    Explanation {
        code: "LB-3384",
        id: "POINT-NO-DISK",
        title: "the point does not have a disk that was asked for",
        severity: Block,
        means: "Disks are named by their numbers in the point, from 0.",
        matters: "Nothing was done to any VM.",
        cure: "`lifeboat point show` lists them.",
        ..BLANK
    },
    Explanation {
        code: "LB-3385",
        id: "POINT-CHECKPOINTS-GO",
        title: "the VM whose configuration is to come back has checkpoints",
        severity: Block,
        means: "A VM's configuration lists its checkpoints. That of the point knows nothing of those that were made later.",
        matters: "They would be gone, and their files would stay as parents of the VM's disks.",
        cure: "Remove the checkpoints first, so that each disk is one file; or restore the whole VM.",
        ..BLANK
    },
    Explanation {
        code: "LB-3386",
        id: "POINT-RESTORE-DIED",
        title: "another restore of the VM died while the VM was away from its host",
        severity: Block,
        means: "A restore in place had taken the VM from its host, and did not come to its end. What it noted is the only thing that knows how far the disks were written over, and where the copy of the VM's definition lies.",
        matters: "Another restore of the VM would lose that. Nothing was done.",
        cure: "Ask for the restore that died again: it goes on where it stopped, or puts the VM back. Once the VM and its disks are in order by other means, remove the file that the finding names.",
        ..BLANK
    },
    Explanation {
        code: "LB-3387",
        id: "POINT-DISK-IN-USE",
        title: "a disk that would be written over is another VM's as well",
        severity: Block,
        means: "Another VM has the file as a disk, or has a differencing disk that is built upon it.",
        matters: "Written over, the other VM's disk would hold something that it never held. Nothing was done.",
        cure: "Set the VM aside with `--in-place --keep-old`, or restore it with `--new-identity`: both write new files.",
        ..BLANK
    },
];
