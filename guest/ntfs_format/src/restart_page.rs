//! Whether the log is closed.

use crate::fields::{part, u16_at, u32_at, u64_at};
use crate::malformed::{Parsed, ensure};
use crate::protection::repair;

/// The volume was let go cleanly.
const VOLUME_IS_CLEAN: u16 = 2;
const NO_CLIENT: u16 = 0xFFFF;

/// One of the two pages that the log begins with. The later of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPage {
    /// Which of two is later.
    pub sequence: u64,
    /// Whether nothing of the log would change the volume's structures.
    pub is_closed: bool,
}

impl RestartPage {
    /// Length of a page, and the place of the second one, in bytes.
    pub const BYTES: u64 = 4096;

    /// Reads a page; `None` for one that was never used, as formatting leaves it.
    ///
    /// # Errors
    ///
    /// Where it is torn or of another size. It may be the later one.
    pub fn parse(bytes: &mut [u8]) -> Parsed<Option<Self>> {
        if bytes.iter().all(|byte| *byte == 0xFF) {
            return Ok(None);
        }
        let magic = if bytes.starts_with(b"CHKD") {
            *b"CHKD"
        } else {
            *b"RSTR"
        };
        repair(bytes, magic)?;
        ensure(
            u64::from(u32_at(bytes, 16)?) == Self::BYTES,
            "the log has pages of another size",
        )?;
        let area = part(bytes, usize::from(u16_at(bytes, 24)?), 48)?;
        Ok(Some(Self {
            sequence: u64_at(area, 0)?,
            is_closed: u16_at(area, 12)? == NO_CLIENT || u16_at(area, 14)? & VOLUME_IS_CLEAN != 0,
        }))
    }

    /// Says of the two pages whether the log is closed. Of two that are equally late both must be.
    pub fn log_is_closed(pages: [Option<Self>; 2]) -> bool {
        match pages {
            [Some(one), Some(other)] if one.sequence == other.sequence => {
                one.is_closed && other.is_closed
            }
            _ => pages
                .into_iter()
                .flatten()
                .max_by_key(|page| page.sequence)
                .is_none_or(|page| page.is_closed),
        }
    }
}
