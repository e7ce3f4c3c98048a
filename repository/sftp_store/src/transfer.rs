//! Bytes to and from a file, with many requests under way.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{Status, StatusCode};

use crate::session::Session;

/// Requests that are under way at once: 4 MiB in flight hide 40 ms at 100 MB/s.
const REQUESTS: usize = 16;

/// Writes all of `bytes` to a file that is open.
pub(crate) async fn write_all(session: &Session, handle: &str, bytes: &[u8]) -> Result<(), Error> {
    let part_bytes = usize::try_from(session.write_bytes).unwrap_or(1024);
    let parts = bytes.chunks(part_bytes).zip(offsets(session.write_bytes));
    stream::iter(parts)
        .map(|(part, offset)| async move {
            session
                .raw
                .write(handle, offset, part.to_vec())
                .await
                .map(drop)
        })
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

/// Fills `buf` from `offset` of a file that is open; a file that ends before is `Eof`.
pub(crate) async fn read_exact(
    session: &Session,
    handle: &str,
    offset: u64,
    buf: &mut [u8],
) -> Result<(), Error> {
    let part_bytes = usize::try_from(session.read_bytes).unwrap_or(1024);
    let parts = buf.chunks_mut(part_bytes).zip(offsets(session.read_bytes));
    stream::iter(parts)
        .map(|(part, at)| read_part(session, handle, offset.saturating_add(at), part))
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

fn offsets(part_bytes: u32) -> impl Iterator<Item = u64> {
    (0u64..).map(move |part| part.saturating_mul(u64::from(part_bytes)))
}

/// A server may send less than was asked for, but something.
async fn read_part(
    session: &Session,
    handle: &str,
    mut offset: u64,
    mut part: &mut [u8],
) -> Result<(), Error> {
    while !part.is_empty() {
        let len = u32::try_from(part.len()).unwrap_or(session.read_bytes);
        let data = session.raw.read(handle, offset, len).await?.data;
        let Some((filled, rest)) = part.split_at_mut_checked(data.len()) else {
            return Err(Error::UnexpectedPacket);
        };
        if data.is_empty() {
            return Err(end_of_file());
        }
        filled.copy_from_slice(&data);
        offset = offset.saturating_add(data.len() as u64);
        part = rest;
    }
    Ok(())
}

fn end_of_file() -> Error {
    Error::Status(Status {
        id: 0,
        status_code: StatusCode::Eof,
        error_message: String::new(),
        language_tag: String::new(),
    })
}
