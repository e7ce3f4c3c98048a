//! How a run tells what it does.

use std::time::Duration;

use hyperv_host::{BackupMethod, Stage};

use crate::{CommandReport, CommandStage, RunItem};

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// The host does something for a VM: a short line such as `making a recovery checkpoint`.
    Step {
        /// The VM's name.
        vm: &'a str,
        /// What it does.
        text: &'a str,
    },
    /// A command of the person's own begins.
    CommandStarted {
        /// When it runs.
        stage: CommandStage,
        /// The VM that it runs for; `None`: for the run.
        vm: Option<&'a str>,
        /// The command as it was given.
        command: &'a str,
    },
    /// A command is done, well or not.
    CommandFinished(&'a CommandReport),
    /// A VM is held still.
    Held {
        /// The VM's name.
        vm: &'a str,
        /// How.
        method: BackupMethod,
        /// What was done, in order, and how long each step took.
        stages: &'a [Stage],
        /// How long the guest did not run, where it had to be saved or paused.
        interruption: Option<Duration>,
    },
    /// A VM's turn to be read came: the `number`-th of `count`, from 1.
    VmStarted {
        /// Position among the VMs of the run, from 1.
        number: usize,
        /// Number of VMs in the run.
        count: usize,
        /// Its name.
        vm: &'a str,
        /// Sum of the sizes of its disks and files in bytes.
        size_bytes: u64,
    },
    /// A disk or file of the VM is being read.
    StreamStarted {
        /// The VM's name.
        vm: &'a str,
        /// Name of the disk or file.
        stream: &'a str,
        /// Its size in bytes.
        size_bytes: u64,
    },
    /// More of the current VM is done. Comes often, from several threads.
    Progress {
        /// Bytes of the disk or file, also those that need not be read.
        stream_bytes: u64,
        /// Bytes that were added to the repository for them.
        stored_bytes: u64,
    },
    /// A VM is done, well or not.
    VmFinished(&'a RunItem),
}

/// Hears how a run gets on, and may end it. Called from several threads.
pub trait RunObserver: Sync {
    /// Hears what happened.
    fn event(&self, event: RunEvent<'_>);

    /// Says whether to stop.
    fn cancelled(&self) -> bool;
}
