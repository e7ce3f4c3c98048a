//! Encrypted volumes of guests, opened for reading with what their owner knows.
//!
//! ```text
//!   LUKS        volume ── header ──► key slots ── password or key file ──► volume key ── digest ──► right?
//!                  └───── payload ◄──────────── AES-XTS, sector by sector ◄──────────────────────── yes
//!
//!   BitLocker   volume ── first sector ──► three copies of metadata ── CRC-32, newest ──► protectors
//!                  │                          │          recovery password, password: SHA-256 × 1,048,576
//!                  │                          │          start-up key, clear key: as they are
//!                  │                          │                            │ AES-CCM, tag: right?
//!                  │                          └── seal (SHA-256) ◄── volume master key
//!                  │                                                       │ AES-CCM, tag
//!                  └─ sectors ◄── AES-XTS, AES-CBC, with diffuser ◄── volume key
//! ```
//!
//! # Specifications
//!
//! LUKS On-Disk Format 1.2.3; LUKS2 On-Disk Format 1.1.3 (both by the cryptsetup project); IEEE 1619
//! (XTS); the kernel's documentation of dm-crypt (`plain64`: the tweak is the number of the sector of 512
//! bytes, also where sectors are longer).
//!
//! BitLocker has no public specification. What is known was found out by others: "BitLocker Drive
//! Encryption (BDE) format" (libbde, J. Metz; its sections are named where they are used); Ferguson,
//! "AES-CBC + Elephant diffuser" (2006); NIST SP 800-38C (CCM); what cryptsetup and dislocker document of
//! their own findings (the checksum and the seal behind the metadata, the numbers of states).
//!
//! # What is opened
//!
//! LUKS1 and LUKS2 with `aes-xts-plain64`, which cryptsetup has chosen since 2013, with keys of 128 and
//! 256 bits, sectors of 512 and 4096 bytes, and slots with PBKDF2, Argon2i or Argon2id.
//!
//! BitLocker as Windows 7 to 11 write it, on fixed disks and "To Go": AES-XTS and AES-CBC with 128 and 256
//! bits, CBC also with the Elephant diffuser, sectors of 512 and 4096 bytes; with a recovery password, a
//! password, a start-up key's file (`.BEK`), or the clear key of a volume whose protection is suspended.
//!
//! What is not known (another cipher, a detached header, an integrity tag, a volume that is being
//! encrypted) is refused by name: other bytes are never shown.
//!
//! # A BitLocker volume
//!
//! | Where | What | Shown as |
//! |---|---|---|
//! | first sector | signature `-FVE-FS-` (To Go: `MSWIN4.1`), length of sectors, places of the metadata | the volume's own first sectors |
//! | three areas of 64 KiB | metadata: states, how much is encrypted, method, protectors, volume key; CRC-32; seal | zeros |
//! | "volume header block", some 8 KiB | the volume's own first sectors, encrypted by the numbers of where they lie | zeros |
//! | everything else | sectors, encrypted by their numbers (XTS) or byte offsets (CBC) | what they hold |
//!
//! The *seal* is the SHA-256 of the metadata, hidden under the volume master key. It is checked before any
//! byte is shown, so a volume opens only if its metadata are as Windows wrote them: how much is encrypted,
//! with which method, and where the parts lie. The first sector alone is not sealed; what it says shows in
//! the metadata too, and has to agree (a wrong length of sectors contradicts the length of the volume
//! header block).
//!
//! *States*: a volume opens where all of it is encrypted (4, with 4 next), and where a conversion is paused
//! (5): then what lies behind the encrypted size is read as it is. This last rule is libbde's and
//! dislocker's finding; no volume that Windows left like that was at hand. While Windows converts (2), how
//! far it has come is not certain; and a volume that is encrypted as it is written (another identifier in
//! the first sector, also while paused) has maps of what is encrypted, which nobody has described. Both are
//! refused. "Used space only" is, once finished, a volume like any other: what was never in use decrypts to
//! noise, for Windows too.
//!
//! Of the copies of the metadata those are used whose checksum is right. If they contradict each other in
//! how much is encrypted, none is.
//!
//! # Secrets
//!
//! A password is the bytes that were typed, without the line's end; a key file is all of its bytes. Keys
//! are overwritten when they are no longer needed. No error names any of them. What BitLocker's protectors
//! are called ([`bitlocker_protectors`]) is no secret: by a recovery password's identifier it is found in a
//! directory.
//!
//! # Errors
//!
//! [`UnlockErrorKind`]: `WrongKey` (for BitLocker also where the hidden key is damaged: both look alike),
//! `Unsupported`, `Corrupt`, `Disk`.
//!
//! # Bounds
//!
//! A LUKS header says how much work and memory opening it takes. What no cryptsetup would ask for
//! ([`MEMORY_MAX_KIB`], [`ITERATIONS_MAX`]) is refused; [`luks_work`] says how much it is. BitLocker's work is the same for every volume: about
//! half a second for each protector of the secret's kind, of which there may be [`PROTECTORS_MAX`]; its
//! metadata take 64 KiB.
//!
//! # What is missing
//!
//! LUKS with other ciphers (`cbc-essiv`, `serpent`, `twofish`); tokens (TPM, FIDO2). BitLocker of Windows
//! Vista; volumes that are being encrypted; protectors that take a TPM, a certificate or a directory's
//! account.

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
pub use luks::{ITERATIONS_MAX, MEMORY_MAX_KIB, luks_work, open_luks};
pub use unlock_error::{UnlockError, UnlockErrorKind};
