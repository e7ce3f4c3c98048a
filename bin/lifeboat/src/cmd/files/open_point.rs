//! A restore point, open for its files.

use std::process::Command;
use std::sync::Arc;

use block_io::BlockDevice;
use clap::Args;
use file_restore::{OwnNames, PointPath, Tree, TreeError, open_disks, own_names};
use guest_files::FileErrorKind;
use guest_reader::{Guest, LocalGuest, ReaderStart, RemoteGuest, Secrets};
use repository::{Repository, RestorePoint};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::Ui;

use super::volume_secrets::SecretArgs;

/// How a point's guest is looked at; all commands over files have these options.
#[derive(Debug, Clone, Args)]
pub(crate) struct GuestArgs {
    /// As it was at this checkpoint: its name, its id or the beginning of that; only where the point holds all checkpoints
    #[arg(long, value_name = "ID|NAME")]
    pub(super) checkpoint: Option<String>,
    #[command(flatten)]
    secrets: SecretArgs,
}

impl GuestArgs {
    /// Returns whether a checkpoint is asked for.
    pub(crate) fn names_checkpoint(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Opens the guest of a point to see which volumes it has; nothing is said of it.
    pub(super) fn open_guest(
        &self,
        repository: &Repository,
        point: &RestorePoint,
    ) -> Result<Box<dyn Guest>, CliError> {
        let disks = open_disks(repository, point, self.checkpoint.as_deref())?;
        let (secrets, _) = self.secrets.read()?;
        start(disks, secrets)
    }
}

/// A restore point's guest.
pub(super) struct OpenPoint {
    pub(super) point: RestorePoint,
    pub(super) names: OwnNames,
    guest: Box<dyn Guest>,
}

impl OpenPoint {
    /// Opens a point by one of its names, and asks its guest what it has.
    pub(super) fn open(
        invocation: &Invocation,
        name: &str,
        args: &GuestArgs,
    ) -> Result<Self, CliError> {
        let repository = invocation.open_repository()?;
        let point = repository.find_point(name)?;
        Self::of(&invocation.ui, &repository, point, args)
    }

    pub(super) fn of(
        ui: &Ui,
        repository: &Repository,
        point: RestorePoint,
        args: &GuestArgs,
    ) -> Result<Self, CliError> {
        let disks = open_disks(repository, &point, args.checkpoint.as_deref())?;
        Self::over(ui, point, disks, args)
    }

    /// Opens a point over disks that are already open.
    pub(super) fn over(
        ui: &Ui,
        point: RestorePoint,
        disks: Vec<Arc<dyn BlockDevice>>,
        args: &GuestArgs,
    ) -> Result<Self, CliError> {
        let (secrets, files) = args.secrets.read()?;
        let guest = start(disks, secrets)?;
        files.tell(ui, &guest.facts().unlocked);
        let names = own_names(&*guest);
        for note in &names.notes {
            ui.warning(note);
        }
        Ok(Self {
            point,
            names,
            guest,
        })
    }

    pub(super) fn guest(&self) -> &dyn Guest {
        &*self.guest
    }

    /// Returns the guest, and what its own systems say of its volumes.
    pub(super) fn into_parts(self) -> (Box<dyn Guest>, OwnNames) {
        (self.guest, self.names)
    }

    pub(super) fn tree(&self) -> Tree<'_> {
        Tree::new(&*self.guest, self.names.letters.clone())
    }
}

/// Reads `POINT:/N/path`.
pub(super) fn parse(text: &str) -> Result<PointPath, CliError> {
    PointPath::parse(text).map_err(|error| CliError::usage(error.to_string()))
}

/// What could not be found or read, as the program's own error.
pub(super) fn failed(error: TreeError) -> CliError {
    let message = error.to_string();
    match error {
        TreeError::NoVolume(_) | TreeError::NotFound(_) | TreeError::Pattern(_) => {
            CliError::new(ExitCode::Usage, "no-such-file", message)
        }
        TreeError::File(error) => match error.kind() {
            FileErrorKind::NotFound | FileErrorKind::WrongKind => {
                CliError::new(ExitCode::Usage, "no-such-file", message)
            }
            FileErrorKind::Corrupt => CliError::new(ExitCode::Damaged, "guest-damaged", message),
            FileErrorKind::Unreadable => {
                CliError::new(ExitCode::Incompatible, "unreadable", message)
            }
            _ => CliError::new(ExitCode::Failed, "failed", message),
        },
    }
}

/// Starts the process that reads the guest, where the system has a way to confine it; elsewhere the
/// readers, which are memory-safe, run here.
fn start(disks: Vec<Arc<dyn BlockDevice>>, secrets: Secrets) -> Result<Box<dyn Guest>, CliError> {
    if !guest_reader::CAN_CONFINE {
        return Ok(Box::new(LocalGuest::open_with(&disks, &secrets)));
    }
    let program = std::env::current_exe();
    let program = program.map_err(|error| CliError::io("the program's own file", error))?;
    let start = ReaderStart {
        command: Box::new(move || {
            let mut command = Command::new(&program);
            command.arg("guest-reader");
            command
        }),
        interrupted: interrupt::asked,
    };
    let guest = RemoteGuest::start(start, disks, secrets);
    guest
        .map(|guest| Box::new(guest) as Box<dyn Guest>)
        .map_err(|error| failed(TreeError::File(error)))
}
