//! Forwarding objects: where frames of a pack lie that is gone (section 11).

use crate::format::{Locator, PackId};
use crate::hex;
use crate::{RepositoryError, RepositoryErrorKind};

const ENTRY_BYTES: usize = 28;

/// Where one frame of the old pack lies now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forward {
    /// Offset in the old pack in bytes.
    pub(crate) old_offset: u32,
    pub(crate) target: Locator,
}

/// Returns the name of a forwarding object of `old_pack`; `id` is random.
pub(crate) fn forward_object_name(old_pack: PackId, id: PackId) -> String {
    format!("{}{}", forward_prefix(old_pack), hex::encode(&id.0))
}

/// Returns what the names of all forwarding objects of a pack begin with.
pub(crate) fn forward_prefix(old_pack: PackId) -> String {
    format!("forward/{}/", hex::encode(&old_pack.0))
}

/// Returns whose frames the forwarding object of this name moves.
pub(crate) fn forwarded_pack(object: &str) -> Option<PackId> {
    let (old, id) = object.strip_prefix("forward/")?.split_once('/')?;
    let _: [u8; 16] = hex::decode_array(id)?;
    hex::decode_array(old).map(PackId)
}

/// Returns the body of a forwarding object; sorts what it is given.
pub(crate) fn encode_forwards(forwards: &mut [Forward]) -> Vec<u8> {
    forwards.sort_unstable_by_key(|forward| forward.old_offset);
    let mut bytes = Vec::with_capacity(4 + forwards.len() * ENTRY_BYTES);
    // A pack has at most a few million frames.
    let count = u32::try_from(forwards.len()).unwrap_or(u32::MAX);
    bytes.extend(count.to_le_bytes());
    for Forward { old_offset, target } in forwards {
        bytes.extend(old_offset.to_le_bytes());
        bytes.extend(target.pack.0);
        bytes.extend(target.offset.to_le_bytes());
        bytes.extend(target.stored_bytes.to_le_bytes());
    }
    bytes
}

/// Reads the body of a forwarding object: sorted by old offset.
pub(crate) fn decode_forwards(bytes: &[u8]) -> Result<Vec<Forward>, RepositoryError> {
    let wrong = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
    let (count, rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| wrong("a forwarding object is too short"))?;
    let (records, rest) = rest.as_chunks::<ENTRY_BYTES>();
    if usize::try_from(u32::from_le_bytes(*count)).ok() != Some(records.len()) || !rest.is_empty() {
        return Err(wrong(
            "a forwarding object does not have the length it says",
        ));
    }
    let number = |record: &[u8; ENTRY_BYTES], at: usize| {
        u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    let forwards: Vec<Forward> = records
        .iter()
        .map(|record| {
            let mut pack = [0; 16];
            pack.copy_from_slice(&record[4..20]);
            Forward {
                old_offset: number(record, 0),
                target: Locator {
                    pack: PackId(pack),
                    offset: number(record, 20),
                    stored_bytes: number(record, 24),
                },
            }
        })
        .collect();
    if !forwards.is_sorted_by(|a, b| a.old_offset < b.old_offset) {
        return Err(wrong("a forwarding object is not in order"));
    }
    Ok(forwards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_come_back_in_order_and_every_cut_is_refused() {
        let forward = |n: u32| Forward {
            old_offset: n,
            target: Locator {
                pack: PackId([7; 16]),
                offset: n + 1,
                stored_bytes: n + 2,
            },
        };
        let bytes = encode_forwards(&mut [forward(9), forward(3), forward(5)]);
        let expected = vec![forward(3), forward(5), forward(9)];
        assert_eq!(decode_forwards(&bytes).unwrap(), expected);
        assert!((0..bytes.len()).all(|len| decode_forwards(&bytes[..len]).is_err()));
        let twice = encode_forwards(&mut [forward(3), forward(3)]);
        assert!(decode_forwards(&twice).is_err());
    }

    #[test]
    fn the_name_says_which_pack_is_forwarded() {
        let (old, id) = (PackId([1; 16]), PackId([2; 16]));
        let name = forward_object_name(old, id);
        assert_eq!(forwarded_pack(&name), Some(old));
        assert_eq!(forwarded_pack(&name[..name.len() - 1]), None);
    }
}
