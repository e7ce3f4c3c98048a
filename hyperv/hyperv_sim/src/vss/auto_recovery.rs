//! What becomes of a guest's own snapshot once the volume is snapped (contract 5.1).
//!
//! ```text
//!   2012 R2, on the volume snapshot        X.vhdx ◄── X_<GUID>.avhdx      the running file
//!                                          frozen ◄── X-AutoRecovery.avhdx
//!   2012, on the volume snapshot           X.vhd, taken back in place
//! ```

use std::path::Path;

use block_io::BlockDevice as _;
use disk_image::OpenOptions;
use uuid::Uuid;
use vss::{VssError, VssStep, WriterState};

use super::failure::RETRYABLE;
use super::hold::VmFailure;
use super::method::{Method, lacks_scsi_controller};
use super::shadow_copy::shadows_folder;
use crate::drive::{file_name, parent_folder};
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::image::{create_child, write_ranges};
use crate::{SimError, TraceKind, Vm};

const STEP: VssStep = VssStep::Snapshot;
/// Guests write to snapshots in units of this many bytes.
const SECTOR_BYTES: u64 = 4096;

/// Returns `X-AutoRecovery.avhdx` beside the base `X.vhdx` of a file.
pub(crate) fn auto_recovery_name(vm: &Vm, file: &str) -> String {
    let base = vm.base_of(file);
    let name = file_name(base);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "vhdx"));
    format!("{}\\{stem}-AutoRecovery.a{extension}", parent_folder(base))
}

/// Returns whether a file of this name is one of these.
pub(crate) fn is_auto_recovery_file(name: &str) -> bool {
    name.to_ascii_lowercase().contains("-autorecovery.avhd")
}

