//! Tracking ids: `rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:00000001` (contract 2.2).

use std::fmt;

use uuid::Uuid;

use crate::SimError;
use crate::tracking::{MALFORMED_ID, tracking_error};

/// The longest id (`VIRTUAL_DISK_MAXIMUM_CHANGE_TRACKING_ID_LENGTH`).
const LEN_MAX: usize = 256;

/// A moment in the life of a tracked disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrackingId {
    /// Names the tracking file. Contract: 2.2 [M]
    pub(crate) file: Uuid,
    /// Counts the moments. Contract: 2.2 [M]
    pub(crate) number: u32,
}

impl TrackingId {
    /// Reads an id.
    pub(crate) fn parse(text: &str) -> Result<Self, SimError> {
        Self::parsed(text).ok_or_else(|| tracking_error(MALFORMED_ID))
    }

    fn parsed(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("rctX:")
            .filter(|_| text.len() <= LEN_MAX)?;
        let (guid, number) = rest.rsplit_once(':')?;
        if number.len() != 8 {
            return None;
        }
        Some(Self {
            file: Uuid::parse_str(&guid.replace(':', "-")).ok()?,
            number: u32::from_str_radix(number, 16).ok()?,
        })
    }
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guid = self.file.hyphenated().to_string().replace('-', ":");
        write!(f, "rctX:{guid}:{:08x}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let text = "rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:0000001f";
        let id = TrackingId::parse(text).unwrap();
        assert_eq!(id.number, 31);
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            "",
            "rctX:",
            "rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:1f",
            "rct:5bfde23b:ce75:4303:b54f:6c18394f105c:0000001f",
            "rctX:é:00000001",
        ] {
            let error = TrackingId::parse(text).unwrap_err();
            assert_eq!(error.code(), MALFORMED_ID, "{text}");
        }
    }
}
