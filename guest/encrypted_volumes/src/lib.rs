//! Encrypted volumes of guests, opened for reading with what their owner knows.
//!
//! ```text
//!   volume ── header ──► key slots ── password or key file ──► volume key ── digest ──► is it the one?
//!      └───── payload ◄──────────────── AES-XTS, sector by sector ◄──────────────────────── yes
//! ```
//!
//! Specifications: LUKS On-Disk Format 1.2.3; LUKS2 On-Disk Format 1.1.3 (both by the cryptsetup
//! project); IEEE 1619 (XTS); the kernel's documentation of dm-crypt (`plain64`: the tweak is the
//! number of the sector of 512 bytes, also where sectors are longer).
//!
//! # What is opened
//!
//! LUKS1 and LUKS2 with `aes-xts-plain64`, which cryptsetup has chosen since 2013, with keys of 128 and
//! 256 bits, sectors of 512 and 4096 bytes, and slots with PBKDF2, Argon2i or Argon2id. What is not
//! known (another cipher, a detached header, an integrity tag, a volume that is being re-encrypted) is
//! refused by name: other bytes are never shown.
//!
//! # Secrets
//!
//! A password is the bytes that were typed, without the line's end; a key file is all of its bytes. Keys
//! are overwritten when they are no longer needed. No error names any of them.
//!
//! # Bounds
//!
//! A header says how much work and memory opening it takes. What no cryptsetup would ask for
//! ([`MEMORY_MAX_KIB`], [`ITERATIONS_MAX`]) is refused.
//!
//! # What is missing
//!
//! BitLocker; LUKS with other ciphers (`cbc-essiv`, `serpent`, `twofish`); tokens (TPM, FIDO2).

#![forbid(unsafe_code)]

mod bitlocker;
mod clear_volume;
mod luks;
mod unlock_error;
mod whole_sectors;
mod xts;

pub use bitlocker::{
    BitLockerProtector, BitLockerProtectorKind, BitLockerSecret, PROTECTORS_MAX,
    bitlocker_protectors, open_bitlocker,
};
pub use luks::{ITERATIONS_MAX, MEMORY_MAX_KIB, open_luks};
pub use unlock_error::{UnlockError, UnlockErrorKind};
