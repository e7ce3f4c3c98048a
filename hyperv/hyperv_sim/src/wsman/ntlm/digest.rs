//! The digests that NTLM is made of ([MS-NLMP] section 6).

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

/// Returns the HMAC-MD5 of some parts, one after the other.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    over(key, parts).finalize().into_bytes().into()
}

/// Returns whether `code` begins the HMAC-MD5 of some parts. Takes the same time in either case.
pub(super) fn is_hmac_md5(key: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
    over(key, parts).verify_truncated_left(code).is_ok()
}

fn over(key: &[u8], parts: &[&[u8]]) -> Hmac<Md5> {
    #[expect(clippy::expect_used, reason = "a key of HMAC may have any length")]
    let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).expect("any length is a key");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Returns the MD5 of two parts.
pub(super) fn md5(first: &[u8], second: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update(first);
    digest.update(second);
    digest.finalize().into()
}

/// Returns `NTOWFv1`: the MD4 of a password, which is what Windows keeps (section 3.3.1).
pub(super) fn password_hash(password: &str) -> [u8; 16] {
    Md4::digest(utf16(password)).into()
}

/// Writes a text as NTLM does.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