impl HostState {
    /// Lets guests recover on the volume snapshots.
    pub(crate) fn recover_guests(&mut self, id: Uuid) -> Result<(), VssError> {
        for (vm, method) in self.vms_to_do(id)? {
            if method != Method::Online || self.facts.profile.has_recovery_checkpoints() {
                continue;
            }
            let strike = self.strike_vss(Some(id), STEP, "AutoRecovery", &[vm])?;
            let done = self.recover_guest(id, vm);
            let at = WriterState::FailedAtPostSnapshot;
            self.note_outcome(id, vm, at, done, &strike)?;
            strike.after.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    fn recover_guest(&mut self, id: Uuid, vm: Uuid) -> Result<(), VmFailure> {
        let failed = |error: SimError| VmFailure::new(RETRYABLE, error.to_string());
        if !self.facts.profile.vss_makes_auto_recovery_files() {
            self.revert_in_place(id, vm).map_err(failed)?;
            self.trace(Some(vm), TraceKind::GuestSnapshotReverted);
            return Ok(());
        }
        self.check_can_recover(id, vm)?;
        self.make_auto_recovery_files(id, vm).map_err(failed)?;
        self.trace(Some(vm), TraceKind::AutoRecovery);
        Ok(())
    }

    /// Fails, and writes to the event log, where the recovery disk cannot be attached to the guest.
    fn check_can_recover(&mut self, id: Uuid, vm: Uuid) -> Result<(), VmFailure> {
        let failed = |error: SimError| VmFailure::new(RETRYABLE, error.to_string());
        let owner = self.vm(vm).map_err(failed)?;
        let disk = owner.disks.first().map_or("", |disk| disk.path.as_str());
        let name = &owner.name;
        let lacks_recovery = self.shadow_copies_of(id).any(|copy| {
            let array = self.hardware_provider(copy.provider);
            array.is_some_and(|array| !array.supports_auto_recovery)
        });
        let (event, text) = if lacks_scsi_controller(owner) {
            let text = format!(
                "Failed to revert to VSS snapshot on the virtual hard disk '{disk}' of the virtual \
                 machine '{name}'. (Virtual machine ID {})",
                guid_text(vm)
            );
            (10103, text)
        } else if lacks_recovery {
            // The text is unverified. Contract: 7 [V?]
            let text = format!("The VSS writer has failed to mount VHD '{disk}' of '{name}'.");
            (10111, text)
        } else {
            return Ok(());
        };
        let kind = TraceKind::Event {
            id: event,
            text: text.clone(),
        };
        self.trace(Some(vm), kind);
        Err(VmFailure::new(RETRYABLE, text))
    }

    fn make_auto_recovery_files(&mut self, id: Uuid, vm: Uuid) -> Result<(), SimError> {
        for (number, frozen) in self.frozen_files(id, vm).into_iter().enumerate() {
            let owner = self.vm(vm)?;
            let name = auto_recovery_name(owner, &frozen);
            let (Some(parent), Some(file)) = (
                self.in_shadow_copy(id, &frozen),
                self.in_shadow_copy(id, &name),
            ) else {
                continue;
            };
            let seed = self.new_number();
            create_child(&file, &parent, &frozen, seed)?;
            self.write_recovery(vm, number, &file)?;
        }
        Ok(())
    }

    /// Lists the files that the writer's checkpoint of a VM froze, by disk.
    fn frozen_files(&self, id: Uuid, vm: Uuid) -> Vec<String> {
        let sessions = self.facts.vss.sessions.iter();
        let components = sessions
            .filter(|own| own.id == id)
            .flat_map(|own| &own.components);
        let mut own = components.filter(|own| own.vm.is_some_and(|(own, _)| own == vm));
        own.next()
            .map(|own| own.held.frozen.clone())
            .unwrap_or_default()
    }

    fn revert_in_place(&mut self, id: Uuid, vm: Uuid) -> Result<(), SimError> {
        for (number, disk) in self.vm(vm)?.disks.clone().iter().enumerate() {
            if !disk.kind.is_snapshottable() {
                continue;
            }
            if let Some(file) = self.in_shadow_copy(id, &disk.path) {
                self.write_recovery(vm, number, &file)?;
            }
        }
        Ok(())
    }

    /// Writes what the guest's applications write when they recover, to a disk of a snapshot.
    /// `number` counts the disks that have files.
    fn write_recovery(&mut self, vm: Uuid, number: usize, file: &Path) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        let with_files = owner.disks.iter().enumerate();
        let with_files = with_files.filter(|(_, disk)| disk.kind.is_snapshottable());
        let numbers: Vec<usize> = with_files.map(|(number, _)| number).collect();
        let disk = if self.facts.profile.vss_makes_auto_recovery_files() {
            numbers.get(number).copied().unwrap_or(number)
        } else {
            number
        };
        let writes = owner.guest_plan.recovery.iter();
        let writes: Vec<_> = writes.filter(|write| write.disk == disk).cloned().collect();
        for write in writes {
            let root = OpenOptions::below(shadows_folder(self.dir()));
            let image = disk_image::open(file, &root)?;
            let start = write.offset / SECTOR_BYTES * SECTOR_BYTES;
            let len = write.bytes.len() as u64;
            let end = write
                .offset
                .saturating_add(len)
                .next_multiple_of(SECTOR_BYTES);
            let end = end.min(image.size_bytes());
            let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
            image.read_at(start, &mut bytes)?;
            let at = usize::try_from(write.offset - start).unwrap_or(0);
            if let Some(part) = bytes.get_mut(at..at.saturating_add(write.bytes.len())) {
                part.copy_from_slice(&write.bytes);
            }
            drop(image);
            let seed = self.new_number();
            write_ranges(file, &[(start, bytes)], seed)?;
        }
        Ok(())
    }

    /// Leaves the recovery disks of a backup beside the disks, as a writer does that was not told
    /// of the end (contract 7, KB3175561).
    pub(crate) fn leave_auto_recovery_files(&mut self, id: Uuid) -> Result<(), SimError> {
        if !self.facts.profile.vss_makes_auto_recovery_files() {
            return Ok(());
        }
        for vm in self.held_vms(id) {
            for frozen in self.frozen_files(id, vm) {
                let Ok(owner) = self.vm(vm) else { continue };
                let name = auto_recovery_name(owner, &frozen);
                let Some(made) = self.in_shadow_copy(id, &name).filter(|made| made.exists()) else {
                    continue;
                };
                let left = self.local_path(&name)?;
                let copied = std::fs::copy(&made, &left);
                copied.map_err(|error| SimError::io(left.display(), error))?;
            }
        }
        Ok(())
    }
}
