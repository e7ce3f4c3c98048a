//! What the person wants of a backup.

use std::time::Duration;

use backup_run::{BackupOptions, ProofPolicy, SkipRequest};
use clap::{Args, ValueEnum};
use hyperv_host::{
    BackupMode, BackupRequest, Consistency, GuestBackup, OnMissed, Retry, Room, SavedState,
    SnapshotSets, UnfreezableDisks, VmEntry,
};
use vm_config::{ControllerKind, DiskSlot};

use crate::cli_error::CliError;
use crate::cmd::version::PROGRAM;
use crate::ui::parse_size;

/// What the person wants of a backup.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is wanted")]
pub(crate) struct PolicyArgs {
    /// How VMs are read: cbt reads what the host says has changed, standard all of the latest state, all-checkpoints the files of every checkpoint
    #[arg(long, value_name = "MODE", default_value = "cbt")]
    mode: Mode,
    /// The least consistency that will do
    #[arg(long, value_name = "LEVEL")]
    require: Option<Level>,
    /// What happens to a VM that misses it
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_missed: Missed,
    /// A VM that may be saved for the snapshot where nothing else freezes it, or `all`; its guest does not run meanwhile
    #[arg(long, value_name = "VM")]
    allow_saved_state: Vec<String>,
    /// Make volume snapshots for each VM alone, not one set for all
    #[arg(long)]
    snapshot_per_vm: bool,
    /// Who makes volume snapshots: a VSS provider's name or GUID
    #[arg(long, value_name = "NAME|GUID")]
    snapshot_provider: Option<String>,
    /// Pause the replication of a VM for its snapshot, and resume it whatever happens
    #[arg(long)]
    pause_replication: bool,
    /// Refuse VMs whose checkpoints lie on another volume than their disks
    #[arg(long)]
    same_volume: bool,
    /// What applications in the guest are told: a copy leaves their logs alone, a full backup may cut them
    #[arg(long, value_name = "KIND", default_value = "copy")]
    guest_backup: GuestKind,
    /// Refuse VMs with disks that cannot be frozen, such as pass-through disks
    #[arg(long)]
    refuse_incomplete: bool,
    /// Leave a disk out, such as SQL01:scsi0:1; the point is marked incomplete
    #[arg(long, value_name = "VM:SLOT")]
    exclude_disk: Vec<String>,
    /// Leave out of guests' disks what they can do without, where that is certain: free space, page files, hibernation files (a hibernated guest then starts anew), swap
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    skip: Vec<Skip>,
    /// VMs that are held still at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    vms_at_once: usize,
    /// Read at most so much from the host in a second, such as 100MiB
    #[arg(long, value_name = "SIZE")]
    limit: Option<String>,
    /// Tries with a VM that is busy
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// Room that must stay free on a volume on which a checkpoint grows
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    room_reserve: String,
    /// Room that must be there before a checkpoint is made, as a share of the VM's disks on the volume
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
    room_percent: u8,
    /// Read all that the host calls unchanged once within so many days; 0 only samples it
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    prove_within: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Cbt,
    Standard,
    #[value(alias = "all")]
    AllCheckpoints,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    Application,
    #[value(alias = "filesystem")]
    FileSystem,
    Crash,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Missed {
    Fail,
    Warn,
    Accept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Skip {
    PageFiles,
    HibernationFiles,
    Swap,
    FreeSpace,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GuestKind {
    Full,
    Copy,
}

impl PolicyArgs {
    /// Returns the options of a run.
    pub(crate) fn options(&self) -> Result<BackupOptions, CliError> {
        let exclude = self.exclude_disk.iter().map(|text| parse_disk(text));
        let limit = self.limit.as_deref().map(parse_size).transpose()?;
        if limit == Some(0) {
            return Err(CliError::usage("a limit of 0 would read nothing"));
        }
        Ok(BackupOptions {
            workers: 0,
            vms_at_once: self.vms_at_once.clamp(1, 64),
            bytes_per_second: limit,
            request: self.request()?,
            exclude: exclude.collect::<Result<_, CliError>>()?,
            allow_saved: self.saved_vms().cloned().collect(),
            proof: ProofPolicy {
                whole_within_days: self.prove_within,
                ..ProofPolicy::default()
            },
            skip: self.skip_request(),
            program: PROGRAM.to_owned(),
            ..BackupOptions::default()
        })
    }

    fn skip_request(&self) -> SkipRequest {
        let asked = |what| self.skip.contains(&what) || self.skip.contains(&Skip::All);
        SkipRequest {
            free_space: asked(Skip::FreeSpace),
            page_files: asked(Skip::PageFiles),
            hibernation_files: asked(Skip::HibernationFiles),
            swap: asked(Skip::Swap),
            ..SkipRequest::default()
        }
    }

    fn request(&self) -> Result<BackupRequest, CliError> {
        Ok(BackupRequest {
            mode: match self.mode {
                Mode::Cbt => BackupMode::Tracked,
                Mode::Standard => BackupMode::Standard,
                Mode::AllCheckpoints => BackupMode::AllCheckpoints,
            },
            require: self.require.map(|level| match level {
                Level::Application => Consistency::Application,
                Level::FileSystem => Consistency::FileSystem,
                Level::Crash => Consistency::Crash,
            }),
            on_missed: match self.on_missed {
                Missed::Fail => OnMissed::Fail,
                Missed::Warn => OnMissed::Warn,
                Missed::Accept => OnMissed::Accept,
            },
            guest_backup: match self.guest_backup {
                GuestKind::Full => GuestBackup::Full,
                GuestKind::Copy => GuestBackup::Copy,
            },
            unfreezable: if self.refuse_incomplete {
                UnfreezableDisks::Refuse
            } else {
                UnfreezableDisks::LeaveOut
            },
            exclude: Vec::new(),
            retry: Retry {
                attempts: self.retries.max(1),
                first_wait: Duration::from_secs(15),
            },
            room: Room {
                growth_percent: self.room_percent,
                reserve_bytes: parse_size(&self.room_reserve)?,
                ..Room::default()
            },
            saved_state: if self.allow_saved_state.iter().any(|name| is_all(name)) {
                SavedState::Allow
            } else {
                SavedState::Refuse
            },
            snapshot_sets: if self.snapshot_per_vm {
                SnapshotSets::PerVm
            } else {
                SnapshotSets::Shared
            },
            snapshot_provider: self.snapshot_provider.clone(),
            pause_replication: self.pause_replication,
            same_volume: self.same_volume,
            ..BackupRequest::default()
        })
    }

    /// Returns the VMs that are named one by one.
    fn saved_vms(&self) -> impl Iterator<Item = &String> {
        self.allow_saved_state.iter().filter(|name| !is_all(name))
    }

    /// Fails where a VM is allowed something that is not part of the run: a name that is
    /// misspelled would leave another VM without its backup.
    pub(crate) fn check_names(&self, vms: &[VmEntry]) -> Result<(), CliError> {
        for name in self.saved_vms() {
            let is_called = |vm: &VmEntry| {
                vm.name.to_lowercase() == name.to_lowercase()
                    || vm.identity.eq_ignore_ascii_case(name)
            };
            if !vms.iter().any(is_called) {
                let what = format!("--allow-saved-state {name}: no VM of this run is called so");
                let hint = "name a VM by its name or GUID, or write `all`";
                return Err(CliError::usage(what).hint(hint));
            }
        }
        Ok(())
    }
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("all")
}

/// Reads `VM:scsi0:1`. The VM's own name may have colons in it.
fn parse_disk(text: &str) -> Result<(String, DiskSlot), CliError> {
    let parse = || {
        let (rest, slot) = text.rsplit_once(':')?;
        let (vm, controller) = rest.rsplit_once(':')?;
        let controller = controller.to_lowercase();
        let (kind, number) = if let Some(number) = controller.strip_prefix("scsi") {
            (ControllerKind::Scsi, number)
        } else {
            (ControllerKind::Ide, controller.strip_prefix("ide")?)
        };
        let slot = DiskSlot {
            kind,
            controller: number.parse().ok()?,
            slot: slot.parse().ok()?,
        };
        (!vm.is_empty()).then(|| (vm.to_owned(), slot))
    };
    parse().ok_or_else(|| {
        CliError::usage(format!("{text:?} names no disk")).hint("write VM:scsi0:1 or VM:ide0:0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_named_by_vm_and_slot() {
        let slot = |kind, controller, slot| DiskSlot {
            kind,
            controller,
            slot,
        };
        let named = |text| parse_disk(text).ok();
        let expected = ("SQL01".to_owned(), slot(ControllerKind::Scsi, 0, 1));
        assert_eq!(named("SQL01:scsi0:1"), Some(expected));
        let expected = ("a: b".to_owned(), slot(ControllerKind::Ide, 1, 0));
        assert_eq!(named("a: b:IDE1:0"), Some(expected));
        for wrong in [
            "SQL01",
            "SQL01:1",
            ":scsi0:1",
            "SQL01:sata0:1",
            "SQL01:scsi:1",
        ] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
