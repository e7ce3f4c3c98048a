//! LB-31nn, LB-32nn, LB-33nn: what stands in the way of a restore.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3101",
        id: "RUN-DIRECT",
        title: "a VM cannot be started straight out of the repository",
        severity: Warn,
        means: "Running a VM from its point before it is copied back needs more of a host than a restore does. Other programs say \"Cannot restore … with Run Direct enabled\" after they deleted the old VM.",
        matters: "The VM has to be copied back first.",
        cure: "Restore it as usual: `lifeboat restore vm`. Nothing of the old VM is touched before the new one is whole.",
        phrases: &["with run direct enabled"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3201",
        id: "MOUNT-PLATFORM",
        title: "a disk cannot be mounted on this platform",
        severity: Info,
        means: "\"VHD Mounter - Operating System (Platform Not Support)\": other programs mount images with Windows' own driver, which older and other systems do not have.",
        matters: "Lifeboat reads disks by itself on any platform; nothing is mounted to look into one.",
        cure: "`lifeboat files ls POINT:/` lists the files of a restore point anywhere; `lifeboat restore disk` makes an image of any format.",
        phrases: &["platform not support"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3202",
        id: "MOUNT-RIGHTS",
        title: "mounting a disk needs an administrator",
        severity: Info,
        means: "\"VHD Mounter - Administrator Privilege (No)\": attaching an image to Windows takes rights that the account does not have.",
        matters: "Reading and restoring with lifeboat takes none beyond those to the repository's folder and the target.",
        cure: "Take the files out with `lifeboat files get`, which needs no rights on this machine.",
        phrases: &["administrator privilege (no)"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3203",
        id: "MOUNT-NO-PARTITION",
        title: "no partition was found on a disk",
        severity: Warn,
        means: "\"VHD Mounter - (No Valid Partition Found)\": the disk is Linux LVM, a Windows dynamic disk, encrypted, without a table at all, or empty.",
        matters: "Windows shows nothing of such a disk; that says nothing about the backup.",
        cure: "`lifeboat files volumes POINT` names each volume and what is in it; LVM, md and dynamic disks are read as they are, encrypted volumes with their key.",
        more: &["LB-4009"],
        phrases: &["no valid partition found"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3204",
        id: "MOUNT-FILE-SYSTEM",
        title: "a volume's file system is not known",
        severity: Warn,
        means: "\"The volume does not contain a recognized file system\": it belongs to another system, is encrypted, or is damaged.",
        matters: "Windows cannot show its files; that says nothing about the backup.",
        cure: "`lifeboat files volumes POINT` says what it is, and `files get` reads NTFS, FAT, exFAT, ext, XFS and Btrfs. What it cannot read, a VM that knows it can: `lifeboat restore disk`. If the original shows files and the copy does not, `lifeboat verify` the point.",
        codes: &[0x8007_03ED],
        phrases: &["does not contain a recognized file system"],
        is_finding: false,
        ..BLANK
    },
    Explanation {
        code: "LB-3301",
        id: "POINT-MEMORY",
        title: "the point has the VM's memory with it",
        severity: Info,
        means: "The VM was saved, or its checkpoints have memory. Memory resumes on a processor like the one that it was saved on, and nowhere else.",
        matters: "On another host the VM may not resume: \"cannot be restored because the saved state is not compatible with the processor\".",
        cure: "Restore without memory for another host, which is what happens unless `--memory` asks for it. Where a VM was imported with its memory and does not resume: turn it off, do not shut it down (Stop-VM -TurnOff, \"Turn Off\" in Hyper-V Manager). To shut down is asked of the guest, which does not run and cannot answer. Turning off discards the memory (as does Remove-VMSavedState), and the VM then starts as after a power cut.",
        phrases: &[
            "does not resume from ram state",
            "saved state … processor",
            "processor features … not supported",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-3302",
        id: "POINT-VERSION",
        title: "the target host does not run the VM's configuration version",
        severity: Block,
        means: "A host runs the configuration versions of its table in the support matrix: mostly older ones than its own, never newer ones, and from Windows Server 2022 on none below 8.0.",
        matters: "The VM can be copied there and will not register.",
        cure: "Restore to a host that runs the version; or restore the disks alone and make a new VM for them.",
        more: &["docs/operate/support-matrix.md"],
        phrases: &[
            "configuration version … not supported",
            "unsupported version … virtual machine",
        ],
        ..BLANK
    },
    Explanation {
        code: "LB-3303",
        id: "POINT-LEFT-OUT",
        title: "the point does not have all disks of the VM",
        severity: Warn,
        means: "A disk was left out: it is a physical disk, shared, or was excluded.",
        matters: "The restored VM starts without it, and its slot is empty.",
        cure: "Have what is on that disk at hand from elsewhere before the VM is restored for earnest.",
        more: &["LB-3001", "LB-3006"],
        ..BLANK
    },
    Explanation {
        code: "LB-3304",
        id: "POINT-VTPM",
        title: "the VM of the point has a virtual TPM",
        severity: Warn,
        means: "The state of the TPM is in the point, sealed to certificates that the old host keeps.",
        matters: "On another host it opens only with those certificates; else BitLocker asks for its recovery key.",
        cure: "Import the old host's \"Shielded VM Local Certificates\" on the target, and have BitLocker recovery keys at hand.",
        more: &["LB-2010"],
        ..BLANK
    },
    Explanation {
        code: "LB-3305",
        id: "POINT-NO-CONFIGURATION",
        title: "the point has no configuration of the VM",
        severity: Warn,
        means: "The disks are there, and what the VM is made of is not: its file could not be read when the point was made.",
        matters: "The disks come back; the VM around them has to be made by hand.",
        cure: "`lifeboat restore disk` for each disk, then New-VM. Memory and processors are in nobody's notes, so take an older point that has the configuration if there is one.",
        more: &["LB-2004"],
        ..BLANK
    },
    Explanation {
        code: "LB-3306",
        id: "POINT-OLD-DISK",
        title: "the point has disks that the target host does not open",
        severity: Warn,
        means: "VHDX came with Windows Server 2012, VHD sets with 2016.",
        matters: "The disk is restored and cannot be attached there.",
        cure: "Restore it in another format (--format vhd, up to 2,040 GiB), or to a newer host.",
        ..BLANK
    },
    Explanation {
        code: "LB-3307",
        id: "POINT-CONSISTENCY",
        title: "the point is crash-consistent",
        severity: Info,
        means: "The guest took no part when the point was made.",
        matters: "The VM starts as after a power cut. Most systems and databases are made for that; a database that is not VSS compliant may come back damaged.",
        cure: "Nothing, if that will do. An older point may be application-consistent: `lifeboat point list`.",
        more: &["LB-2109"],
        ..BLANK
    },
    Explanation {
        code: "LB-3308",
        id: "POINT-SAME-VM",
        title: "the target host has the VM already",
        severity: Info,
        means: "A VM with the identity of the point is on the target host.",
        matters: "Two VMs with one identity cannot be on one host, and two with one name confuse people and networks.",
        cure: "Restore it as a new VM (a new identity), or beside the old one and exchange the disks.",
        ..BLANK
    },
    Explanation {
        code: "LB-3309",
        id: "POINT-NO-ROOM",
        title: "no volume of the target host has room for the VM",
        severity: Warn,
        means: "The disks of the point take more than is free on each of the target's volumes.",
        matters: "The restore would end half way; what it made is removed then.",
        cure: "Make room, or spread the disks over several volumes with `lifeboat restore disk`.",
        ..BLANK
    },
    Explanation {
        code: "LB-3360",
        id: "POINT-DISK-BUS",
        title: "disks are attached to another kind of controller",
        severity: Warn,
        means: "Hyper-V's SCSI controller exists on no other hypervisor. Restored with --libvirt, such disks are on SATA, or on virtio-scsi with --virtio or where their sectors have 4096 bytes.",
        matters: "A system that starts only drivers for the controllers that it was installed on does not find its disk: Windows stops with 0x7B, Linux waits for its root.",
        cure: "Windows: start it once in safe mode, which starts all drivers. Linux: build the initramfs with all drivers (dracut --no-hostonly, or MODULES=most) before the backup, or in a rescue system.",
        ..BLANK
    },
    Explanation {
        code: "LB-3361",
        id: "POINT-FIRMWARE",
        title: "the firmware's variables stay on Hyper-V",
        severity: Info,
        means: "A generation 2 VM keeps boot entries and keys for Secure Boot in its guest state, which only Hyper-V reads. Under libvirt it starts with fresh ones, and with Secure Boot off.",
        matters: "The firmware looks for \\EFI\\BOOT\\BOOTX64.EFI, which Windows and most Linux systems have. One that has its loader elsewhere alone is not found.",
        cure: "Choose the loader in the firmware's boot menu once. For Secure Boot take out the feature secure-boot of the domain's <firmware>.",
        ..BLANK
    },
    Explanation {
        code: "LB-3362",
        id: "POINT-NETWORK",
        title: "adapters are connected to the default network",
        severity: Info,
        means: "No libvirt network was named for a virtual switch of Hyper-V.",
        matters: "The VM has libvirt's network `default`, which as a rule leads outside by address translation; nobody reaches it from there under its old address.",
        cure: "Name one: --map-switch SWITCH=NETWORK. Or change <source network> in the domain.",
        ..BLANK
    },
    Explanation {
        code: "LB-3363",
        id: "POINT-NO-MEMORY-SIZE",
        title: "how much memory the VM has is not known",
        severity: Warn,
        means: "The configuration in the point does not say with how much memory the VM starts.",
        matters: "The domain gets 2048 MiB, which may be too little.",
        cure: "Change <memory> in the domain, or -m in the script.",
        ..BLANK
    },
];
