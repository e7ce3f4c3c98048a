//! Where new GUIDs come from.

use block_io::{DiskError, DiskErrorKind};
use uuid::{Builder, Uuid};

/// Where new GUIDs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuidSource {
    /// The system's random numbers: the only choice outside tests.
    #[default]
    Random,
    /// A counter, so that a test can make the same file twice.
    Counting(u64),
}

impl GuidSource {
    /// Returns a GUID that this source did not return before.
    pub(crate) fn next(&mut self) -> Result<Uuid, DiskError> {
        match self {
            Self::Random => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).map_err(|error| {
                    DiskError::new(DiskErrorKind::Io, "the system gives no random numbers")
                        .caused_by(error.to_string())
                })?;
                Ok(Builder::from_random_bytes(bytes).into_uuid())
            }
            Self::Counting(count) => {
                *count = count.wrapping_add(1);
                Ok(Builder::from_u128(u128::from(*count)).into_uuid())
            }
        }
    }
}
