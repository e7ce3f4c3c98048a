//! Forwarding objects: where frames of a pack lie that is gone (section 11).

use crate::format::{Locator, PackId};
use crate::hex;
use crate::keys::{DomainId, Secret};
use crate::{RepositoryError, RepositoryErrorKind};

const ENTRY_BYTES: usize = 28;
const VOUCHER_BYTES: usize = 32;

/// What a forwarding object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forwards {
    /// Sorted by old offset.
    pub(crate) moved: Vec<Forward>,
    voucher: Option<[u8; VOUCHER_BYTES]>,
}

/// Returns what only a holder of the master key can say of a forwarding object of this name.
fn voucher(master: &Secret, domain: DomainId, object: &str, records: &[u8]) -> Secret {
    let parts: [&[u8]; 4] = [
        &domain,
        &(object.len() as u64).to_le_bytes(),
        object.as_bytes(),
        records,
    ];
    master.derive("lifeboat v1 forward voucher", &parts)
}

/// Appends the voucher to the body of a forwarding object.
pub(crate) fn vouch(master: &Secret, domain: DomainId, object: &str, body: &mut Vec<u8>) {
    let voucher = voucher(master, domain, object, body);
    body.extend(voucher.bytes());
}

impl Forwards {
    /// Says whether a holder of the master key made this object.
    pub(crate) fn is_vouched(&self, master: &Secret, domain: DomainId, object: &str) -> bool {
        let body = encode_forwards(&mut self.moved.clone());
        let expected = voucher(master, domain, object, &body);
        // Hashes compare in constant time.
        self.voucher
            .is_some_and(|found| blake3::Hash::from(found) == blake3::Hash::from(*expected.bytes()))
    }
}

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

/// Reads the body of a forwarding object.
pub(crate) fn decode_forwards(bytes: &[u8]) -> Result<Forwards, RepositoryError> {
    let wrong = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
    let (count, rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| wrong("a forwarding object is too short"))?;
    let wrong_length = || wrong("a forwarding object does not have the length it says");
    let records_bytes = usize::try_from(u32::from_le_bytes(*count))
        .ok()
        .and_then(|count| count.checked_mul(ENTRY_BYTES))
        .ok_or_else(wrong_length)?;
    let (records, rest) = rest
        .split_at_checked(records_bytes)
        .ok_or_else(wrong_length)?;
    let voucher = match rest {
        [] => None,
        rest => Some(rest.try_into().map_err(|_| wrong_length())?),
    };
    let (records, _) = records.as_chunks::<ENTRY_BYTES>();
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
    Ok(Forwards {
        moved: forwards,
        voucher,
    })
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
        assert_eq!(decode_forwards(&bytes).unwrap().moved, expected);
        assert!((0..bytes.len()).all(|len| decode_forwards(&bytes[..len]).is_err()));
        let twice = encode_forwards(&mut [forward(3), forward(3)]);
        assert!(decode_forwards(&twice).is_err());
    }

    #[test]
    fn a_voucher_is_of_one_master_key_domain_name_and_body() {
        let target = Locator {
            pack: PackId([7; 16]),
            offset: 1,
            stored_bytes: 2,
        };
        let (master, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        let forward = Forward {
            old_offset: 3,
            target,
        };
        let mut body = encode_forwards(&mut [forward]);
        let plain = decode_forwards(&body).unwrap();
        assert!(!plain.is_vouched(&master, [1; 16], "a"));
        vouch(&master, [1; 16], "a", &mut body);
        let vouched = decode_forwards(&body).unwrap();
        assert!(vouched.is_vouched(&master, [1; 16], "a"));
        assert!(!vouched.is_vouched(&other, [1; 16], "a"));
        assert!(!vouched.is_vouched(&master, [2; 16], "a"));
        assert!(!vouched.is_vouched(&master, [1; 16], "b"));
        body[4] ^= 1;
        let altered = decode_forwards(&body).unwrap();
        assert!(!altered.is_vouched(&master, [1; 16], "a"));
    }

    #[test]
    fn the_name_says_which_pack_is_forwarded() {
        let (old, id) = (PackId([1; 16]), PackId([2; 16]));
        let name = forward_object_name(old, id);
        assert_eq!(forwarded_pack(&name), Some(old));
        assert_eq!(forwarded_pack(&name[..name.len() - 1]), None);
    }
}
