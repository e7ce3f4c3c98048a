//! Room for what a checkpoint makes grow.

use hyperv_host::{Finding, Room, Severity};

use crate::facts::{DiskFacts, HostState, VmFacts};

/// Says which volumes are too full for a checkpoint of a VM. `disks` are those that a checkpoint
/// holds, each with its size in bytes as far as that is known.
///
/// While a VM is frozen, what its guest writes goes to new files beside its disks.
pub(crate) fn no_room<'a>(
    disks: impl IntoIterator<Item = (&'a DiskFacts, Option<u64>)>,
    host: &HostState,
    room: &Room,
) -> Vec<Finding> {
    let mut grows: Vec<(usize, u64)> = Vec::new();
    for (disk, size_bytes) in disks {
        let volume = host.volume_of(&disk.path).and_then(|own| {
            let mut volumes = host.volumes.iter();
            volumes.position(|volume| std::ptr::eq(volume, own))
        });
        let Some(volume) = volume else { continue };
        let growth = size_bytes.unwrap_or(0) / 100 * u64::from(room.growth_percent);
        match grows.iter_mut().find(|(own, _)| *own == volume) {
            Some((_, bytes)) => *bytes = bytes.saturating_add(growth),
            None => grows.push((volume, growth)),
        }
    }
    let too_full = grows.into_iter().filter_map(|(index, growth)| {
        let volume = host.volumes.get(index)?;
        let needed = growth.saturating_add(room.reserve_bytes);
        (volume.free_bytes < needed).then(|| {
            let text = format!(
                "{} has {} MiB free, and a checkpoint of this VM needs {} MiB: {} for what the \
                 guest writes meanwhile, {} that stay free",
                volume.mount.to_uppercase(),
                volume.free_bytes >> 20,
                needed >> 20,
                growth >> 20,
                room.reserve_bytes >> 20
            );
            Finding::new("VM-NO-ROOM", Severity::Block, text).cure(
                "make room on the volume, back up when the guest writes little, or allow less \
                 room: --room-percent, --room-reserve",
            )
        })
    });
    too_full.collect()
}

/// Says that the volume of a VM's configuration is too full for its memory, which is written there
/// where the VM has to be saved.
pub(crate) fn no_room_for_memory(vm: &VmFacts, host: &HostState, room: &Room) -> Option<Finding> {
    let root = vm.settings.configuration_root.as_deref()?;
    let volume = host.volume_of(root)?;
    let memory = vm.memory_mib?.saturating_mul(1 << 20);
    let needed = memory.saturating_add(room.reserve_bytes);
    (volume.free_bytes < needed).then(|| {
        let text = format!(
            "{} has {} MiB free, and saving this VM needs {} MiB: {} for its memory, {} that stay \
             free",
            volume.mount.to_uppercase(),
            volume.free_bytes >> 20,
            needed >> 20,
            memory >> 20,
            room.reserve_bytes >> 20
        );
        Finding::new("VM-NO-ROOM", Severity::Block, text)
            .cure("make room on the volume, or allow less of it: --room-reserve")
    })
}
