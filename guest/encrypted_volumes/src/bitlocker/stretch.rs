//! From what a person knows to a key (BDE format, "Recovery key" and "User key"): a million rounds of
//! SHA-256 over what came out, what went in, the salt and the round's number.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::key::KEY_BYTES;

/// The same for every volume: no header asks for more work than this.
const ROUNDS: u64 = 0x10_0000;
pub(super) const SALT_BYTES: usize = 16;

/// Stretches the key that a recovery password is.
pub(super) fn of_recovery_key(
    key: &[u8; 16],
    salt: &[u8; SALT_BYTES],
) -> Zeroizing<[u8; KEY_BYTES]> {
    stretch(&sha256(key), salt, ROUNDS)
}

/// Stretches a password's UTF-16.
pub(super) fn of_password(password: &[u8], salt: &[u8; SALT_BYTES]) -> Zeroizing<[u8; KEY_BYTES]> {
    stretch(&sha256(&*sha256(password)), salt, ROUNDS)
}

fn stretch(
    initial: &[u8; KEY_BYTES],
    salt: &[u8; SALT_BYTES],
    rounds: u64,
) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut state = Zeroizing::new([0; 2 * KEY_BYTES + SALT_BYTES + 8]);
    let (last, rest) = state.split_at_mut(KEY_BYTES);
    debug_assert_eq!(last.len(), KEY_BYTES);
    let (first, rest) = rest.split_at_mut(KEY_BYTES);
    first.copy_from_slice(initial);
    let (place, _) = rest.split_at_mut(SALT_BYTES);
    place.copy_from_slice(salt);
    for round in 0..rounds {
        let (_, count) = state.split_at_mut(2 * KEY_BYTES + SALT_BYTES);
        count.copy_from_slice(&round.to_le_bytes());
        let made = sha256(&*state);
        let (last, _) = state.split_at_mut(KEY_BYTES);
        last.copy_from_slice(&*made);
    }
    let (last, _) = state.split_at(KEY_BYTES);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    key.copy_from_slice(last);
    key
}

fn sha256(bytes: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut value = Zeroizing::new([0; KEY_BYTES]);
    value.copy_from_slice(digest(&SHA256, bytes).as_ref());
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitlocker::secret::{password_bytes, recovery_key};
    use crate::bitlocker::test_bytes::of_hex;

    /// By Python's hashlib, from the description of the format alone.
    #[test]
    fn secrets_become_the_keys_that_they_stand_for() {
        let salt = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let password = password_bytes("correct hörse").unwrap();
        let key = of_password(&password, &salt);
        let expected = "9e5a4bf553fe9f342faa60c625fadbfa8427170e9375082de5ebae6ce75acded";
        assert_eq!(key[..], of_hex(expected));
        let printed = "471207-278498-422125-177177-561902-537405-468006-693451";
        let key = of_recovery_key(&recovery_key(printed).unwrap(), &salt);
        let expected = "5e39d3e56a4e477fb569bb49b3e8c3b2c9d864ee5d75bd658b8e2720e49000d4";
        assert_eq!(key[..], of_hex(expected));
    }
}
