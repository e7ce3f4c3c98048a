//! Replies (sections "Simple reply message", "Structured reply chunk message").

use super::ErrorNumber;
use crate::export::cut;

const SIMPLE_MAGIC: u32 = 0x6744_6698;
const STRUCTURED_MAGIC: u32 = 0x668e_33ef;
/// The last chunk of a reply.
const DONE: u16 = 1;

const CHUNK_NONE: u16 = 0;
const CHUNK_DATA: u16 = 1;
const CHUNK_HOLE: u16 = 2;
const CHUNK_BLOCK_STATUS: u16 = 5;
const CHUNK_ERROR: u16 = (1 << 15) | 1;

/// Room before the data of a simple reply, in bytes.
pub(crate) const SIMPLE_ROOM: usize = 16;
/// Room before the data of a structured one.
pub(crate) const CHUNK_DATA_ROOM: usize = 28;

/// The one metadata context that is offered, as replies name it.
pub(crate) const ALLOCATION_CONTEXT: u32 = 1;

/// An extent in the terms of `base:allocation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusExtent {
    pub(crate) len_bytes: u32,
    pub(crate) flags: u32,
}

impl StatusExtent {
    pub(crate) const DATA: u32 = 0;
    /// Reads as zero.
    pub(crate) const ZERO: u32 = 2;
    /// Nothing is allocated, and it reads as zero.
    pub(crate) const HOLE: u32 = 3;
}

/// Returns a simple reply, without data.
pub(crate) fn simple_reply(cookie: u64, error: Option<ErrorNumber>) -> [u8; SIMPLE_ROOM] {
    let mut reply = [0; SIMPLE_ROOM];
    let error = error.map_or(0, ErrorNumber::number);
    let fields = [&SIMPLE_MAGIC.to_be_bytes()[..], &error.to_be_bytes()];
    let fields = fields.concat().into_iter().chain(cookie.to_be_bytes());
    reply
        .iter_mut()
        .zip(fields)
        .for_each(|(to, from)| *to = from);
    reply
}

fn chunk(cookie: u64, flags: u16, kind: u16, payload_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + payload_bytes);
    bytes.extend(STRUCTURED_MAGIC.to_be_bytes());
    bytes.extend(flags.to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    // Payloads are bounded far below this.
    let len = u32::try_from(payload_bytes).unwrap_or(u32::MAX);
    bytes.extend(len.to_be_bytes());
    bytes
}

/// Returns what stands before `len_bytes` of data that lie at `offset`.
pub(crate) fn data_chunk_header(cookie: u64, last: bool, offset: u64, len_bytes: usize) -> Vec<u8> {
    let flags = if last { DONE } else { 0 };
    let mut bytes = chunk(cookie, flags, CHUNK_DATA, 8 + len_bytes);
    bytes.extend(offset.to_be_bytes());
    bytes
}

/// Returns the chunk for a range that reads as zero.
pub(crate) fn hole_chunk(cookie: u64, last: bool, offset: u64, len_bytes: u32) -> Vec<u8> {
    let flags = if last { DONE } else { 0 };
    let mut bytes = chunk(cookie, flags, CHUNK_HOLE, 12);
    bytes.extend(offset.to_be_bytes());
    bytes.extend(len_bytes.to_be_bytes());
    bytes
}

/// Returns the reply to what succeeded and has nothing to say.
pub(crate) fn done_chunk(cookie: u64) -> Vec<u8> {
    chunk(cookie, DONE, CHUNK_NONE, 0)
}

/// Returns the last chunk of a reply that failed.
pub(crate) fn error_chunk(cookie: u64, error: ErrorNumber, message: &str) -> Vec<u8> {
    let message = cut(message);
    let mut bytes = chunk(cookie, DONE, CHUNK_ERROR, 6 + message.len());
    bytes.extend(error.number().to_be_bytes());
    // Cut to 4096.
    let len = u16::try_from(message.len()).unwrap_or(0);
    bytes.extend(len.to_be_bytes());
    bytes.extend(message.as_bytes());
    bytes
}

/// Returns the reply that tells extents.
pub(crate) fn block_status_reply(cookie: u64, extents: &[StatusExtent]) -> Vec<u8> {
    let mut bytes = chunk(cookie, DONE, CHUNK_BLOCK_STATUS, 4 + 8 * extents.len());
    bytes.extend(ALLOCATION_CONTEXT.to_be_bytes());
    for extent in extents {
        bytes.extend(extent.len_bytes.to_be_bytes());
        bytes.extend(extent.flags.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_laid_out_as_the_protocol_says() {
        let simple = simple_reply(0x0102_0304_0506_0708, Some(ErrorNumber::InputOutput));
        assert_eq!(
            simple,
            [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8]
        );
        let data = data_chunk_header(9, true, 0x1000, 512);
        assert_eq!(data.len(), CHUNK_DATA_ROOM);
        assert_eq!(data[..8], [0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1]);
        assert_eq!(data[16..20], [0, 0, 2, 8]);
        let hole = hole_chunk(9, false, 0x1000, 512);
        assert_eq!(hole[4..8], [0, 0, 0, 2]);
        assert_eq!(
            hole[16..],
            [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0]
        );
        let error = error_chunk(9, ErrorNumber::Invalid, "no");
        assert_eq!(error[4..8], [0, 1, 0x80, 1]);
        assert_eq!(error[16..], [0, 0, 0, 8, 0, 0, 0, 22, 0, 2, b'n', b'o']);
        assert_eq!(done_chunk(9)[4..8], [0, 1, 0, 0]);
    }
}
