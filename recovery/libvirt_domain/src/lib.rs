//! A Hyper-V VM's configuration as a libvirt domain, and as a script that starts QEMU alone.
//!
//! ```text
//!   VmConfiguration ─┐
//!   disks, files ────┼── Domain::of ──► Domain ──► to_xml      virsh define
//!   networks ────────┘                     │  └──► to_script   sh VM.sh
//!                                          └─────► findings    what is not as it was
//! ```
//!
//! What becomes of what:
//!
//! | Hyper-V | Domain |
//! |---|---|
//! | generation 1 | machine `pc`, BIOS |
//! | generation 2 | machine `q35`, UEFI (OVMF), Secure Boot off |
//! | IDE disk | the same place of the same IDE controller |
//! | SCSI disk | SATA, for which systems have drivers; virtio-scsi where it was asked for |
//! | disk with sectors of 4096 bytes | virtio-scsi: neither IDE nor SATA has such |
//! | network adapter | e1000 (generation 1) or e1000e, or virtio; its MAC address |
//! | switch | the libvirt network that was named for it, else `default` |
//! | clock | local time for Windows, UTC for others |
//! | processor | the host's own, with the enlightenments that guests of Hyper-V know |
//! | dynamic memory | the memory that the VM starts with |
//! | virtual TPM, firmware's variables | nothing: they are sealed to, and written for, Hyper-V |
//!
//! The XML is that of <https://libvirt.org/formatdomain.html>; `virt-xml-validate` takes it.
//!
//! # I/O
//!
//! None: a configuration in, texts out.
//!
//! # What is missing
//!
//! DVD drives and floppies, which hold no data of the VM; VLANs, which libvirt's networks have.

#![forbid(unsafe_code)]

mod domain;
mod findings;
mod script;
mod xml;

pub use domain::{
    Adapter, AttachedDisk, Bus, DiskFormat, Domain, DomainDisk, DomainOrder, Firmware,
};
