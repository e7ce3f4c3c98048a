//! What a run ends with.

use backup_run::{Outcome, RunFailure, RunReport};

use crate::exit_code::ExitCode;

/// Returns what a run ends with. A repository that failed ended the run, and says so itself.
pub(crate) fn exit_code(report: &RunReport, strict: bool) -> ExitCode {
    let failures = || report.items.iter().filter_map(|item| item.failure.as_ref());
    match report.outcome {
        Outcome::Success => ExitCode::Success,
        Outcome::Warning if strict => ExitCode::Warnings,
        Outcome::Warning => ExitCode::Success,
        Outcome::Partial => failures()
            .find(|failure| failure.repository.is_some())
            .map(code_of)
            .filter(|code| code.is_specific())
            .unwrap_or(ExitCode::Partial),
        Outcome::Cancelled => ExitCode::Cancelled,
        Outcome::Failed | Outcome::Skipped => failures()
            .chain(&report.failure)
            .next()
            .map_or(ExitCode::Failed, code_of),
    }
}

/// Returns the code of one VM's failure.
pub(super) fn code_of(failure: &RunFailure) -> ExitCode {
    if let Some(kind) = failure.repository {
        return ExitCode::of_repository(kind);
    }
    if let Some(code) = failure.host.map(ExitCode::of_host)
        && code.is_specific()
    {
        return code;
    }
    failure.disk.map_or(ExitCode::Failed, ExitCode::of_disk)
}

#[cfg(test)]
mod tests {
    use backup_run::RunItem;
    use block_io::DiskErrorKind;
    use jiff::Timestamp;
    use repository::{RepositoryErrorKind, StreamStatistics};

    use super::*;

    fn report(
        outcome: Outcome,
        disk: Option<DiskErrorKind>,
        repository: Option<RepositoryErrorKind>,
    ) -> RunReport {
        let failure = RunFailure {
            messages: vec!["it failed".to_owned()],
            hint: None,
            kind: "failed".to_owned(),
            disk,
            host: None,
            repository,
        };
        let item = RunItem {
            vm: "VM".to_owned(),
            identity: "vm".to_owned(),
            outcome: Outcome::Failed,
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
            failure: Some(failure),
        };
        RunReport {
            run: "run".to_owned(),
            host: "dir:host".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            outcome,
            items: vec![item],
            commands: Vec::new(),
            findings: Vec::new(),
            failure: None,
        }
    }

    #[test]
    fn a_run_ends_with_the_code_of_what_ended_it() {
        let code = |outcome, disk, repository| exit_code(&report(outcome, disk, repository), false);
        let full = Some(RepositoryErrorKind::NoSpace);
        let (corrupt, blocked) = (Some(DiskErrorKind::Corrupt), Some(DiskErrorKind::Blocked));
        assert_eq!(code(Outcome::Failed, None, full), ExitCode::NoSpace);
        assert_eq!(code(Outcome::Partial, None, full), ExitCode::NoSpace);
        assert_eq!(code(Outcome::Partial, corrupt, None), ExitCode::Partial);
        assert_eq!(code(Outcome::Failed, corrupt, None), ExitCode::Failed);
        assert_eq!(code(Outcome::Failed, blocked, None), ExitCode::Blocked);
        assert_eq!(code(Outcome::Cancelled, None, None), ExitCode::Cancelled);
    }

    #[test]
    fn warnings_fail_a_strict_run_alone() {
        let report = report(Outcome::Warning, None, None);
        assert_eq!(exit_code(&report, false), ExitCode::Success);
        assert_eq!(exit_code(&report, true), ExitCode::Warnings);
    }
}
