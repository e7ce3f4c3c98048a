//! What a writer's state says of a backup (contract 5.2, 5.3).

use ::vss::{HYPERV_WRITER, WriterState, WriterStatus};

/// `VSS_E_WRITERERROR_NONRETRYABLE`
const NOT_RETRYABLE: u32 = 0x8004_23F4;
/// `VSS_E_WRITERERROR_PARTIAL_FAILURE`
const PARTIAL: u32 = 0x8004_2336;

/// How far a step has to bring a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It was asked what it has, or to get ready.
    Before,
    /// The snapshots were made.
    Snapshot,
    /// The backup has ended.
    End,
}

/// What a writer's state says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is where it should be.
    Well,
    /// Another try may succeed.
    Retry(String),
    /// Another try would fail as well.
    Final(String),
    /// These components failed, each with its code; the others did not.
    Components(Vec<(String, u32)>),
}

/// Judges a writer after a step.
pub(super) fn judge(status: &WriterStatus, step: Step) -> Verdict {
    if !status.failed_components.is_empty() {
        return Verdict::Components(status.failed_components.clone());
    }
    let failed = status.failure != 0 || is_failed(status.state);
    let is_there = match step {
        Step::Before => true,
        Step::Snapshot | Step::End => status.state.is_well(),
    };
    if !failed && is_there {
        return Verdict::Well;
    }
    let text = describe(status);
    match status.failure {
        NOT_RETRYABLE => Verdict::Final(text),
        // Without names nobody can be taken out.
        PARTIAL => Verdict::Retry(text),
        // What is not known is tried once more: so do the codes that say so.
        _ => Verdict::Retry(text),
    }
}

/// Says what is wrong with the writer of Hyper-V after a step of a restore; `None`: it is well.
pub(crate) fn failed_writer(statuses: &[WriterStatus]) -> Option<String> {
    let Some(status) = statuses.iter().find(|own| own.id == HYPERV_WRITER) else {
        return Some(
            "the Microsoft Hyper-V VSS Writer is not among the writers any more".to_owned(),
        );
    };
    match judge(status, Step::Before) {
        Verdict::Well => None,
        Verdict::Retry(text) | Verdict::Final(text) => Some(text),
        Verdict::Components(failed) => {
            let failed = failed.iter().map(|(_, code)| format!("0x{code:08X}"));
            let codes: Vec<String> = failed.collect();
            Some(format!(
                "the writer failed with the VM: {}",
                codes.join(", ")
            ))
        }
    }
}

/// Returns whether a component that failed with this code may succeed in another try.
pub(super) fn is_retryable(code: u32) -> bool {
    code != NOT_RETRYABLE
}

fn is_failed(state: WriterState) -> bool {
    matches!(
        state,
        WriterState::FailedAtIdentify
            | WriterState::FailedAtPrepareBackup
            | WriterState::FailedAtPrepareSnapshot
            | WriterState::FailedAtFreeze
            | WriterState::FailedAtThaw
            | WriterState::FailedAtPostSnapshot
            | WriterState::FailedAtBackupComplete
            | WriterState::FailedAtPreRestore
            | WriterState::FailedAtPostRestore
            | WriterState::FailedAtBackupShutdown
    )
}

fn describe(status: &WriterStatus) -> String {
    let message = status.message.as_deref().map_or(String::new(), |message| {
        format!(": {}", message.trim_end_matches('.'))
    });
    format!(
        "the writer {:?} is {:?} with 0x{:08X}{message}",
        status.name, status.state, status.failure
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn status(state: WriterState, failure: u32) -> WriterStatus {
        WriterStatus {
            instance: Uuid::nil(),
            id: HYPERV_WRITER,
            name: "Microsoft Hyper-V VSS Writer".to_owned(),
            state,
            failure,
            message: None,
            failed_components: Vec::new(),
        }
    }

    #[test]
    fn states_and_codes_are_told_apart() {
        use WriterState as State;
        let word = |state, failure, step| match judge(&status(state, failure), step) {
            Verdict::Well => "well",
            Verdict::Retry(_) => "retry",
            Verdict::Final(_) => "final",
            Verdict::Components(_) => "components",
        };
        assert_eq!(word(State::Stable, 0, Step::Before), "well");
        assert_eq!(word(State::WaitingForFreeze, 0, Step::Before), "well");
        assert_eq!(word(State::WaitingForFreeze, 0, Step::Snapshot), "retry");
        assert_eq!(
            word(State::WaitingForBackupComplete, 0, Step::Snapshot),
            "well"
        );
        let failed = State::FailedAtPrepareSnapshot;
        assert_eq!(word(failed, 0x8004_23F3, Step::Snapshot), "retry");
        assert_eq!(word(failed, 0x8004_23F4, Step::Snapshot), "final");
        assert_eq!(word(failed, 0, Step::Before), "retry");
        assert_eq!(word(failed, PARTIAL, Step::Snapshot), "retry");
        let mut partial = status(failed, PARTIAL);
        partial.failed_components = vec![("A".to_owned(), 0x8004_23F3)];
        let expected = Verdict::Components(partial.failed_components.clone());
        assert_eq!(judge(&partial, Step::Snapshot), expected);
        assert!(is_retryable(0x8004_23F3) && !is_retryable(0x8004_23F4));
    }
}
