//! What of a VM is not in its domain as it was.

use hyperv_host::{Finding, Severity};

use crate::domain::{Bus, Domain, DomainOrder, Firmware, MEMORY_MIB, network};

/// Says what is not as it was, and what to do.
pub(crate) fn findings(order: &DomainOrder<'_>, domain: &Domain) -> Vec<Finding> {
    [
        moved_disks(domain),
        missing_disks(order),
        firmware(order, domain),
        guest_state(order),
        networks(order),
        vlans(order),
        memory(order),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn moved_disks(domain: &Domain) -> Option<Finding> {
    let moved = domain.disks.iter().filter(|disk| disk.bus != Bus::Ide);
    let named: Vec<String> = moved
        .map(|own| {
            let bus = match own.bus {
                Bus::VirtioScsi => "virtio-scsi",
                Bus::Ide | Bus::Sata => "SATA",
            };
            format!("{} to {bus}", own.disk.file_name)
        })
        .collect();
    (!named.is_empty()).then(|| {
        let text = format!(
            "no other hypervisor has Hyper-V's SCSI controller: {}",
            named.join(", ")
        );
        Finding::new("POINT-DISK-BUS", Severity::Warn, text).cure(
            "if Windows stops with 0x7B, start it once in safe mode; if Linux finds no root, build \
             its initramfs with all drivers (dracut --no-hostonly) in a rescue system",
        )
    })
}

fn missing_disks(order: &DomainOrder<'_>) -> Option<Finding> {
    let disks = order.configuration.disks.iter();
    let missing = disks.filter(|disk| {
        let is_here = |own: &crate::DomainDisk| own.slot == Some(disk.slot);
        !order.disks.iter().any(is_here)
    });
    let named: Vec<&str> = missing
        .map(|disk| match disk.path.as_str() {
            "" => "a physical disk",
            path => path,
        })
        .collect();
    (!named.is_empty()).then(|| {
        let text = format!("disks that the point does not have: {}", named.join(", "));
        Finding::new("POINT-LEFT-OUT", Severity::Warn, text)
            .cure("have what is on them at hand from elsewhere, and attach it yourself")
    })
}

fn firmware(order: &DomainOrder<'_>, domain: &Domain) -> Option<Finding> {
    (domain.firmware == Firmware::Uefi).then(|| {
        let secure = if order.configuration.secure_boot {
            "; Secure Boot was on and is off now"
        } else {
            ""
        };
        let text = format!(
            "the firmware's boot entries stay on Hyper-V: the new one looks for \
             \\EFI\\BOOT\\BOOTX64.EFI on the first disk{secure}"
        );
        Finding::new("POINT-FIRMWARE", Severity::Info, text).cure(
            "if it finds nothing, choose the loader in the firmware's boot menu; for Secure Boot \
             take out the feature `secure-boot` of the domain's <firmware>",
        )
    })
}

fn guest_state(order: &DomainOrder<'_>) -> Option<Finding> {
    let file = order.configuration.guest_state_file.as_ref()?;
    let text = format!(
        "the guest state {file} does not come along: if it holds a virtual TPM, that is sealed to \
         keys of the old host"
    );
    Some(Finding::new("POINT-VTPM", Severity::Info, text).cure(
        "have BitLocker recovery keys at hand; a new TPM is <tpm model='tpm-crb'> with the \
             backend type='emulator'",
    ))
}

fn networks(order: &DomainOrder<'_>) -> Option<Finding> {
    let adapters = order.configuration.network_adapters.iter();
    let mut unmapped: Vec<&str> = adapters
        .filter(|own| !own.switch_name.is_empty() && !order.disconnected)
        .filter(|own| network(own, order.networks).is_none())
        .map(|own| own.switch_name.as_str())
        .collect();
    unmapped.sort_unstable();
    unmapped.dedup();
    (!unmapped.is_empty()).then(|| {
        let text = format!(
            "connected to the network `default` for want of a better one: what was at {}",
            unmapped.join(", ")
        );
        Finding::new("POINT-NETWORK", Severity::Info, text)
            .cure("name a libvirt network with --map-switch SWITCH=NETWORK, or change the domain")
    })
}

fn vlans(order: &DomainOrder<'_>) -> Option<Finding> {
    let adapters = order.configuration.network_adapters.iter();
    let tagged: Vec<String> = adapters
        .filter_map(|own| Some(format!("{} in VLAN {}", own.name, own.vlan?)))
        .collect();
    (!tagged.is_empty()).then(|| {
        let text = format!(
            "libvirt's networks tag, adapters do not: {}",
            tagged.join(", ")
        );
        Finding::new("POINT-NETWORK", Severity::Warn, text)
            .cure("name a network of that VLAN with --map-switch SWITCH=NETWORK")
    })
}

fn memory(order: &DomainOrder<'_>) -> Option<Finding> {
    (order.configuration.memory.startup_mib == 0).then(|| {
        let text = format!(
            "the configuration does not say how much memory the VM has: it gets {MEMORY_MIB} MiB"
        );
        Finding::new("POINT-NO-MEMORY-SIZE", Severity::Warn, text)
            .cure("give it what it needs: <memory> of the domain, -m of the script")
    })
}
