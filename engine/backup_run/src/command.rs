//! Commands of the person's own, before and after a run and before and after each of its VMs.
//!
//! ```text
//!   before ─► per VM: before_vm ─► freeze, read, let go ─► after_vm ─► after
//!      │                  │ fails, and that cancels                     ▲
//!      └──────────────────┴──── no VM, or not this one ─────────────────┘
//! ```
//!
//! The one after runs whenever the one before was started, and whenever there was work: also after
//! a failure, and after the person asked to stop. What it prints is kept, as far as there is room.

mod bracket;
mod captured;
mod process;
mod waiting;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::Outcome;
pub(crate) use bracket::{Brackets, Stopped, Verdict};
pub(crate) use process::Process;
pub(crate) use waiting::{SystemWaiting, Waiting};

/// The commands of a run.
#[derive(Debug, Clone)]
pub struct CommandPolicy {
    /// Runs once, before the first VM is held still; the host was listed and asked for plans then.
    pub before: Option<CommandLine>,
    /// Runs once, when all VMs are done.
    pub after: Option<CommandLine>,
    /// Runs before each VM is held still.
    pub before_vm: Option<CommandLine>,
    /// Runs when a VM is done.
    pub after_vm: Option<CommandLine>,
    /// How long one command may take; then it is ended with all that it has started.
    pub time_limit: Duration,
    /// What a failure of a command before the work means.
    pub on_before_failure: OnCommandFailure,
}

impl CommandPolicy {
    /// Returns whether something runs before or after each VM: such a VM is held still alone.
    pub(crate) fn is_around_vms(&self) -> bool {
        self.before_vm.is_some() || self.after_vm.is_some()
    }
}

impl Default for CommandPolicy {
    fn default() -> Self {
        Self {
            before: None,
            after: None,
            before_vm: None,
            after_vm: None,
            time_limit: Duration::from_secs(600),
            on_before_failure: OnCommandFailure::default(),
        }
    }
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for the system's shell: `cmd` on Windows, else `sh`.
    Shell(String),
    /// A program and its arguments, which nobody takes apart.
    Program {
        /// The program: a path, or a name that the system looks for.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Program { program, arguments } => {
                f.write_str(program)?;
                arguments.iter().try_for_each(|word| write!(f, " {word}"))
            }
        }
    }
}

/// What a failure of a command before the work means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCommandFailure {
    /// The work is not begun.
    #[default]
    Cancel,
    /// The work is done, with a warning.
    Warn,
    /// The work is done, and nothing else is said than in the report of the command.
    Ignore,
}

/// When a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandStage {
    /// Before the work.
    Before,
    /// After it.
    After,
}

impl CommandStage {
    /// Returns the word that the command finds in `LIFEBOAT_STAGE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// How a command ended. Exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandOutcome {
    /// Its exit code was 0.
    Success,
    /// Its exit code was another one, or a signal ended it.
    Failed,
    /// It took too long, and was ended.
    TimedOut,
    /// The person asked to stop, and it was ended.
    Cancelled,
    /// There is no such program, or it may not be started.
    NotStarted,
}

/// What a command did.
#[derive(Debug, Clone, Serialize)]
pub struct CommandReport {
    /// When it ran.
    pub stage: CommandStage,
    /// The VM that it ran for; `None`: for the run.
    pub vm: Option<String>,
    /// The command as it was given.
    pub command: String,
    /// How it ended.
    pub outcome: CommandOutcome,
    /// Its exit code, where it had one.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub milliseconds: u64,
    /// What it printed, the end of it where that was too much.
    pub output: String,
    /// The beginning of the output is not there.
    pub output_cut: bool,
    /// Why it could not be started.
    pub error: Option<String>,
    /// Its failure means nothing, as was asked.
    pub ignored: bool,
}

impl CommandReport {
    /// Returns whether it did what it should.
    pub fn succeeded(&self) -> bool {
        self.outcome == CommandOutcome::Success
    }

    /// Returns whether it was started.
    pub(crate) fn started(&self) -> bool {
        self.outcome != CommandOutcome::NotStarted
    }

    /// Says what went wrong, as a sentence without a full stop.
    pub fn trouble(&self) -> String {
        let which = format!("the {} command {:?}", self.stage.name(), self.command);
        match (self.outcome, self.exit_code, &self.error) {
            (CommandOutcome::Success, ..) => format!("{which} succeeded"),
            (CommandOutcome::Failed, Some(code), _) => {
                format!("{which} failed with exit code {code}")
            }
            (CommandOutcome::Failed, None, _) => format!("{which} was ended by a signal"),
            (CommandOutcome::TimedOut, ..) => {
                let seconds = self.milliseconds / 1000;
                format!("{which} was ended after {seconds} s, because it took too long")
            }
            (CommandOutcome::Cancelled, ..) => format!("{which} was cancelled"),
            (CommandOutcome::NotStarted, _, error) => {
                let why = error.as_deref().unwrap_or("unknown");
                format!("{which} could not be started: {why}")
            }
        }
    }
}

/// What a command is told of the work, in its environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandContext<'a> {
    /// Id of the run.
    pub(crate) run: &'a str,
    /// Name of the host.
    pub(crate) host: &'a str,
    /// Name and identity of the VM, of a command for one.
    pub(crate) vm: Option<(&'a str, &'a str)>,
    /// How the work ended, and the id of the point that was made, of a command after it.
    pub(crate) done: Option<(Outcome, Option<&'a str>)>,
}

impl CommandContext<'_> {
    /// Returns the variables, in the order of the documentation.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("LIFEBOAT_STAGE", self.stage().name().to_owned()),
            ("LIFEBOAT_RUN", self.run.to_owned()),
            ("LIFEBOAT_HOST", self.host.to_owned()),
        ];
        if let Some((name, identity)) = self.vm {
            variables.push(("LIFEBOAT_VM", name.to_owned()));
            variables.push(("LIFEBOAT_VM_ID", identity.to_owned()));
        }
        if let Some((outcome, point)) = self.done {
            variables.push(("LIFEBOAT_OUTCOME", outcome.name().to_owned()));
            variables.extend(point.map(|point| ("LIFEBOAT_POINT", point.to_owned())));
        }
        variables
    }

    /// Returns when the command runs: it is told how the work ended only after it.
    pub(crate) fn stage(&self) -> CommandStage {
        match self.done {
            None => CommandStage::Before,
            Some(_) => CommandStage::After,
        }
    }
}
