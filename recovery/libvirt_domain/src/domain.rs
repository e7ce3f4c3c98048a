//! What a domain is made of.

use hyperv_host::Finding;
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot, NetworkAdapter, VmConfiguration};

use crate::findings::findings;

/// Disks of a SATA controller.
const SATA_PORTS: u32 = 6;
/// Where the configuration does not say how much memory the VM has.
pub(crate) const MEMORY_MIB: u64 = 2048;

/// What a domain is made of.
#[derive(Debug, Clone)]
pub struct DomainOrder<'a> {
    /// The VM as it was.
    pub configuration: &'a VmConfiguration,
    /// Its disks as they are now.
    pub disks: &'a [DomainDisk],
    /// The absolute path of the folder that they lie in.
    pub folder: &'a str,
    /// Names of switches, and the libvirt network that each becomes.
    pub networks: &'a [(String, String)],
    /// The guest is Windows.
    pub windows: bool,
    /// No adapter is connected.
    pub disconnected: bool,
    /// Each adapter gets a new MAC address.
    pub new_mac: bool,
    /// The guest has the drivers of virtio: disks that were SCSI's and adapters use them.
    pub virtio: bool,
}

/// A disk as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainDisk {
    /// Where it was attached; `None` where nobody knows.
    pub slot: Option<DiskSlot>,
    /// The name of its file, in the folder.
    pub file_name: String,
    /// The format of its file.
    pub format: DiskFormat,
    /// Its logical sector size in bytes.
    pub sector_bytes: u32,
}

/// Formats of image files that libvirt knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// The disk's bytes.
    Raw,
    /// qcow2.
    Qcow2,
    /// VMDK.
    Vmdk,
    /// VHD.
    Vhd,
}

impl DiskFormat {
    /// Returns what libvirt and QEMU call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vpc",
        }
    }
}

/// What a VM starts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// BIOS, of generation 1.
    Bios,
    /// UEFI, of generation 2.
    Uefi,
}

/// What a disk is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bus {
    /// IDE.
    Ide,
    /// SATA.
    Sata,
    /// virtio-scsi.
    VirtioScsi,
}

/// A disk and where it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedDisk {
    /// The disk.
    pub disk: DomainDisk,
    /// What it is attached to.
    pub bus: Bus,
    /// The controller's number among those of its bus, or IDE's channel.
    pub controller: u32,
    /// The place on it.
    pub unit: u32,
}

/// A network adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its MAC address in pairs with colons; `None`: it gets a new one.
    pub mac_address: Option<String>,
    /// The libvirt network that it is in.
    pub network: String,
    /// It is connected.
    pub connected: bool,
}

/// A VM for libvirt and QEMU.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uuid: Option<Uuid>,
    /// What people wrote of it.
    pub description: String,
    /// What it starts by.
    pub firmware: Firmware,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Virtual processors.
    pub processors: u32,
    /// The folder that the disks' files lie in.
    pub folder: String,
    /// Disks, in the order in which the firmware tries them.
    pub disks: Vec<AttachedDisk>,
    /// Network adapters.
    pub adapters: Vec<Adapter>,
    /// The guest is Windows.
    pub windows: bool,
    /// Adapters are virtio's.
    pub virtio: bool,
    /// What is not as it was, and what to do.
    pub findings: Vec<Finding>,
}

impl Domain {
    /// Makes the domain of a VM.
    pub fn of(order: &DomainOrder<'_>) -> Self {
        let vm = order.configuration;
        let firmware = if vm.generation == 2 {
            Firmware::Uefi
        } else {
            Firmware::Bios
        };
        let mut domain = Self {
            name: one_line(&vm.name).replace('/', "_"),
            // libvirt takes no id of nothing.
            uuid: Some(vm.id).filter(|id| !id.is_nil()),
            description: vm.notes.clone(),
            firmware,
            memory_mib: match vm.memory.startup_mib {
                0 => MEMORY_MIB,
                startup => startup,
            },
            processors: vm.processors.max(1),
            folder: order.folder.to_owned(),
            disks: attached(order, firmware),
            adapters: vm
                .network_adapters
                .iter()
                .map(|adapter| Adapter {
                    mac_address: mac_address(&adapter.mac_address).filter(|_| !order.new_mac),
                    network: network(adapter, order.networks)
                        .unwrap_or("default")
                        .to_owned(),
                    connected: !adapter.switch_name.is_empty() && !order.disconnected,
                })
                .collect(),
            windows: order.windows,
            virtio: order.virtio,
            findings: Vec::new(),
        };
        domain.findings = findings(order, &domain);
        domain
    }

