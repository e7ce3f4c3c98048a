//! Reading what `GetVirtualDiskInformation` wrote: `GET_VIRTUAL_DISK_INFO` of virtdisk.h.
//!
//! ```text
//!   0  version      8  the answer
//!      SIZE                    u64 virtual · u64 physical · u32 block · u32 sector
//!      VIRTUAL_DISK_ID         GUID
//!      CHANGE_TRACKING_STATE   BOOL enabled · BOOL newer changes · UTF-16 id, ends in a zero
//! ```

use uuid::Uuid;

use crate::ChangeTracking;

/// `GET_VIRTUAL_DISK_INFO_SIZE`
pub(crate) const SIZE: u32 = 1;
/// `GET_VIRTUAL_DISK_INFO_VIRTUAL_DISK_ID`
pub(crate) const VIRTUAL_DISK_ID: u32 = 14;
/// `GET_VIRTUAL_DISK_INFO_CHANGE_TRACKING_STATE`
pub(crate) const CHANGE_TRACKING_STATE: u32 = 15;

/// An answer, as words of the machine that wrote it.
pub(crate) struct Answer<'a>(pub(crate) &'a [u64]);

impl Answer<'_> {
    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Returns virtual and physical size, block and sector size, all in bytes.
    pub(crate) fn sizes(&self) -> Option<(u64, u64, u32, u32)> {
        let bytes = self.bytes();
        Some((
            u64::from_le_bytes(part(&bytes, 8)?),
            u64::from_le_bytes(part(&bytes, 16)?),
            u32::from_le_bytes(part(&bytes, 24)?),
            u32::from_le_bytes(part(&bytes, 28)?),
        ))
    }

    /// Returns the id of the disk.
    pub(crate) fn virtual_disk_id(&self) -> Option<Uuid> {
        Some(Uuid::from_bytes_le(part(&self.bytes(), 8)?)).filter(|id| !id.is_nil())
    }

    /// Returns the state of change tracking.
    pub(crate) fn change_tracking(&self) -> Option<ChangeTracking> {
        let bytes = self.bytes();
        let flag = |offset| Some(u32::from_le_bytes(part(&bytes, offset)?) != 0);
        let id: Vec<u16> = bytes
            .get(16..)?
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .take_while(|unit| *unit != 0)
            .collect();
        let id = String::from_utf16(&id).ok()?;
        Some(ChangeTracking {
            is_on: flag(8)?,
            has_newer_changes: flag(12)?,
            most_recent_id: Some(id).filter(|id| !id.is_empty()),
        })
    }
}

fn part<const LENGTH: usize>(bytes: &[u8], offset: usize) -> Option<[u8; LENGTH]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out an answer: its version, four bytes of nothing, and `content`.
    fn laid_out(version: u32, content: &[u8]) -> Vec<u64> {
        let mut bytes = u64::from(version).to_le_bytes().to_vec();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(8) + 8, 0);
        let words = bytes.as_chunks::<8>().0;
        words.iter().map(|word| u64::from_le_bytes(*word)).collect()
    }

    #[test]
    fn sizes_and_ids_stand_where_the_header_says() {
        let mut content = (127_u64 << 30).to_le_bytes().to_vec();
        content.extend((5_u64 << 30).to_le_bytes());
        content.extend(0x20_0000_u32.to_le_bytes());
        content.extend(512_u32.to_le_bytes());
        let words = laid_out(SIZE, &content);
        let sizes = Some((127 << 30, 5 << 30, 0x20_0000, 512));
        assert_eq!(Answer(&words).sizes(), sizes);

        let id = Uuid::from_u128(0x2c1f_9d4e_5b6a_4788_9a3b_c4d5_e6f7_0812);
        let words = laid_out(VIRTUAL_DISK_ID, &id.to_bytes_le());
        assert_eq!(Answer(&words).virtual_disk_id(), Some(id));
        let words = laid_out(VIRTUAL_DISK_ID, &[0; 16]);
        assert_eq!(Answer(&words).virtual_disk_id(), None);
    }

    #[test]
    fn the_tracking_id_ends_at_its_zero_or_at_the_end() {
        let text = "rctX:2c1f9d4e:0001";
        let mut content = 1_u32.to_le_bytes().to_vec();
        content.extend(0_u32.to_le_bytes());
        content.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        let words = laid_out(CHANGE_TRACKING_STATE, &content);
        let state = Answer(&words).change_tracking().unwrap();
        assert!(state.is_on && !state.has_newer_changes);
        assert_eq!(state.most_recent_id.as_deref(), Some(text));

        let off = laid_out(CHANGE_TRACKING_STATE, &[0; 8]);
        let state = Answer(&off).change_tracking().unwrap();
        assert_eq!(state.most_recent_id, None);
        assert!(!state.is_on);
        // An id without an end, and one that is no text.
        assert!(
            Answer(&[15, 1, 0x41_0041_0041_0041])
                .change_tracking()
                .is_some()
        );
        assert_eq!(
            Answer(&[15, 1, 0xD800_D800_D800_D800]).change_tracking(),
            None
        );
    }

    #[test]
    fn short_answers_are_none() {
        for words in [&[][..], &[1], &[1, 2]] {
            assert_eq!(Answer(words).sizes(), None);
        }
        assert_eq!(Answer(&[15]).change_tracking(), None);
        assert_eq!(Answer(&[14, 1]).virtual_disk_id(), None);
    }
}
