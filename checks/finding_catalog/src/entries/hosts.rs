//! LB-1nnn: the host.

use hyperv_host::HostErrorKind;
use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-1001",
        id: "HOST-UNREACHABLE",
        title: "the host cannot be reached",
        severity: Block,
        means: "No answer came from the host, or the connection broke, or the folder that stands for a host is not there.",
        matters: "Nothing is listed, planned or backed up. What is in the repository is untouched and can be restored elsewhere.",
        cure: "See that the host runs and that its name resolves. For winrm:// see that WinRM listens (`winrm enumerate winrm/config/listener` on the host) and that the firewall lets TCP 5985 or 5986 through. For dir: see that the folder exists.",
        more: &["docs/operate/first-real-host.md"],
        errors: &[HostErrorKind::Unreachable],
        codes: &[0x8007_06BA],
        phrases: &[
            "the rpc server is unavailable",
            "winrm cannot complete the operation",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1002",
        id: "HOST-DENIED",
        title: "the host refused the account",
        severity: Block,
        means: "User name or password are wrong, or the account may not do what was asked.",
        matters: "Nothing is listed, planned or backed up.",
        cure: "Check the user name and the file that LIFEBOAT_HOST_PASSWORD_FILE names. The account has to be in the host's Administrators or Hyper-V Administrators group; a local account that is not the built-in Administrator also needs remote rights that UAC does not filter (LocalAccountTokenFilterPolicy).",
        errors: &[HostErrorKind::Denied],
        return_codes: &[32769],
        codes: &[0x8007_0005, 0x8004_1003, 5],
        phrases: &["access is denied", "access denied", "zugriff verweigert"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1003",
        id: "HOST-NO-HYPERV",
        title: "the host has no Hyper-V",
        severity: Block,
        means: "The WMI namespace root\\virtualization\\v2 does not exist: the Hyper-V role, or its management part, is not installed.",
        matters: "There are no VMs that could be listed or backed up.",
        cure: "Name another host, or install the role: Install-WindowsFeature Hyper-V -IncludeManagementTools.",
        errors: &[HostErrorKind::NoHyperv],
        codes: &[0x8004_100E],
        phrases: &["invalid namespace"],
        ..BLANK
    },
    Explanation {
        code: "LB-1004",
        id: "HOST-OLD",
        title: "the host is older than Windows Server 2012",
        severity: Block,
        means: "The interface that this program speaks, root\\virtualization\\v2, came with Windows Server 2012 and Windows 8. Hosts of 2012 and 2012 R2 are backed up through VSS; recovery checkpoints and change tracking came with 2016.",
        matters: "Its VMs can be neither listed nor frozen.",
        cure: "Export the VMs (Export-VM) and back up that folder with --host dir:FOLDER, or shut them down and back up their folder, or move them to a newer host. What each version can do is in the support matrix.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-1005",
        id: "HOST-NO-BYTES",
        title: "nothing says where the host's files are",
        severity: Block,
        means: "WMI, over whichever way, tells of disks and carries none of their bytes. Those are read from the host's drives: on the host itself, over an administrative share, or where they are mounted.",
        matters: "The host lists and plans. A backup is refused before anything is made on the host.",
        cure: "Say where this machine sees the host's drives, once for each: --host-files 'C:\\=\\\\HOST\\C$' on Windows, --host-files 'C:\\=/mnt/host-c' elsewhere. Or run lifeboat on the host with --host local.",
        ..BLANK
    },
    Explanation {
        code: "LB-1006",
        id: "HOST-RIGHTS",
        title: "the account is shown no VMs",
        severity: Block,
        means: "Hyper-V refuses nothing to an account without rights: it shows an empty host, without even the host itself.",
        matters: "An empty list would look like a host without VMs, and nobody would miss their backups.",
        cure: "Put the account into the host's Administrators or Hyper-V Administrators group and log on again; on the host itself use an elevated prompt.",
        ..BLANK
    },
    Explanation {
        code: "LB-1007",
        id: "HOST-VOLUME-LOW",
        title: "a volume with disks of VMs is nearly full",
        severity: Warn,
        means: "Less than a tenth, and less than 10 GiB, of a volume that holds disks of VMs is free.",
        matters: "While a VM is backed up, what its guest writes goes to a new file beside its disk. A volume that fills pauses every VM that has a disk on it.",
        cure: "Make room, remove checkpoints that are not needed, or move disks to another volume. A run looks at the room before and while it reads, and gives up before the volume fills.",
        ..BLANK
    },
    Explanation {
        code: "LB-1008",
        id: "HOST-CLUSTER-MIXED",
        title: "the cluster works at the level of Windows Server 2012 R2",
        severity: Warn,
        means: "The cluster's functional level is below that of Windows Server 2016, because a node is older or the level was never raised.",
        matters: "Changes of its VMs cannot be tracked, so every backup reads their disks in full. What is known is not stored again.",
        cure: "When every node runs Windows Server 2016 or later: Update-ClusterFunctionalLevel. There is no way back from it.",
        ..BLANK
    },
    Explanation {
        code: "LB-1009",
        id: "HOST-CLUSTER-NODES",
        title: "the host is one node of a cluster",
        severity: Info,
        means: "A node knows its own VMs only. Those that other nodes own now are not in its list.",
        matters: "A VM that no backup names is not protected, and VMs move between nodes by themselves.",
        cure: "Name the cluster instead of the node: --host cluster:winrm://USER@NODE from anywhere, or --host local --cluster on a node. All nodes are listed then, and a VM is backed up wherever it is.",
        ..BLANK
    },
    Explanation {
        code: "LB-1010",
        id: "HOST-VMMS",
        phrases: &[
            "virtual machine management service is not running",
            "hyper-v virtual machine management service failed to start",
        ],
        title: "Hyper-V's management service does not run",
        severity: Block,
        means: "The service vmms (Hyper-V Virtual Machine Management) is stopped. VMs may run on all the same.",
        matters: "No VM can be listed, started, stopped or backed up.",
        cure: "Start it on the host: Start-Service vmms. Running VMs are not disturbed. If it stops again, read the event log Hyper-V-VMMS/Admin.",
        ..BLANK
    },
    Explanation {
        code: "LB-1011",
        id: "HOST-REFUSED",
        title: "the host refused, or failed at, what was asked of it",
        severity: Block,
        means: "A method of Hyper-V returned an error, or its job ended with one. The message tells which method, which number and the host's own words.",
        matters: "The VM that it was asked for gets no point in this run; others are not touched by it.",
        cure: "Read the host's own words and the event log Hyper-V-VMMS/Admin at that time. `lifeboat explain` with the number tells what it stands for.",
        errors: &[HostErrorKind::Refused],
        return_codes: &[2, 32768, 32771, 32776, 32777],
        codes: &[0x8007_000D, 0x8000_4005, 0x8004_1001],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1012",
        id: "HOST-CONFIG-UNREADABLE",
        title: "a VM's configuration cannot be read",
        severity: Block,
        means: "A file that should be a VM's configuration (.vmcx, .xml) is damaged, or of a version that is not known.",
        matters: "Without it nobody knows which disks belong to the VM, so it is not backed up.",
        cure: "Take a whole copy of the file from the host while the VM is off, or export the VM again.",
        errors: &[HostErrorKind::Configuration],
        ..BLANK
    },
    Explanation {
        code: "LB-1013",
        id: "HOST-METHOD-UNKNOWN",
        title: "the host does not know what was asked for",
        severity: Block,
        means: "A method, a parameter or a value of it is not supported by this version of Hyper-V, or not for this VM.",
        matters: "What needs it cannot be done on this host.",
        cure: "Please report it with the version of the host: what a version has and lacks is known to us from documents alone.",
        return_codes: &[1, 4, 6, 32770, 32773],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1014",
        id: "HOST-TIMEOUT",
        title: "an operation of the host did not end in time",
        severity: Block,
        means: "A job of Hyper-V was still running when the run stopped waiting for it.",
        matters: "It may still come to its end, and leave what it makes. The run's journal knows of it, and the next run looks for it.",
        cure: "See with Get-VM and in the event log Hyper-V-VMMS/Admin what the host is doing. Slow storage is the usual cause.",
        return_codes: &[3, 32772],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1015",
        id: "HOST-MEMORY",
        title: "the host has no memory left",
        severity: Block,
        means: "Hyper-V could not get the memory for an operation.",
        matters: "Checkpoints, merges and starts of VMs fail, not only backups.",
        cure: "Free memory on the host: stop VMs that are not needed, or give them less.",
        return_codes: &[32778],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1016",
        id: "HOST-NO-JOURNAL",
        title: "nothing says where a run's journal is to be kept",
        severity: Block,
        means: "Before a run makes anything on a host it writes down what it is about to make, and what was there. There is no folder for that.",
        matters: "A run that died could not be cleaned up after. So nothing is made, and nothing is backed up.",
        cure: "Name a folder that this machine keeps, with --state FOLDER or LIFEBOAT_STATE.",
        ..BLANK
    },
    Explanation {
        code: "LB-1017",
        id: "HOST-VMCOMPUTE",
        title: "Hyper-V's compute service does not run",
        severity: Warn,
        means: "The service vmcompute (Hyper-V Host Compute Service), which came with Windows Server 2016, is stopped or switched off.",
        matters: "VMs that run go on; none can be started, and a VM that is restored cannot either.",
        cure: "Start it on the host: Start-Service vmcompute. If it does not start: see whether the hypervisor runs (bcdedit /enum shows hypervisorlaunchtype Auto).",
        phrases: &["host compute service is not running"],
        ..BLANK
    },
    Explanation {
        code: "LB-1018",
        id: "HOST-LOGON-RIGHT",
        title: "VMs lost the right to log on as a service",
        severity: Block,
        means: "The group NT VIRTUAL MACHINE\\Virtual Machines has lost the right \"Log on as a service\", as a rule through a group policy. Hyper-V says 0x8007052F when it turns a checkpoint into a reference point (\"Failed to write VHD attachment\"), and 0x80070569 when it starts a VM.",
        matters: "Changes cannot be tracked, so every backup reads disks in full; VMs that stop do not start again.",
        cure: "Give the right back: in the group policy that takes it, or with gpupdate /force after the host's organizational unit was changed. Then restart vmms.",
        codes: &[0x8007_052F, 0x8007_0569],
        phrases: &[
            "failed to write vhd attachment",
            "logon failure: the user has not been granted the requested logon type",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1019",
        id: "HOST-DESKTOP",
        title: "the host is a Windows desktop",
        severity: Info,
        means: "Hyper-V's VSS writer comes with Windows Server alone, and all checkpoints of a VM can be backed up only through that.",
        matters: "The mode all (--mode all) is refused on this host before anything is done. The latest state can be backed up, with changes tracked or in full.",
        cure: "Use --mode cbt or --mode standard; or shut the VM down, copy its folder, and back that up with --host dir:FOLDER.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-1020",
        id: "HOST-UNKNOWN-VERSION",
        title: "the host's Windows is not in the support matrix",
        severity: Info,
        means: "The host runs a Windows that is newer, or older, than all that this version of the program knows.",
        matters: "What it can do is taken from the nearest version that is known. Nothing is claimed that it did not answer.",
        cure: "Look for a newer version of lifeboat, and see what the first backups' plans say.",
        more: &["docs/operate/support-matrix.md"],
        ..BLANK
    },
    Explanation {
        code: "LB-1023",
        id: "HOST-NOT-LOOKED",
        title: "doctor could not look at something of the host",
        severity: Info,
        means: "The finding says what was not looked at and why: VSS is local to its host, and a class of WMI may be missing or refused.",
        matters: "That nothing is said of it does not mean that nothing is wrong with it.",
        cure: "Do what the finding says of it; on the host itself, with --host local, all of it can be looked at.",
        more: &["docs/operate/support.md", "LB-2033"],
        ..BLANK
    },
    Explanation {
        code: "LB-1024",
        id: "HOST-SETTINGS-UNREAD",
        title: "the host's own settings are not in the points",
        severity: Info,
        means: "The host did not tell its virtual switches, folders and live-migration settings when the run began, or there was too much of it.",
        matters: "The points are whole, and their VMs can be restored. Somebody who has to build the host anew finds its switches in an earlier point only.",
        cure: "`lifeboat host show --host HOST` says what the host answers. The account needs to read root\\virtualization\\v2.",
        ..BLANK
    },
];
