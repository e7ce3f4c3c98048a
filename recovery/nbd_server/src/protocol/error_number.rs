//! Error values (section "Error values").

/// What went wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorNumber {
    /// The export is read-only.
    NotPermitted,
    /// The device cannot be read.
    InputOutput,
    /// The request makes no sense.
    Invalid,
    /// More than one unfragmented chunk may hold.
    Overflow,
}

impl ErrorNumber {
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::NotPermitted => 1,
            Self::InputOutput => 5,
            Self::Invalid => 22,
            Self::Overflow => 75,
        }
    }
}
