//! Log entries built by hand, byte by byte, independently of the crate's own writer.

use uuid::Uuid;

pub(crate) const SECTOR: usize = 4096;

/// One descriptor of an entry to build.
#[derive(Clone)]
pub(crate) enum Part {
    Data { file_offset: u64, content: Vec<u8> },
    Zero { file_offset: u64, len_bytes: u64 },
}

/// An entry to build.
#[derive(Clone)]
pub(crate) struct RawEntry {
    pub(crate) guid: Uuid,
    pub(crate) sequence: u64,
    pub(crate) tail: u32,
    pub(crate) flushed: u64,
    pub(crate) last: u64,
    pub(crate) parts: Vec<Part>,
}

impl RawEntry {
    pub(crate) fn build(&self) -> Vec<u8> {
        let table = (64 + 32 * self.parts.len()).div_ceil(SECTOR) * SECTOR;
        let mut bytes = vec![0; table];
        bytes[..4].copy_from_slice(b"loge");
        bytes[12..16].copy_from_slice(&self.tail.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&u32::try_from(self.parts.len()).unwrap().to_le_bytes());
        bytes[32..48].copy_from_slice(&self.guid.to_bytes_le());
        bytes[48..56].copy_from_slice(&self.flushed.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.last.to_le_bytes());
        for (number, part) in self.parts.iter().enumerate() {
            let at = 64 + 32 * number;
            match part {
                Part::Data {
                    file_offset,
                    content,
                } => {
                    assert_eq!(content.len(), SECTOR);
                    bytes[at..at + 4].copy_from_slice(b"desc");
                    bytes[at + 4..at + 8].copy_from_slice(&content[SECTOR - 4..]);
                    bytes[at + 8..at + 16].copy_from_slice(&content[..8]);
                    bytes[at + 16..at + 24].copy_from_slice(&file_offset.to_le_bytes());
                    let mut sector = content.clone();
                    sector[..4].copy_from_slice(b"data");
                    let high = u32::try_from(self.sequence >> 32).unwrap();
                    let low = u32::try_from(self.sequence & 0xFFFF_FFFF).unwrap();
                    sector[4..8].copy_from_slice(&high.to_le_bytes());
                    sector[SECTOR - 4..].copy_from_slice(&low.to_le_bytes());
                    bytes.extend(sector);
                }
                Part::Zero {
                    file_offset,
                    len_bytes,
                } => {
                    bytes[at..at + 4].copy_from_slice(b"zero");
                    bytes[at + 8..at + 16].copy_from_slice(&len_bytes.to_le_bytes());
                    bytes[at + 16..at + 24].copy_from_slice(&file_offset.to_le_bytes());
                }
            }
            bytes[at + 24..at + 32].copy_from_slice(&self.sequence.to_le_bytes());
        }
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        seal(&mut bytes);
        bytes
    }
}

/// Computes the checksum at offset 4 again.
pub(crate) fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let crc = crc32c::crc32c(bytes);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Places an entry into the 1 MiB log at 1 MiB of an image, wrapping round its end.
pub(crate) fn place(image: &mut [u8], position: usize, entry: &[u8]) {
    for (number, sector) in entry.chunks(SECTOR).enumerate() {
        let at = (1 << 20) + (position + number * SECTOR) % (1 << 20);
        image[at..at + SECTOR].copy_from_slice(sector);
    }
}

/// Names `guid` as the log in the current header, the second one, of an image we made.
pub(crate) fn set_log_guid(image: &mut [u8], guid: Uuid) {
    let header = &mut image[128 << 10..][..SECTOR];
    header[48..64].copy_from_slice(&guid.to_bytes_le());
    seal(header);
}
