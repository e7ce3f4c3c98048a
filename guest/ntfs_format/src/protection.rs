//! The protection against torn writes that all of NTFS' structures have.

use crate::fields::u16_at;
use crate::malformed::{Parsed, ensure};

/// A protected structure carries the end of each of these in its head, whatever the disk's sectors.
const PROTECTED_BYTES: usize = 512;

/// Puts back what the protection has replaced, and fails where a write was torn.
///
/// # Errors
///
/// Where the structure does not begin with `magic`, protects another length than it has, or was
/// written in part.
pub fn repair(bytes: &mut [u8], magic: [u8; 4]) -> Parsed<()> {
    ensure(
        bytes.starts_with(&magic),
        "a structure of the volume does not begin like one",
    )?;
    let at = usize::from(u16_at(bytes, 4)?);
    let count = usize::from(u16_at(bytes, 6)?);
    ensure(
        count == bytes.len() / PROTECTED_BYTES + 1,
        "a structure of the volume protects another length",
    )?;
    let number = u16_at(bytes, at)?;
    for sector in 1..count {
        let kept = u16_at(bytes, at + 2 * sector)?;
        let end = sector * PROTECTED_BYTES - 2;
        ensure(
            u16_at(bytes, end)? == number,
            "a structure of the volume was written in part",
        )?;
        if let Some(place) = bytes.get_mut(end..end + 2) {
            place.copy_from_slice(&kept.to_le_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_sectors_are_put_back_and_a_torn_write_is_told() {
        let mut bytes = vec![0; 1024];
        bytes[..8].copy_from_slice(&[b'F', b'I', b'L', b'E', 48, 0, 3, 0]);
        bytes[48..54].copy_from_slice(&[7, 0, 1, 2, 3, 4]);
        bytes[510..512].copy_from_slice(&[7, 0]);
        bytes[1022..].copy_from_slice(&[7, 0]);
        let mut torn = bytes.clone();
        repair(&mut bytes, *b"FILE").unwrap();
        assert_eq!(
            (&bytes[510..512], &bytes[1022..]),
            (&[1, 2][..], &[3, 4][..])
        );
        torn[1022] = 6;
        assert!(repair(&mut torn.clone(), *b"FILE").is_err());
        assert!(repair(&mut torn[..512].to_vec(), *b"FILE").is_err());
        assert!(repair(&mut torn, *b"INDX").is_err());
    }
}
