//! What a run did.

use block_io::DiskErrorKind;
use hyperv_host::{Finding, FullReason, HostError, HostErrorKind, LeftOut, Reached, VmEntry};
use jiff::Timestamp;
use repository::{RepositoryError, RepositoryErrorKind, StreamStatistics};
use serde::Serialize;

use crate::command::Stopped;
use crate::{CommandReport, StageItem, VolumeItem};

/// How a run, or a VM in it, ended. Exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A point exists and is as it should be.
    Success,
    /// A point exists, with less than one would wish.
    Warning,
    /// Some VMs have a point, some do not. Of a run only.
    Partial,
    /// No point was made.
    Failed,
    /// The person asked to stop before the point was made.
    Cancelled,
    /// The run ended before the VM's turn came.
    Skipped,
}

impl Outcome {
    /// Returns the outcome as programs read it. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Id of the run; what it made on the host carried it.
    pub run: String,
    /// The host.
    pub host: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// One for each VM, in the order of the run.
    pub items: Vec<RunItem>,
    /// What the commands before and after the run did.
    pub commands: Vec<CommandReport>,
    /// What the host said when the run had ended: of what was made for several VMs.
    pub findings: Vec<Finding>,
    /// Why no VM was begun, where that was so.
    pub failure: Option<RunFailure>,
}

/// What a run did with a VM.
#[derive(Debug, Clone, Serialize)]
pub struct RunItem {
    /// The VM's name.
    pub vm: String,
    /// Its identity.
    pub identity: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Id of the point, where one was made.
    pub point: Option<String>,
    /// How it was held still, such as `recovery-checkpoint`, as far as it got.
    pub method: Option<String>,
    /// What was done to hold it still, in order.
    pub stages: Vec<StageItem>,
    /// For how many seconds the guest did not run, where it had to be saved or paused.
    pub interruption_seconds: Option<f64>,
    /// The consistency that was reached, and why.
    pub consistency: Option<Reached>,
    /// What was done with each disk.
    pub disks: Vec<DiskItem>,
    /// What was done with each image file of its checkpoint tree.
    pub images: Vec<ImageItem>,
    /// Disks that are not in the point.
    pub left_out: Vec<LeftOut>,
    /// Sum over its disks and files.
    pub statistics: StreamStatistics,
    /// What went less well than it should.
    pub warnings: Vec<String>,
    /// What the commands before and after the VM did.
    pub commands: Vec<CommandReport>,
    /// Why there is no point.
    pub failure: Option<RunFailure>,
}

/// What a run did with a disk.
#[derive(Debug, Clone, Serialize)]
pub struct DiskItem {
    /// Position among the VM's disks, from 0.
    pub number: u32,
    /// File name.
    pub name: String,
    /// Why all of it was read; `None`: only what the host called changed.
    pub full: Option<FullReason>,
    /// The same as a sentence, for people.
    pub why: String,
    /// Bytes that the host called changed, where it said so.
    pub changed_ranges_bytes: Option<u64>,
    /// Bytes of what it called unchanged that were read again and compared.
    pub proved_bytes: u64,
    /// What was read and stored.
    pub statistics: StreamStatistics,
    /// The disk's volumes, where something was to be left out of them.
    pub volumes: Vec<VolumeItem>,
}

/// What a run did with an image file.
#[derive(Debug, Clone, Serialize)]
pub struct ImageItem {
    /// Its path below the VM's own folder.
    pub name: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// What was read and stored.
    pub statistics: StreamStatistics,
}

/// Why a VM has no point.
#[derive(Debug, Clone, Serialize)]
pub struct RunFailure {
    /// What failed, from the outside in.
    pub messages: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// What sort of failure it is, in the words of the error kinds.
    pub kind: String,
    /// The disk's kind of failure, where it was a disk, or a finding about one.
    #[serde(skip)]
    pub disk: Option<DiskErrorKind>,
    /// The host's kind of failure, where it was the host.
    #[serde(skip)]
    pub host: Option<HostErrorKind>,
    /// The repository's kind of failure, where it was the repository.
    #[serde(skip)]
    pub repository: Option<RepositoryErrorKind>,
}

impl RunFailure {
    /// Says that a command before the work keeps it from being begun.
    pub(crate) fn of_command(stopped: &Stopped) -> Self {
        let kind = if stopped.cancelled {
            RepositoryErrorKind::Cancelled.name()
        } else {
            "command-failed"
        };
        Self {
            messages: vec![stopped.message.clone()],
            hint: Some(
                "see what it printed; with `--on-before-failure warn` the work is done all the \
                 same"
                    .to_owned(),
            ),
            kind: kind.to_owned(),
            disk: None,
            host: None,
            repository: None,
        }
    }

    /// Collects an error with its causes.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut failure = Self {
            messages: Vec::new(),
            hint: None,
            kind: "failed".to_owned(),
            disk: None,
            host: None,
            repository: None,
        };
        let mut next = Some(error);
        while let Some(error) = next {
            let message = error.to_string();
            if failure.messages.last() != Some(&message) {
                failure.messages.push(message);
            }
            if let Some(error) = error.downcast_ref::<block_io::DiskError>() {
                failure.kind = error.kind().name().to_owned();
                failure.disk = Some(error.kind());
                failure.hint = error.hint_text().map(str::to_owned).or(failure.hint);
            }
            if let Some(error) = error.downcast_ref::<HostError>() {
                failure.kind = error.kind().name().to_owned();
                failure.host = Some(error.kind());
                failure.hint = error.hint_text().map(str::to_owned).or(failure.hint);
            }
            if let Some(error) = error.downcast_ref::<RepositoryError>() {
                failure.kind = error.kind().name().to_owned();
                failure.hint = error.hint_text().map(str::to_owned).or(failure.hint);
                // What cannot be read, or is larger than a stream may be, is the VM's own trouble.
                let own = [
                    RepositoryErrorKind::Source,
                    RepositoryErrorKind::Unsupported,
                ];
                if !own.contains(&error.kind()) {
                    failure.repository = Some(error.kind());
                }
            }
            next = error.source();
        }
        failure
    }
}

impl RunItem {
    /// Makes the item of a VM whose turn has not come.
    pub(crate) fn skipped(vm: &VmEntry) -> Self {
        Self {
            vm: vm.name.clone(),
            identity: vm.identity.clone(),
            outcome: Outcome::Skipped,
            point: None,
            method: None,
            stages: Vec::new(),
            interruption_seconds: None,
            consistency: None,
            disks: Vec::new(),
            images: Vec::new(),
            left_out: Vec::new(),
            statistics: StreamStatistics::default(),
            warnings: Vec::new(),
            commands: Vec::new(),
            failure: None,
        }
    }
}

impl RunReport {
    /// Says how a run ended whose VMs ended like this.
    pub(crate) fn outcome_of(items: &[RunItem]) -> Outcome {
        let any = |outcome| items.iter().any(|item| item.outcome == outcome);
        let good = any(Outcome::Success) || any(Outcome::Warning);
        if any(Outcome::Cancelled) {
            Outcome::Cancelled
        } else if any(Outcome::Failed) || any(Outcome::Skipped) {
            if good {
                Outcome::Partial
            } else {
                Outcome::Failed
            }
        } else if any(Outcome::Warning) {
            Outcome::Warning
        } else if good {
            Outcome::Success
        } else {
            // A run that backed nothing up has not succeeded.
            Outcome::Failed
        }
    }
}
