//! The order of a restore's calls, as one state machine.

use std::fmt;

use crate::{VssError, VssErrorKind, VssStep};

/// How far a restore got.
///
/// ```text
///   Begun ─select─► Chosen ─pre_restore─► MadeRoom ─set_restored─► FilesThere ─post_restore─► Ended
///                   add_new_target
///
///   pre_restore or post_restore fails: Failed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestorePhase {
    /// The restore was begun.
    Begun,
    /// A component is to be restored.
    Chosen,
    /// Writers have made room.
    MadeRoom,
    /// The files of a component are in place, or are said not to be.
    FilesThere,
    /// Writers were told that the files are in place.
    Ended,
    /// A step failed that cannot be taken again: what is left is to look at writers.
    Failed,
}

impl fmt::Display for RestorePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun => "no component was chosen",
            Self::Chosen => "writers have not made room",
            Self::MadeRoom => "writers do not know whether files are in place",
            Self::FilesThere => "writers were not told that the files are in place",
            Self::Ended => "the restore has ended",
            Self::Failed => "the restore failed",
        })
    }
}

/// The order of the calls of one [`VssRestore`](crate::VssRestore).
///
/// Whoever implements the seam asks [`RestoreOrder::enter`] before a call does anything, and tells
/// what came of it with [`RestoreOrder::leave`], as with [`Order`](crate::Order).
#[derive(Debug, Clone)]
pub struct RestoreOrder {
    phase: RestorePhase,
}

impl Default for RestoreOrder {
    fn default() -> Self {
        Self {
            phase: RestorePhase::Begun,
        }
    }
}

impl RestoreOrder {
    /// Returns how far the restore got.
    pub fn phase(&self) -> RestorePhase {
        self.phase
    }

    /// Returns the calls that may come now.
    pub fn expected(&self) -> &'static [VssStep] {
        use VssStep as S;
        match self.phase {
            RestorePhase::Begun => &[S::Select, S::WriterStatuses],
            RestorePhase::Chosen => &[S::Select, S::AddNewTarget, S::PreRestore, S::WriterStatuses],
            RestorePhase::MadeRoom => &[S::SetRestored, S::WriterStatuses],
            RestorePhase::FilesThere => &[S::SetRestored, S::PostRestore, S::WriterStatuses],
            RestorePhase::Ended | RestorePhase::Failed => &[S::WriterStatuses],
        }
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
        let names: Vec<&str> = expected.iter().map(|step| step.call()).collect();
        let message = format!(
            "{step} out of order: {}; expected: {}",
            self.phase,
            names.join(", ")
        );
        Err(VssError::new(VssErrorKind::BadState, step, message))
    }

    /// Takes down what came of a call that [`RestoreOrder::enter`] let be made, and hands it on.
    pub fn leave<T>(&mut self, step: VssStep, result: Result<T, VssError>) -> Result<T, VssError> {
        self.phase = match (step, &result) {
            (VssStep::Select, Ok(_)) => RestorePhase::Chosen,
            (VssStep::PreRestore, Ok(_)) => RestorePhase::MadeRoom,
            (VssStep::SetRestored, Ok(_)) => RestorePhase::FilesThere,
            (VssStep::PostRestore, Ok(_)) => RestorePhase::Ended,
            (VssStep::PreRestore | VssStep::PostRestore, Err(_)) => RestorePhase::Failed,
            _ => self.phase,
        };
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [VssStep; 6] = [
        VssStep::Select,
        VssStep::AddNewTarget,
        VssStep::PreRestore,
        VssStep::SetRestored,
        VssStep::PostRestore,
        VssStep::WriterStatuses,
    ];

    fn reached(steps: &[VssStep]) -> RestoreOrder {
        let mut order = RestoreOrder::default();
        for step in steps {
            order.enter(*step).unwrap();
            order.leave(*step, Ok(())).unwrap();
        }
        order
    }

    #[test]
    fn each_phase_lets_its_calls_be_made_and_refuses_the_others_by_name() {
        let whole = [
            VssStep::Select,
            VssStep::PreRestore,
            VssStep::SetRestored,
            VssStep::PostRestore,
        ];
        let allowed = ["s.....", "snp...", "...r..", "...ro.", "......"];
        for (count, allowed) in allowed.iter().enumerate() {
            let order = reached(&whole[..count]);
            for (step, mark) in STEPS.iter().zip(allowed.chars()) {
                let may = mark != '.' || *step == VssStep::WriterStatuses;
                let refused = order.enter(*step).err();
                assert_eq!(refused.is_none(), may, "{count} {step}");
                if let Some(error) = refused {
                    assert_eq!(error.kind(), VssErrorKind::BadState);
                    assert!(error.to_string().contains("expected: "), "{error}");
                }
            }
        }
    }

    #[test]
    fn what_failed_is_not_tried_again() {
        let failed = || VssError::new(VssErrorKind::Other, VssStep::PreRestore, "no");
        let mut order = reached(&[VssStep::Select]);
        order
            .leave::<()>(VssStep::PreRestore, Err(failed()))
            .unwrap_err();
        assert_eq!(order.phase(), RestorePhase::Failed);
        order.enter(VssStep::PreRestore).unwrap_err();
        order.enter(VssStep::WriterStatuses).unwrap();
        // A component that the document does not have is no reason to give up.
        let mut order = reached(&[VssStep::Select]);
        order
            .leave::<()>(VssStep::Select, Err(failed()))
            .unwrap_err();
        assert_eq!(order.phase(), RestorePhase::Chosen);
    }
}