    /// Returns the model of its network adapters.
    pub(crate) fn adapter_model(&self) -> &'static str {
        match self.firmware {
            _ if self.virtio => "virtio",
            Firmware::Bios => "e1000",
            Firmware::Uefi => "e1000e",
        }
    }

    /// Returns what its clock shows.
    pub(crate) fn clock(&self) -> &'static str {
        if self.windows { "localtime" } else { "utc" }
    }
}

/// Attaches the disks: IDE ones where they were, all others in their order.
fn attached(order: &DomainOrder<'_>, firmware: Firmware) -> Vec<AttachedDisk> {
    let mut disks: Vec<&DomainDisk> = order.disks.iter().collect();
    // Those that nobody knows the place of come last.
    disks.sort_by_key(|disk| (disk.slot.is_none(), disk.slot));
    let (mut sata, mut scsi) = (0..u32::MAX, 0..u32::MAX);
    let mut next = |disk: &DomainDisk| {
        let ide = disk.slot.filter(|slot| {
            let exists = slot.controller < 2 && slot.slot < 2;
            slot.kind == ControllerKind::Ide && exists && firmware == Firmware::Bios
        });
        if disk.sector_bytes == 512
            && let Some(slot) = ide
        {
            return (Bus::Ide, slot.controller, slot.slot);
        }
        let is_scsi = disk
            .slot
            .is_none_or(|slot| slot.kind != ControllerKind::Ide);
        if disk.sector_bytes != 512 || (order.virtio && is_scsi) {
            return (Bus::VirtioScsi, 0, scsi.next().unwrap_or_default());
        }
        let number = sata.next().unwrap_or_default();
        (Bus::Sata, number / SATA_PORTS, number % SATA_PORTS)
    };
    disks
        .into_iter()
        .map(|disk| {
            let (bus, controller, unit) = next(disk);
            AttachedDisk {
                disk: disk.clone(),
                bus,
                controller,
                unit,
            }
        })
        .collect()
}

/// Returns the network that was named for an adapter's switch. Windows' names have no case.
pub(crate) fn network<'a>(
    adapter: &NetworkAdapter,
    networks: &'a [(String, String)],
) -> Option<&'a str> {
    let switch = adapter.switch_name.to_lowercase();
    let found = networks
        .iter()
        .find(|(from, _)| from.to_lowercase() == switch);
    found.map(|(_, to)| to.as_str())
}

/// Returns `00155D012345` and the like as `00:15:5d:01:23:45`; `None` for none, and for an address
/// that no adapter can have.
fn mac_address(text: &str) -> Option<String> {
    let digits: Vec<char> = text
        .chars()
        .filter(|c| !matches!(c, '-' | ':' | '.'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_address = digits.len() == 12
        && digits.iter().all(char::is_ascii_hexdigit)
        && digits.iter().any(|digit| *digit != '0')
        // The lowest bit of the first byte: many adapters at once.
        && digits.get(1).and_then(|digit| digit.to_digit(16)).is_some_and(|digit| digit % 2 == 0);
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    is_address.then(|| pairs.join(":"))
}

/// Returns a text without line ends and other controls.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_where_they_are_some() {
        let kept = Some("00:15:5d:01:23:4f".to_owned());
        for text in ["00155D01234F", "00-15-5D-01-23-4F", "00:15:5d:01:23:4f"] {
            assert_eq!(mac_address(text), kept, "{text}");
        }
        for text in ["", "000000000000", "0015", "0115ZZ012345", "01155D012345"] {
            assert_eq!(mac_address(text), None, "{text}");
        }
    }
}
