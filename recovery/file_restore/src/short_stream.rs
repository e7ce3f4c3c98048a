//! Named streams that come as extended attributes.

use guest_files::{Attribute, FileError, FileErrorKind, GuestFileSystem, NodeId, Stream};

/// Longest extended attribute of Linux, in bytes: a named stream may come as one.
const ATTRIBUTE_MAX_BYTES: usize = 64 << 10;

/// Reads a named stream as an extended attribute, where it is short enough to be one.
pub(crate) fn short_stream(
    system: &dyn GuestFileSystem,
    file: NodeId,
    stream: &Stream,
) -> Result<Option<Attribute>, FileError> {
    let len = usize::try_from(stream.size_bytes).ok();
    let Some(len) = len.filter(|len| *len <= ATTRIBUTE_MAX_BYTES) else {
        return Ok(None);
    };
    let named = |error: FileError| error.of(format_args!("stream {}", stream.name));
    let content = system.open(file, Some(&stream.name));
    let content = content.map_err(named)?;
    let mut value = vec![0; len];
    let mut done = 0;
    while let Some(rest) = value.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let read = content.read_at(done as u64, rest).map_err(named)?;
        if read == 0 {
            let what = format!("it ends after {done} of {len} bytes");
            return Err(named(FileError::new(FileErrorKind::Corrupt, what)));
        }
        done += read;
    }
    let name = [b"user.", stream.name.as_bytes()].concat();
    Ok(Some(Attribute { name, value }))
}
