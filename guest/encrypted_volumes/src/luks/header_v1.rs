//! The header of LUKS1 (LUKS On-Disk Format 1.2.3 §2).

use super::fields::{bytes_at, text, u32_at};
use super::header::{Digest, Header, Keyslot, Payload, known_cipher};
use super::key_derivation::{Hash, Kdf};
use crate::UnlockError;

const SECTOR_BYTES: u64 = 512;
const ENABLED: u32 = 0x00AC_71F3;
const SLOTS_AT: usize = 208;
const SLOT_BYTES: usize = 48;
const SLOTS: usize = 8;

pub(super) fn parse(bytes: &[u8]) -> Result<Header, UnlockError> {
    let (cipher, mode) = (text::<32>(bytes, 8), text::<32>(bytes, 40));
    known_cipher(&format!("{cipher}-{mode}"))?;
    let hash = Hash::named(&text::<32>(bytes, 72))?;
    let key_bytes = usize::try_from(u32_at(bytes, 108)).unwrap_or(usize::MAX);
    let digest = Digest {
        kdf: Kdf::Pbkdf2 {
            hash,
            iterations: u32_at(bytes, 164),
            salt: bytes_at::<32>(bytes, 132).to_vec(),
        },
        value: bytes_at::<20>(bytes, 112).to_vec(),
    };
    let payload = u64::from(u32_at(bytes, 104)) * SECTOR_BYTES;
    if payload == 0 {
        return Err(UnlockError::unsupported(
            "the header lies apart from the data that it is for (a detached header)",
        ));
    }
    let slots = (0..SLOTS).map(|slot| SLOTS_AT + slot * SLOT_BYTES);
    let enabled = slots.filter(|at| u32_at(bytes, *at) == ENABLED);
    let keyslots: Result<Vec<Keyslot>, UnlockError> = enabled
        .map(|at| {
            Keyslot {
                kdf: Kdf::Pbkdf2 {
                    hash,
                    iterations: u32_at(bytes, at + 4),
                    salt: bytes_at::<32>(bytes, at + 8).to_vec(),
                },
                area_key_bytes: key_bytes,
                area_offset: u64::from(u32_at(bytes, at + 40)) * SECTOR_BYTES,
                key_bytes,
                stripes: usize::try_from(u32_at(bytes, at + 44)).unwrap_or(usize::MAX),
                split_hash: hash,
                digest: digest.clone(),
            }
            .check()
        })
        .collect();
    Ok(Header {
        keyslots: keyslots?,
        payload: Payload {
            offset: payload,
            size_bytes: None,
            sector_bytes: 512,
            first_unit: 0,
        },
        not_known: None,
    })
}
