//! Restore points that are compared: their guests, and what differs of their disks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use block_io::ByteRanges;
use file_restore::{DiskChanges, VolumeChanges, VolumeLayout, changed_ranges, open_disks};
use guest_files::{FileError, FileErrorKind, GuestFileSystem, State};
use guest_reader::{Guest, VolumeFacts};
use repository::{CatalogPoint, Repository, RestorePoint};

pub(crate) use super::open_point::GuestArgs;
use super::open_point::OpenPoint;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::ui::Ui;

/// A point's guest, and what of its disks differs from another point.
pub(crate) struct ComparedPoint {
    pub(super) open: OpenPoint,
    changes: DiskChanges,
    layouts: BTreeMap<u32, OnceCell<VolumeLayout>>,
}

impl ComparedPoint {
    /// Opens a point; `changed` is what of each disk differs, where that is known.
    pub(crate) fn open(
        ui: &Ui,
        repository: &Repository,
        point: RestorePoint,
        changed: &[Option<ByteRanges>],
        args: &GuestArgs,
    ) -> Result<Self, CliError> {
        let disks = open_disks(repository, &point, args.checkpoint.as_deref())?;
        let changes = DiskChanges::new(&disks, changed);
        let open = OpenPoint::over(ui, point, disks, args)?;
        let volumes = (0..).zip(&open.guest().facts().volumes);
        let layouts = volumes
            .map(|(number, _)| (number, OnceCell::new()))
            .collect();
        Ok(Self {
            open,
            changes,
            layouts,
        })
    }

    pub(crate) fn guest(&self) -> &dyn Guest {
        self.open.guest()
    }

    pub(crate) fn point(&self) -> &RestorePoint {
        &self.open.point
    }

    /// Returns what is known of a volume.
    pub(super) fn volume(&self, number: u32) -> Option<&VolumeFacts> {
        let at = usize::try_from(number).ok()?;
        self.guest().facts().volumes.get(at)
    }

    /// Returns a volume's name as paths have it.
    pub(super) fn volume_name(&self, number: u32) -> String {
        let name = self.volume(number).map(|facts| format!("/{}", facts.name));
        name.unwrap_or_default()
    }

    /// Returns what of the disks differs.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &ByteRanges> {
        self.changes.changed()
    }

    /// Returns where a volume lies and what of it differs.
    ///
    /// # Errors
    ///
    /// Those of [`DiskChanges::layout`].
    pub(crate) fn layout(&self, volume: u32) -> Result<&VolumeLayout, FileError> {
        let place = self.layouts.get(&volume).ok_or_else(|| {
            let what = format!("there is no volume {volume}");
            FileError::new(FileErrorKind::NotFound, what)
        })?;
        if let Some(layout) = place.get() {
            return Ok(layout);
        }
        let layout = self.changes.layout(self.guest(), volume)?;
        Ok(place.get_or_init(|| layout))
    }

    /// Says what of a volume changed since the point that this one was compared with.
    pub(super) fn changes_since(&self, volume: u32, old: &Self, old_volume: u32) -> VolumeChanges {
        match (self.layout(volume), old.layout(old_volume)) {
            (Ok(own), Ok(old)) => own.changes_since(old),
            _ => VolumeChanges::Unknown,
        }
    }

    /// Says why nobody can tell what of a volume changed since that point; `None` where it is known.
    pub(super) fn why_unknown(&self, volume: u32, old: &Self, old_volume: u32) -> Option<String> {
        match (self.layout(volume), old.layout(old_volume)) {
            (Ok(own), Ok(old)) => own.why_unknown(old).map(str::to_owned),
            (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
        }
    }
}

/// Compares the disks of two points; `None` where all are the same.
pub(super) fn differences(
    repository: &Repository,
    old: &RestorePoint,
    new: &RestorePoint,
    args: &GuestArgs,
) -> Result<Option<Vec<Option<ByteRanges>>>, CliError> {
    if args.checkpoint.is_some() {
        // Image files are compared, and a checkpoint is some of them: everything may differ.
        return Ok(Some(Vec::new()));
    }
    let changed = changed_ranges(repository, old, new)?;
    let is_same = old.disks().count() == new.disks().count()
        && old
            .disks()
            .zip(new.disks())
            .all(|(old, new)| old.size_bytes == new.size_bytes)
        && changed
            .iter()
            .all(|disk| disk.as_ref().is_some_and(ByteRanges::is_empty));
    Ok((!is_same).then_some(changed))
}

/// Returns the points of the VMs that are asked for, the oldest first; each VM's stand together.
pub(super) fn points_of_vms(
    repository: &Repository,
    is_asked: &dyn Fn(&CatalogPoint) -> bool,
) -> Result<Vec<Vec<RestorePoint>>, CliError> {
    let catalog = repository.catalog()?;
    let mut vms: BTreeMap<(&str, &str), Vec<RestorePoint>> = BTreeMap::new();
    for found in catalog.points.iter().filter(|point| is_asked(point)) {
        let vm = &found.summary.vm;
        let points = vms.entry((&vm.name, &vm.identity)).or_default();
        points.push(repository.point_of(&found.summary)?);
    }
    Ok(vms.into_values().collect())
}

/// Says where what is shown of a volume may be older than what its guest wrote last.
pub(super) fn tell_state(ui: &Ui, volume: &str, system: &dyn GuestFileSystem) {
    if let State::Behind(why) = &system.about().state {
        ui.warning(&format!(
            "volume {volume} may be older than what its guest wrote last: {why}"
        ));
    }
}

/// Says what a person should know of the disks.
pub(super) fn tell_notes(ui: &Ui, guest: &dyn Guest) {
    for (disk, notes) in guest.facts().notes.iter().enumerate() {
        for note in notes {
            ui.warning(&format!("disk {disk}: {note}"));
        }
    }
}

/// Returns what a command ends with that could not look at everything.
pub(crate) fn outcome(unreadable: u64) -> (&'static str, ExitCode) {
    match (interrupt::asked(), unreadable) {
        (true, _) => ("cancelled", ExitCode::Cancelled),
        (false, 0) => ("success", ExitCode::Success),
        (false, _) => ("partial", ExitCode::Partial),
    }
}
