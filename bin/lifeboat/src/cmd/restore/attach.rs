//! `lifeboat restore disk --attach-to VM --to HOST` (requirement REST-21).

use clap::Args;
use hyperv_host::Identity;
use repository::RestorePoint;
use vm_config::{ControllerKind, DiskSlot};
use vm_restore::{Destination, HostRestoreRequest, RestorePart};

use super::to_host::ToHost;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::invocation::Invocation;

/// Which VM gets the disk.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Into a VM")]
pub(crate) struct AttachArgs {
    /// Attach the disk to this VM of the host that --to names: its name or GUID
    #[arg(long, value_name = "VM", requires = "to")]
    pub(super) attach_to: Option<String>,
    /// The host that has the VM: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST", requires = "attach_to")]
    to: Option<String>,
    /// Where the disk is attached, such as scsi0:3; by default the first free place
    #[arg(long, value_name = "SLOT", requires = "attach_to", value_parser = read_slot)]
    slot: Option<DiskSlot>,
    /// Folder of the host that gets the file; by default that of the disk in the point
    #[arg(long, value_name = "FOLDER", requires = "attach_to")]
    path: Option<String>,
    #[command(flatten)]
    way: WayArgs,
}

/// Restores a disk into a VM.
pub(super) fn run(
    invocation: &Invocation,
    selector: &str,
    disk: u32,
    args: &AttachArgs,
    dry_run: bool,
) -> Result<ExitCode, CliError> {
    let missing = || CliError::usage("--attach-to needs --to HOST");
    let attach_to = args.attach_to.clone().ok_or_else(missing)?;
    let to = args.to.as_deref().ok_or_else(missing)?;
    let repository = invocation.open_repository()?;
    let point = repository.find_point(selector)?;
    let host = args.way.open(to)?;
    let request = HostRestoreRequest {
        part: RestorePart::Disks {
            attach_to,
            slot: args.slot,
        },
        destination: args
            .path
            .clone()
            .map_or(Destination::Original, Destination::Folder),
        identity: Identity::Keep,
        disks: Some(vec![disk]),
        run: RestorePoint::new_id()?,
        session_folder: args.way.restore_folder(to)?,
        ..HostRestoreRequest::default()
    };
    let restore = ToHost {
        invocation,
        repository: &repository,
        point: &point,
        host: host.as_restore_host()?,
        request,
        confirm: None,
        dry_run,
    };
    restore.run()
}

/// Reads `ide0:1` or `scsi2:63`.
fn read_slot(text: &str) -> Result<DiskSlot, String> {
    let wrong = || format!("{text:?} is no place of a disk, such as scsi0:3 or ide1:0");
    let lower = text.trim().to_ascii_lowercase();
    let (kind, rest) = match (lower.strip_prefix("scsi"), lower.strip_prefix("ide")) {
        (Some(rest), _) => (ControllerKind::Scsi, rest),
        (None, Some(rest)) => (ControllerKind::Ide, rest),
        (None, None) => return Err(wrong()),
    };
    let (controller, slot) = rest.split_once(':').ok_or_else(wrong)?;
    Ok(DiskSlot {
        kind,
        controller: controller.parse().map_err(|_| wrong())?,
        slot: slot.parse().map_err(|_| wrong())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_shown() {
        let scsi = DiskSlot {
            kind: ControllerKind::Scsi,
            controller: 2,
            slot: 63,
        };
        assert_eq!(read_slot("SCSI2:63"), Ok(scsi));
        assert_eq!(read_slot("ide0:1").unwrap().kind, ControllerKind::Ide);
        for wrong in [
            "", "scsi", "scsi0", "scsi:1", "sata0:1", "ide-1:0", "scsi0:x",
        ] {
            assert!(read_slot(wrong).is_err(), "{wrong}");
        }
    }
}
