//! Messages on a pipe.
//!
//! ```text
//!   u32 length of the message │ u32 length of the bytes │ message (postcard) │ bytes
//! ```
//!
//! Both lengths are little-endian and bounded, so that neither side can make the other allocate
//! without end. Bytes of disks and files stand behind the message as they are.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest message: a folder's batch of names, or a page of extents.
const MESSAGE_MAX: usize = 4 << 20;
/// Most bytes behind a message.
pub(crate) const BYTES_MAX: usize = 1 << 20;

/// Writes one frame, and flushes.
pub(crate) fn write(out: &mut dyn Write, message: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    let message = postcard::to_stdvec(message).map_err(io::Error::other)?;
    if message.len() > MESSAGE_MAX || bytes.len() > BYTES_MAX {
        let what = "a message is longer than a frame may be";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut frame = Vec::with_capacity(8 + message.len());
    for len in [message.len(), bytes.len()] {
        // Both are below 2^32: they were compared just now.
        frame.extend(u32::try_from(len).map_err(io::Error::other)?.to_le_bytes());
    }
    frame.extend(&message);
    out.write_all(&frame)?;
    // As they are, without a copy: they may be secret.
    if !bytes.is_empty() {
        out.write_all(bytes)?;
    }
    out.flush()
}

/// Reads one frame; `bytes` gets what stands behind the message.
pub(crate) fn read<M: DeserializeOwned>(from: &mut dyn Read, bytes: &mut Vec<u8>) -> io::Result<M> {
    let message_len = read_len(from, MESSAGE_MAX)?;
    let bytes_len = read_len(from, BYTES_MAX)?;
    let mut message = vec![0; message_len];
    from.read_exact(&mut message)?;
    bytes.resize(bytes_len, 0);
    from.read_exact(bytes)?;
    postcard::from_bytes(&message).map_err(io::Error::other)
}

fn read_len(from: &mut dyn Read, max: usize) -> io::Result<usize> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX);
    if len > max {
        let what = format!("a frame says {len} bytes, and {max} is the most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut pipe = Vec::new();
        write(&mut pipe, &("name", 7_u64), b"bytes").unwrap();
        let mut bytes = Vec::new();
        let (name, number): (String, u64) = read(&mut pipe.as_slice(), &mut bytes).unwrap();
        assert_eq!(
            (name.as_str(), number, bytes.as_slice()),
            ("name", 7, &b"bytes"[..])
        );
    }

    #[test]
    fn a_length_beyond_the_bounds_allocates_nothing() {
        for lens in [[u32::MAX, 0], [0, u32::MAX]] {
            let pipe: Vec<u8> = lens.iter().flat_map(|len| len.to_le_bytes()).collect();
            let read = read::<u8>(&mut pipe.as_slice(), &mut Vec::new());
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
