//! Changing a text in its place.

use super::fields::{seal, to_usize32};
use super::layout::{ENTRY_CRC_OFFSET, STRING};
use super::read::Opened;
use crate::{ConfigError, ConfigErrorKind};

/// Rewrites the text of the node at position `index` of [`Opened::places`].
///
/// The entry keeps its size: what the new text does not need becomes slack. Nothing else of the
/// file changes.
pub(crate) fn set_text(opened: &mut Opened, index: usize, text: &str) -> Result<(), ConfigError> {
    let missing = || ConfigError::corrupt("key table entry", "expected a string");
    let place = *opened.places.get(index).ok_or_else(missing)?;
    let entry = opened
        .image
        .get_mut(place.at..place.at.saturating_add(place.len))
        .ok_or_else(missing)?;
    if entry.first() != Some(&STRING) {
        return Err(missing().at(place.at));
    }
    let does_not_fit = |needed: usize, room: usize| {
        ConfigError::new(
            ConfigErrorKind::DoesNotFit,
            "string",
            format!("the new text needs {needed} bytes, but its place has {room}"),
        )
        .at(place.at)
    };
    if !place.inline {
        return Err(does_not_fit(text.len(), 0));
    }
    let (head, data) = entry.split_at_mut_checked(place.data).ok_or_else(missing)?;
    let (length, value) = data.split_at_mut_checked(4).ok_or_else(missing)?;
    let old_len = to_usize32(u32::from_le_bytes(
        (&*length).try_into().map_err(|_| missing())?,
    ));
    let old = value.get_mut(..old_len).ok_or_else(missing)?;
    // Where the host stores a NUL at the end, so do we.
    let terminated = old.len() >= 2 && old.ends_with(&[0, 0]);
    let new: Vec<u8> = text
        .encode_utf16()
        .chain(terminated.then_some(0))
        .flat_map(u16::to_le_bytes)
        .collect();
    let room = value.len();
    let needed = new.len();
    let new_len = u32::try_from(needed).map_err(|_| does_not_fit(needed, room))?;
    if needed > room {
        return Err(does_not_fit(needed, room));
    }
    value.get_mut(..old_len).ok_or_else(missing)?.fill(0);
    value
        .get_mut(..needed)
        .ok_or_else(missing)?
        .copy_from_slice(&new);
    length.copy_from_slice(&new_len.to_le_bytes());
    let meaningful = head.len().saturating_add(4).saturating_add(needed);
    seal(
        entry.get_mut(..meaningful).ok_or_else(missing)?,
        ENTRY_CRC_OFFSET,
    );
    Ok(())
}
