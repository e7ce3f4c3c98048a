//! What the beginning of a disk looks like that nobody knows.

use std::fmt::Write;

use block_io::DiskError;

use crate::reader::{Reader, bytes_at};

/// How much is looked at.
const LOOKED_AT_BYTES: usize = 64 << 10;
const SECTOR_BYTES: usize = 512;

/// Describes in a sentence or two what the first sectors hold, for a person who has to find out what
/// this disk is: the table's bytes in hex, letters that look like a signature, or that it is empty.
pub(crate) fn describe(reader: &Reader<'_>) -> Result<String, DiskError> {
    let bytes = reader.read(0, LOOKED_AT_BYTES)?;
    if bytes.is_empty() {
        return Ok("the disk has no bytes".to_owned());
    }
    let looked_at = bytes.len().div_ceil(1024);
    if block_io::is_zero(&bytes) {
        return Ok(format!(
            "the first {looked_at} KiB are zero: the disk is empty, or was never divided"
        ));
    }
    let mut text = format!("the first bytes are {}", hex(&bytes_at::<16>(&bytes, 0)));
    if let [0x55, 0xAA] = bytes_at(&bytes, 510) {
        text.push_str("; sector 0 ends with 55 aa, and its table is");
        for entry in 0..4 {
            let _ = write!(
                text,
                " [{}]",
                hex(&bytes_at::<16>(&bytes, 446 + 16 * entry))
            );
        }
    } else {
        let _ = write!(
            text,
            "; sector 0 ends with {} instead of 55 aa, so it holds no partition table",
            hex(&bytes_at::<2>(&bytes, 510))
        );
    }
    let sectors = bytes.chunks(SECTOR_BYTES).enumerate();
    let words: Vec<String> = sectors
        .filter_map(|(sector, bytes)| Some((sector, word(bytes)?)))
        .take(4)
        .map(|(sector, word)| format!("\"{word}\" in sector {sector}"))
        .collect();
    if !words.is_empty() {
        let _ = write!(text, "; it says {}", words.join(", "));
    }
    Ok(text)
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// Returns the first word of a sector, if it looks like one that somebody meant: four letters or more
/// of which one is an upper-case letter.
fn word(sector: &[u8]) -> Option<String> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let words = sector.get(..64)?.split(|byte| !is_letter(byte));
    let mut good = words.filter(|word| word.len() >= 4 && word.iter().any(u8::is_ascii_uppercase));
    good.next()
        .map(|word| String::from_utf8_lossy(word).into_owned())
}
