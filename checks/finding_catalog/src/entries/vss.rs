//! LB-103n, LB-104n: the Volume Shadow Copy Service of the host.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-1030",
        id: "HOST-VSS-SERVICE",
        title: "the Volume Shadow Copy service is switched off",
        severity: Warn,
        means: "The service VSS, or Windows' own provider swprv, has the start type Disabled. That they are stopped is as it should be: they start when they are asked.",
        matters: "Nothing can be frozen through VSS: no checkpoints with their tree, nothing on hosts up to Windows Server 2012 R2, and no other backup of the host either.",
        cure: "Set-Service VSS -StartupType Manual; Set-Service swprv -StartupType Manual.",
        phrases: &["volume shadow copy service … disabled"],
        codes: &[0x8007_0422],
        ..BLANK
    },
    Explanation {
        code: "LB-1031",
        id: "HOST-VSS-WRITER",
        title: "Hyper-V's VSS writer is missing or not stable",
        severity: Warn,
        means: "\"Microsoft Hyper-V VSS Writer\" ({66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}) is what freezes VMs for a volume snapshot; the service vmms brings it. It is not registered, or in a failed state.",
        matters: "Backups through VSS fail: all checkpoints, and everything on hosts up to Windows Server 2012 R2. Recovery checkpoints, the usual way on later hosts, do not need it.",
        cure: "`vssadmin list writers` should show it with State [1] Stable, Last error: No error. Restart vmms (Restart-Service vmms; running VMs are not disturbed) and look again. If it stays away: event logs Hyper-V-VMMS/Admin and Application (source VSS); a single VM with a broken configuration can keep it from answering. Meanwhile --mode cbt or --mode standard on Windows Server 2016 and later.",
        more: &["LB-1036", "LB-2115"],
        aliases: &["VSS-WRITER"],
        phrases: &[
            "hyper-v vss writer is not registered",
            "hyper-v vss writer … failed",
            "hyper-v vss writer … not stable",
            "writer … not registered",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-1032",
        id: "HOST-VSS-VOLUME",
        title: "VSS makes no snapshots of a volume with VM files",
        severity: Warn,
        means: "A volume that holds disks, configuration or checkpoints of a VM has a file system without shadow copies (FAT32, exFAT), or a provider refuses it.",
        matters: "VMs with files there cannot be backed up through VSS. Recovery checkpoints do not need it.",
        cure: "Move the VM's files to NTFS, ReFS or a cluster shared volume.",
        more: &["docs/operate/support-matrix.md"],
        phrases: &[
            "shadow copies of this volume are not supported",
            "shadow copying the specified volume is not supported",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-1033",
        id: "HOST-SHADOW-STORAGE",
        title: "a volume's shadow storage lies elsewhere, or is too small",
        severity: Warn,
        means: "Snapshots of a volume keep what is overwritten in a storage area. Hyper-V's writer wants it on the volume itself (F: on F:), and it needs room for what VMs write while they are read.",
        matters: "With the area on another volume backups through VSS fail or are slow; an area that fills makes Windows throw the snapshot away in the middle of the reading.",
        cure: "vssadmin list shadowstorage shows it. vssadmin delete shadowstorage /for=F: /on=C:, then vssadmin add shadowstorage /for=F: /on=F: /maxsize=20%. The first removes the volume's existing shadow copies.",
        phrases: &["insufficient storage available to create … shadow copy storage"],
        ..BLANK
    },
    Explanation {
        code: "LB-1034",
        id: "HOST-VSS-PROVIDER",
        title: "a provider of snapshots failed",
        severity: Warn,
        means: "Snapshots are made by Windows' own provider, a program's, or a storage array's. The one that was chosen refused, failed or is not installed. A provider of an array that cannot repair a snapshot shows as event 10111 or 10103 of Hyper-V.",
        matters: "The volume snapshot is not made, and the VMs of the set get no point.",
        cure: "Choose Windows' own with --snapshot-provider, or bring the array's provider up to date. vssadmin list providers shows all.",
        events: &[10111],
        phrases: &[
            "failed to mount vhd",
            "volume shadow copy service error: … provider",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1035",
        id: "HOST-VSS-BUSY",
        title: "another program is making a volume snapshot",
        severity: Warn,
        means: "VSS makes one set of snapshots at a time, and somebody else's is under way (0x80042316).",
        matters: "The run waits up to ten minutes and tries again.",
        cure: "If it stays: see which backup program runs, or restart the service VSS once none does.",
        codes: &[0x8007_173D],
        phrases: &[
            "another shadow copy creation is already in progress",
            "another backup is in progress",
        ],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1036",
        id: "HOST-VSS-RETRYABLE",
        title: "a writer failed, and another try may succeed",
        severity: Warn,
        means: "A writer did not get ready within its time, or reported a failure that passes (0x800423F3, 0x800423F2). Storage under load is the usual cause: writers have 60 seconds, and volumes hold their writes for 10.",
        matters: "The run tries again once or twice.",
        cure: "If it stays: back up at a quieter time, let volumes have sets of their own, and see what the event log Application (sources VSS and VolSnap) says.",
        is_finding: false,
        phrases: &[
            "the writer experienced a transient error",
            "flush and hold writes operation",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-1037",
        id: "HOST-VSS-NO-ROOM",
        title: "there is no room for a volume snapshot",
        severity: Block,
        means: "The shadow storage is too small, or a volume has as many snapshots as it can have (512), or a set too many volumes (64).",
        matters: "The volume snapshot is not made.",
        cure: "vssadmin list shadowstorage, vssadmin resize shadowstorage; remove snapshots that other programs left: vssadmin list shadows.",
        more: &["LB-1033"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1038",
        id: "HOST-VSS-NOT-LOCAL",
        title: "another node of the cluster has to make the snapshot",
        severity: Warn,
        means: "Snapshots of a cluster shared volume are made on its coordinator node (0x8004232D, 5951), and a volume takes part in one backup at a time.",
        matters: "The run goes to the coordinator, or moves it, where it may.",
        cure: "Name all nodes as hosts (--host cluster:NAME), or run lifeboat on the coordinator: Get-ClusterSharedVolume shows it.",
        codes: &[5949, 5951, 0x8007_173F],
        phrases: &["csv_volume_not_local"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1039",
        id: "HOST-VSS-SHARE",
        title: "the file server does not make snapshots of its shares",
        severity: Block,
        means: "VM files lie on an SMB share. Its server has to have the role service File Server VSS Agent, and the account has to be a Backup Operator there.",
        matters: "VMs on that share cannot be backed up through VSS.",
        cure: "Install-WindowsFeature FS-VSS-Agent on the file server, and put the account of lifeboat into its group Backup Operators. Recovery checkpoints need neither.",
        phrases: &["file share shadow copy"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1040",
        id: "HOST-VSS-STATE",
        title: "VSS was asked for something at the wrong time",
        severity: Warn,
        means: "A call came in an order that VSS does not know, or one of its documents could not be read, or the answer is one that only says how far something is.",
        matters: "The volume snapshot is given up, and the writers are told so.",
        cure: "Run again. If it happens twice, please report it with the run's journal: the order of calls is ours.",
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1041",
        id: "HOST-VSS-RESTORE",
        title: "a code of restores and of bare-metal recovery",
        severity: Info,
        means: "VSS has codes for putting whole machines back (ASR), for going back to a snapshot, and for moving snapshots between machines. A backup of VMs does none of that.",
        matters: "It came from another program, or from a restore through the writer.",
        cure: "See which program reported it.",
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1042",
        id: "HOST-VSS-TOO-MANY",
        title: "too many components for one volume snapshot (event 8193)",
        severity: Warn,
        means: "What VSS writes down of a backup has a limit. With very many VMs, disks and checkpoints in one set it is exceeded: event 8193 with 0x80070018.",
        matters: "The set fails for all its VMs.",
        cure: "Let VMs have sets of their own.",
        codes: &[0x8007_0018],
        events: &[8193],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-1043",
        id: "HOST-NO-VSS",
        title: "VSS of the host cannot be reached from here",
        severity: Block,
        means: "The Volume Shadow Copy Service is local to a machine. What was asked for goes through it, and lifeboat runs elsewhere, or on a system that has none.",
        matters: "All checkpoints, saved VMs, and everything on hosts up to Windows Server 2012 R2 cannot be backed up from here.",
        cure: "Run lifeboat on the host itself (--host local). On Windows Server 2016 and later --mode cbt and --mode standard need no VSS.",
        ..BLANK
    },
    Explanation {
        code: "LB-1044",
        id: "HOST-VSS-SLOW",
        title: "making the volume snapshots took long",
        severity: Warn,
        means: "Between PrepareForSnapshot and PostSnapshot guests and writers are held; the finding says for how many seconds. The usual causes are a slow provider and a busy volume.",
        matters: "Writers have 60 seconds and give up then, and applications in guests stand still meanwhile.",
        cure: "See which provider makes them (vssadmin list providers) and how busy the volume is. A set for each VM holds each of them for a shorter time.",
        more: &["LB-1034", "LB-1036"],
        aliases: &["VSS-PROVIDER-SLOW"],
        ..BLANK
    },
    Explanation {
        code: "LB-1045",
        id: "HOST-VSS-END",
        title: "the volume snapshot could not be ended in order",
        severity: Warn,
        means: "After everything was read, the writers were to be told that the backup is complete and the snapshots to be removed. One of both failed.",
        matters: "What was read is whole. A snapshot or a writer's checkpoint may be left on the host for a while.",
        cure: "See that `vssadmin list shadows` shows no snapshot of the run and `vssadmin list writers` a stable Hyper-V writer; `lifeboat doctor --fix` for what is ours.",
        more: &["LB-1031"],
        ..BLANK
    },
    Explanation {
        code: "LB-1046",
        id: "HOST-VSS-DOCUMENT",
        title: "the point does not keep the VSS writer's document",
        severity: Info,
        means: "The service did not give the document of the backup, or it is too long: of a set that many VMs share.",
        matters: "The point cannot go back through the host's VSS writer (`restore vm --through writer`). Every other way is open to it.",
        cure: "Nothing. With `--snapshot-per-vm` a document is about one VM.",
        ..BLANK
    },
];
