//! Why the service could not do what was asked.

use std::error::Error;
use std::fmt;

use crate::{VssErrorKind, VssStep, meaning_of};

/// A failure of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VssError {
    kind: VssErrorKind,
    step: VssStep,
    code: Option<u32>,
    message: String,
}

impl VssError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: VssErrorKind, step: VssStep, message: impl Into<String>) -> Self {
        Self {
            kind,
            step,
            code: None,
            message: message.into(),
        }
    }

    /// Makes an error of what the service answered; `what` says what it was asked, such as
    /// `AddToSnapshotSet of C:\\`.
    pub fn of_code(step: VssStep, what: impl fmt::Display, code: u32) -> Self {
        let (kind, meaning) = match meaning_of(code) {
            Some(meaning) => (
                meaning.kind,
                format!("{}, {}", meaning.sentence, meaning.name),
            ),
            None => (None, unknown(code)),
        };
        let kind = kind.unwrap_or(VssErrorKind::Other);
        Self::new(kind, step, format!("{what}: {meaning} (0x{code:08X})")).with_code(code)
    }

    /// Keeps the `HRESULT`.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> VssErrorKind {
        self.kind
    }

    /// Returns what was being done.
    pub fn step(&self) -> VssStep {
        self.step
    }

    /// Returns the `HRESULT`.
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    /// Returns the name of the `HRESULT`, such as `VSS_E_BAD_STATE`.
    pub fn code_name(&self) -> Option<&'static str> {
        self.code.and_then(meaning_of).map(|meaning| meaning.name)
    }

    /// Returns whether the same may succeed in a while.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

/// Says what can be said of a number that is in no table.
fn unknown(code: u32) -> String {
    // "HRESULT", winerror.h: the upper half says whose number the lower half is.
    const WIN32: u32 = 0x8007;
    match code >> 16 {
        WIN32 => format!("error {} of Windows", code & 0xFFFF),
        _ => "an error that this program has no words for".to_owned(),
    }
}

impl fmt::Display for VssError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for VssError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u32) -> VssError {
        VssError::of_code(VssStep::Snapshot, "DoSnapshotSet", code)
    }

    #[test]
    fn a_code_becomes_kind_name_and_sentence() {
        let error = of(0x8004_2316);
        assert_eq!(error.kind(), VssErrorKind::Busy);
        assert_eq!(error.code_name(), Some("VSS_E_SNAPSHOT_SET_IN_PROGRESS"));
        assert_eq!(error.step(), VssStep::Snapshot);
        let expected = "DoSnapshotSet: another program is making snapshots, \
                        VSS_E_SNAPSHOT_SET_IN_PROGRESS (0x80042316)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_number_without_a_name_is_kept_and_windows_own_are_told_as_such() {
        let error = of(0x8007_04D5);
        assert_eq!(error.kind(), VssErrorKind::Other);
        assert_eq!(error.code(), Some(0x8007_04D5));
        assert_eq!(
            error.to_string(),
            "DoSnapshotSet: error 1237 of Windows (0x800704D5)"
        );
        assert!(of(0x8123_4567).to_string().contains("0x81234567"));
    }

    #[test]
    fn what_another_try_may_mend_is_told_apart() {
        for code in [
            0x8004_2316,
            0x8004_23F3,
            0x8004_23F2,
            0x8004_2417,
            0x8007_173D,
        ] {
            assert!(of(code).is_retryable(), "0x{code:08X}");
        }
        for code in [
            0x8004_23F4,
            0x8004_2336,
            0x8007_0005,
            0x8004_231F,
            0x8007_173F,
            1,
        ] {
            assert!(!of(code).is_retryable(), "0x{code:08X}");
        }
    }

    #[test]
    fn what_callers_decide_on_has_its_kind() {
        use VssErrorKind::{Denied, NoRoom, NotLocal, NotRetryable, Partial};
        for (code, kind) in [
            (0x8007_0005, Denied),
            (0x8004_232D, NotLocal),
            (0x8007_173F, NotLocal),
            (0x8004_231F, NoRoom),
            (0x8004_23F4, NotRetryable),
            (0x8004_2336, Partial),
        ] {
            assert_eq!(of(code).kind(), kind, "0x{code:08X}");
        }
    }
}
