//! Named streams that stand for extended attributes, where those are all there is.

use crate::{Attribute, FileError, GuestFileSystem, NodeId, Stream};

/// Longest extended attribute of Linux, in bytes.
const ATTRIBUTE_MAX_BYTES: u64 = 64 << 10;

/// Returns what a named stream is called as an extended attribute, `user.NAME`; `None` for one that is
/// too long to be one.
pub fn stream_attribute_name(stream: &Stream) -> Option<Vec<u8>> {
    let is_short = stream.size_bytes <= ATTRIBUTE_MAX_BYTES;
    is_short.then(|| [b"user.", stream.name.as_bytes()].concat())
}

/// Reads a named stream as an extended attribute; `None` for one that is too long to be one.
///
/// # Errors
///
/// Those of [`GuestFileSystem::open`] and [`crate::GuestFile::read_exact_at`], with the stream's name.
pub fn stream_attribute(
    system: &dyn GuestFileSystem,
    file: NodeId,
    stream: &Stream,
) -> Result<Option<Attribute>, FileError> {
    let Some(name) = stream_attribute_name(stream) else {
        return Ok(None);
    };
    // 64 KiB at most.
    let mut value = vec![0; usize::try_from(stream.size_bytes).unwrap_or(0)];
    let content = system.open(file, Some(&stream.name));
    let read = content.and_then(|content| content.read_exact_at(0, &mut value));
    read.map_err(|error| error.of(format_args!("stream {}", stream.name)))?;
    Ok(Some(Attribute { name, value }))
}
