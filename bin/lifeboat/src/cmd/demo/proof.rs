//! Proves that two disks are the same.

use block_io::BlockDevice;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

const PIECE_BYTES: u64 = 1 << 20;

/// Compares two disks byte for byte and returns the BLAKE3 hash of both.
pub(super) fn same_disk(
    what: &str,
    one: &dyn BlockDevice,
    other: &dyn BlockDevice,
) -> Result<String, CliError> {
    let size_bytes = one.size_bytes();
    if size_bytes != other.size_bytes() {
        let sizes = format!("{size_bytes} and {} bytes", other.size_bytes());
        return Err(failed(format!("{what}: the disks have {sizes}")));
    }
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < size_bytes {
        let len = usize::try_from(PIECE_BYTES.min(size_bytes - offset)).unwrap_or(0);
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        one.read_at(offset, &mut a)?;
        other.read_at(offset, &mut b)?;
        if let Some(place) = a.iter().zip(&b).position(|(a, b)| a != b) {
            let place = offset + place as u64;
            return Err(failed(format!(
                "{what}: the byte at offset {place} differs"
            )));
        }
        hasher.update(&a);
        offset += len as u64;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// A proof that did not hold.
pub(super) fn failed(message: String) -> CliError {
    CliError::new(ExitCode::VerifyFailed, "proof-failed", message)
        .hint("this is a fault of lifeboat: please report it")
}

#[cfg(test)]
mod tests {
    use block_io::MemoryDisk;

    use super::*;

    #[test]
    fn one_flipped_bit_fails_the_proof() {
        let one = MemoryDisk::new(vec![7; 3 << 20]);
        let mut bytes = vec![7; 3 << 20];
        assert!(same_disk("disk", &one, &MemoryDisk::new(bytes.clone())).is_ok());
        bytes[(2 << 20) + 5] ^= 1;
        let error = same_disk("disk", &one, &MemoryDisk::new(bytes)).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::VerifyFailed);
        assert!(error.to_string().contains("2097157"), "{error}");
    }
}
