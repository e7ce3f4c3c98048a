//! The order of a backup's calls, as one state machine.

use std::fmt;

use crate::{SnapshotKind, VssError, VssErrorKind, VssStep};

/// How far a backup got.
///
/// ```text
///   Begun ─writers─► Described ─start_set─► InSet ─add_volume─► WithVolumes ─prepare─► Prepared
///                                                                                        │ snapshot
///   Ended ◄─delete_set─ Completed ◄──────────────complete───────────────── Snapped ◄─────┘
///
///   writers, prepare, snapshot or complete fails: Failed.   abort, in any phase: Aborted.
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The backup was begun.
    Begun,
    /// Writers told of themselves.
    Described,
    /// A set was started; it has no volumes.
    InSet,
    /// The set has volumes.
    WithVolumes,
    /// Writers are ready.
    Prepared,
    /// The snapshots are there.
    Snapped,
    /// Writers were told that the backup has ended; the snapshots are still there.
    Completed,
    /// The snapshots were removed.
    Ended,
    /// A step failed that cannot be taken again: what is left is to look at writers, and to abort.
    Failed,
    /// The backup was aborted.
    Aborted,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 10] = [
        Self::Begun,
        Self::Described,
        Self::InSet,
        Self::WithVolumes,
        Self::Prepared,
        Self::Snapped,
        Self::Completed,
        Self::Ended,
        Self::Failed,
        Self::Aborted,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun => "the backup was just begun",
            Self::Described => "writers told of themselves and no set was started",
            Self::InSet => "the set has no volumes yet",
            Self::WithVolumes => "the set has volumes and writers are not prepared",
            Self::Prepared => "writers are prepared and no snapshot was made",
            Self::Snapped => "the snapshots were made",
            Self::Completed => "the backup was completed",
            Self::Ended => "the backup has ended",
            Self::Failed => "the backup failed",
            Self::Aborted => "the backup was aborted",
        })
    }
}

/// The order of the calls of one [`VssBackup`](crate::VssBackup).
///
/// Whoever implements the seam asks [`Order::enter`] before a call does anything, and tells what
/// came of it with [`Order::leave`]. So every implementation refuses the same orders, in the same
/// words.
///
/// A backup without writers ([`SnapshotKind::WithoutWriters`]) may start its set at once. Its
/// `writers` and `writer_statuses` are empty; there are no components to name.
#[derive(Debug, Clone)]
pub struct Order {
    kind: SnapshotKind,
    phase: Phase,
}

impl Order {
    /// The order of a backup that was just begun.
    pub fn new(kind: SnapshotKind) -> Self {
        Self {
            kind,
            phase: Phase::Begun,
        }
    }

    /// Returns how far the backup got.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the calls that may come now, beside `abort`, which always may.
    pub fn expected(&self) -> Vec<VssStep> {
        use VssStep as S;
        let steps: &[S] = match self.phase {
            Phase::Begun if self.has_writers() => &[S::Writers],
            Phase::Begun => &[S::Writers, S::StartSet],
            Phase::Described => &[S::AddComponent, S::StartSet, S::WriterStatuses],
            Phase::InSet => &[S::AddComponent, S::AddVolume, S::WriterStatuses],
            Phase::WithVolumes => &[S::AddComponent, S::AddVolume, S::Prepare, S::WriterStatuses],
            Phase::Prepared => &[S::Snapshot, S::WriterStatuses],
            Phase::Snapped => &[
                S::WriterStatuses,
                S::Snapshots,
                S::SetSucceeded,
                S::Document,
                S::Complete,
            ],
            Phase::Completed => &[S::WriterStatuses, S::Snapshots, S::Document, S::DeleteSet],
            Phase::Failed => &[S::WriterStatuses],
            Phase::Ended | Phase::Aborted => &[],
        };
        let names_components = |step: &S| matches!(step, S::AddComponent | S::SetSucceeded);
        let steps = steps.iter().copied();
        steps
            .filter(|step| self.has_writers() || !names_components(step))
            .collect()
    }

    /// Lets a call be made, or refuses it.
    ///
    /// # Errors
    ///
    /// `BadState`, which names what was expected.
    pub fn enter(&self, step: VssStep) -> Result<(), VssError> {
        let expected = self.expected();
        if expected.contains(&step) {
            return Ok(());
        }
        let mut names: Vec<&str> = expected.iter().map(|step| step.call()).collect();
        if !matches!(self.phase, Phase::Ended | Phase::Aborted) {
            names.push("abort");
        }
        let next = match names.as_slice() {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        let (phase, kind) = (self.phase, VssErrorKind::BadState);
        let without = match self.has_writers() {
            true => "",
            false => " of a backup without writers",
        };
        let message = format!("{step} out of order: {phase}; expected{without}: {next}");
        Err(VssError::new(kind, step, message))
    }

    /// Takes down what came of a call that [`Order::enter`] let be made, and hands it on.
    pub fn leave<T>(&mut self, step: VssStep, result: Result<T, VssError>) -> Result<T, VssError> {
        self.phase = match (step, &result) {
            (VssStep::Writers, Ok(_)) => Phase::Described,
            (VssStep::StartSet, Ok(_)) => Phase::InSet,
            (VssStep::AddVolume, Ok(_)) => Phase::WithVolumes,
            (VssStep::Prepare, Ok(_)) => Phase::Prepared,
            (VssStep::Snapshot, Ok(_)) => Phase::Snapped,
            (VssStep::Complete, Ok(_)) => Phase::Completed,
            (VssStep::DeleteSet, Ok(_)) => Phase::Ended,
            (
                VssStep::Writers | VssStep::Prepare | VssStep::Snapshot | VssStep::Complete,
                Err(_),
            ) => Phase::Failed,
            _ => self.phase,
        };
        result
    }

    /// Takes down that the backup was aborted.
    ///
    /// Returns whether there was anything to abort: a backup that has ended, or was aborted, stays
    /// what it is.
    pub fn abort(&mut self) -> bool {
        match self.phase {
            Phase::Ended | Phase::Aborted => false,
            _ => {
                self.phase = Phase::Aborted;
                true
            }
        }
    }

    fn has_writers(&self) -> bool {
        self.kind == SnapshotKind::Backup
    }
}

#[cfg(test)]
mod tests;
