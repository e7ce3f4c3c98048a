//! The table of large letters.

use ntfs_format::UpCase;

use super::{ExFat, corrupt};
use crate::file_name::utf16_units;
use crate::{FileError, GuestFile as _};

impl ExFat {
    /// Returns the table, which is read when it is needed first.
    pub(super) fn upcase(&self) -> Result<&UpCase, FileError> {
        if let Some(known) = self.large_letters.get() {
            return Ok(known);
        }
        let read = self.read_upcase()?;
        Ok(self.large_letters.get_or_init(|| read))
    }

    /// Reads the table, which is stored without what is as it is.
    fn read_upcase(&self) -> Result<UpCase, FileError> {
        let stored = self
            .upcase
            .ok_or_else(|| corrupt("there is no table of large letters"))?;
        if stored.len_bytes > UpCase::BYTES {
            return Err(corrupt("the table of large letters is longer than any"));
        }
        let mut bytes = vec![0; usize::try_from(stored.len_bytes).unwrap_or(0)];
        self.file(&stored, stored.len_bytes)?
            .read_at(0, &mut bytes)?;
        let mut table: Vec<u16> = Vec::new();
        let mut units = utf16_units(&bytes);
        while let Some(unit) = units.next() {
            let at = table.len();
            match (unit, u16::try_from(at)) {
                (_, Err(_)) => {
                    return Err(corrupt("the table of large letters is longer than any"));
                }
                (0xFFFF, Ok(first)) => {
                    let count = units.next().unwrap_or(0);
                    let last = first.saturating_add(count.saturating_sub(1));
                    if count > 0 {
                        table.extend(first..=last);
                    }
                }
                (unit, Ok(_)) => table.push(unit),
            }
        }
        let bytes: Vec<u8> = table.into_iter().flat_map(u16::to_le_bytes).collect();
        Ok(UpCase::parse(&bytes)?)
    }
}
