//! LB-2123 to LB-2125: checkpoints that fail, or have effects; LB-213n: jobs.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-2123",
        id: "VM-CHECKPOINT-FAILED",
        title: "the host could not make the checkpoint",
        severity: Block,
        means: "Hyper-V says \"Could not create backup checkpoint for virtual machine\", \"Checkpoint operation failed\" or \"cannot create the storage required for the checkpoint using disk\" (event 3280). With 0x80070002 a file of a disk's chain is missing, or a parent is looked for in a wrong place.",
        matters: "The VM gets no point in this run. People's checkpoints of it fail as well.",
        cure: "See the chain of each disk with `lifeboat disk info`, or Get-VHD and Test-VHD on the host; put missing parents back, or repair the link with Set-VHD -ParentPath. Leftover -AutoRecovery.avhdx files have a page of their own.",
        more: &["LB-2124", "LB-3020", "LB-2213"],
        codes: &[0x8007_0002],
        events: &[3280],
        phrases: &[
            "could not create backup checkpoint",
            "checkpoint operation for … failed",
            "cannot create the storage required for the checkpoint",
            "could not initiate a checkpoint operation",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2124",
        id: "VM-AUTORECOVERY",
        title: "a leftover AutoRecovery file is in the way",
        severity: Block,
        means: "Windows Server 2012 R2 makes a file NAME-AutoRecovery.avhdx beside each disk during a backup. One that an interrupted backup left makes the next fail with 0x800423FB, or \"The file exists\" (0x80070050).",
        matters: "The VM cannot be backed up through VSS until it is gone.",
        cure: "See that no backup runs and that no disk of the VM, and no checkpoint, names the file (Get-VMHardDiskDrive); then rename it, run the backup, and delete it.",
        more: &["learn.microsoft.com: KB3175561"],
        codes: &[0x8007_0050, 0x8004_23FB],
        phrases: &["autorecovery.avhdx", "the file exists"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2125",
        id: "VM-SLOW-TRACKED",
        title: "a VM's disks are slow since its changes are tracked",
        severity: Info,
        means: "On Windows Server 2019 and 2022 people report higher latencies of disks once their changes are tracked, until the VM is moved or restarted. Microsoft has no page on it.",
        matters: "The guest is slower; the backups are not touched by it.",
        cure: "Live-migrate the VM to another node, or shut it down and start it again. With --mode standard nothing is tracked, and each backup reads the disks in full.",
        phrases: &[
            "i/o performance problem",
            "disk latency … rct",
            "slow … resilient change tracking",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2126",
        id: "VM-AUTORECOVERY-LEFT",
        title: "an AutoRecovery file of an earlier backup is there",
        severity: Block,
        means: "Before VSS was asked, a file NAME-AutoRecovery.avhdx was found beside a disk of the VM, which belongs to no disk and no checkpoint.",
        matters: "The host's writer would fail on it, and with it the whole set.",
        cure: "See that no VM uses the file (Get-VMHardDiskDrive), move it away, and run again.",
        more: &["LB-2124", "learn.microsoft.com: KB3175561"],
        ..BLANK
    },
    Explanation {
        code: "LB-2130",
        id: "RUN-LOCKED",
        title: "\"another backup job is still running\", and none is",
        severity: Info,
        means: "Other programs keep a lock of a job that died. Lifeboat keeps none in the repository: a run that lives holds its journal entry open, and an entry that nobody holds is a dead run's.",
        matters: "A dead run stands in nobody's way; the VM's next run cleans up after it.",
        cure: "Of lifeboat: nothing. Of another program: see its own list of jobs.",
        phrases: &["another backup job is still running"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2131",
        id: "RUN-SCHEDULE-OFF",
        title: "a job whose schedule is off does not end",
        severity: Info,
        means: "In other programs a job that is started by hand may wait for a schedule that is switched off. A run of lifeboat knows of no schedule: what starts it (Task Scheduler, cron) stands outside.",
        matters: "Whether a schedule is on or off changes nothing about a run that was started.",
        cure: "Start the run by hand with the same command; if it does not end, see what it waits for with -v.",
        phrases: &[
            "disabled schedule never completes",
            "schedule … disabled … never completes",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-2132",
        id: "RUN-SCHEDULE-NODE",
        title: "scheduled jobs of a cluster do not run",
        severity: Warn,
        means: "The job is started on one computer, and that one is off, or is not the one that was meant.",
        matters: "No run, no point, and nobody is told: what does not run cannot report.",
        cure: "Start the run from a machine that is always there, or on every node, each for the VMs that it has; look at the age of the newest points, not only at failures.",
        phrases: &["scheduled cluster jobs not running", "executing computer"],
        is_finding: false,
        ..BLANK
    },
];
