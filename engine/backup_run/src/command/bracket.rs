//! The commands around a piece of work.

use super::{
    CommandContext, CommandLine, CommandOutcome, CommandPolicy, CommandReport, OnCommandFailure,
    Process, SystemWaiting,
};
use crate::{Outcome, RunEvent, RunObserver};

/// The commands around a run, and around each of its VMs.
pub(crate) struct Brackets<'a> {
    pub(crate) policy: &'a CommandPolicy,
    pub(crate) observer: &'a dyn RunObserver,
    /// Id of the run.
    pub(crate) run: &'a str,
    /// Name of the host.
    pub(crate) host: &'a str,
}

/// A piece of work: the run, or one VM with its name and identity.
pub(crate) type Work<'a> = Option<(&'a str, &'a str)>;

/// What a command before the work means for it.
pub(crate) enum Verdict {
    /// The work may begin; what went wrong is a warning.
    Begin(Option<String>),
    /// The work is not begun.
    Stop(Stopped),
}

/// Why a piece of work is not begun.
pub(crate) struct Stopped {
    /// Why, as a sentence without a full stop.
    pub(crate) message: String,
    /// The person asked to stop.
    pub(crate) cancelled: bool,
    /// The command was started, so the one after the work runs as well.
    pub(crate) started: bool,
}

impl Stopped {
    /// Returns how the work ended that was not begun.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.cancelled {
            Outcome::Cancelled
        } else {
            Outcome::Failed
        }
    }
}

impl Brackets<'_> {
    /// Runs the command before the work, if there is one.
    pub(crate) fn before(&self, work: Work<'_>, reports: &mut Vec<CommandReport>) -> Verdict {
        let policy = self.policy;
        let line = work.map_or(&policy.before, |_| &policy.before_vm);
        let Some(line) = line else {
            return Verdict::Begin(None);
        };
        let cancelled = || self.observer.cancelled();
        let mut report = self.run(line, &self.context(work, None), &cancelled);
        report.ignored = policy.on_before_failure == OnCommandFailure::Ignore;
        let stopped = Stopped {
            message: report.trouble(),
            cancelled: report.outcome == CommandOutcome::Cancelled,
            started: report.started(),
        };
        let succeeded = report.succeeded();
        self.tell(report, reports);
        match policy.on_before_failure {
            _ if succeeded => Verdict::Begin(None),
            _ if stopped.cancelled => Verdict::Stop(stopped),
            OnCommandFailure::Cancel => Verdict::Stop(stopped),
            OnCommandFailure::Warn => Verdict::Begin(Some(stopped.message)),
            OnCommandFailure::Ignore => Verdict::Begin(None),
        }
    }

    /// Runs the command after the work, if there is one, and returns what went wrong with it. The
    /// person's wish to stop does not keep it from its work: it puts right what the one before did.
    pub(crate) fn after(
        &self,
        work: Work<'_>,
        done: (Outcome, Option<&str>),
        reports: &mut Vec<CommandReport>,
    ) -> Option<String> {
        let policy = self.policy;
        let line = work.map_or(&policy.after, |_| &policy.after_vm).as_ref()?;
        let report = self.run(line, &self.context(work, Some(done)), &|| false);
        let trouble = (!report.succeeded()).then(|| report.trouble());
        self.tell(report, reports);
        trouble
    }

    fn context<'c>(
        &'c self,
        vm: Work<'c>,
        done: Option<(Outcome, Option<&'c str>)>,
    ) -> CommandContext<'c> {
        CommandContext {
            run: self.run,
            host: self.host,
            vm,
            done,
        }
    }

    fn run(
        &self,
        line: &CommandLine,
        context: &CommandContext<'_>,
        cancelled: &dyn Fn() -> bool,
    ) -> CommandReport {
        self.observer.event(RunEvent::CommandStarted {
            stage: context.stage(),
            vm: context.vm.map(|(name, _)| name),
            command: &line.to_string(),
        });
        let process = Process {
            waiting: &SystemWaiting,
            time_limit: self.policy.time_limit,
            cancelled,
        };
        process.run(line, context)
    }

    fn tell(&self, report: CommandReport, reports: &mut Vec<CommandReport>) {
        self.observer.event(RunEvent::CommandFinished(&report));
        reports.push(report);
    }
}
