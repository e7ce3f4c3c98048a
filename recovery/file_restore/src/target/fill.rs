//! Content on its way into a file.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::TargetError;
use super::flush_behind::FlushBehind;
use super::folder::of_place;
use crate::take_out::Source;

/// A run of zeros this long, and aligned to it, is left out: a hole.
const HOLE_BYTES: usize = 64 << 10;
/// The same, as seeking has it.
const HOLE_SEEK: i64 = 64 << 10;
/// Longer content is flushed each time that so much was written.
const FLUSH_BYTES: u64 = 64 << 20;

/// Writes content, with holes where there are long runs of zeros.
pub(super) fn fill(
    file: &mut File,
    place: &Path,
    content: &mut Source<'_>,
) -> Result<(), TargetError> {
    let failed = |error| of_place(place, error);
    let mut len_bytes = 0;
    let mut flushing = match content.size_bytes() {
        ..FLUSH_BYTES => None,
        FLUSH_BYTES.. => Some(FlushBehind::every(FLUSH_BYTES, file).map_err(failed)?),
    };
    let mut ends_with_hole = false;
    loop {
        let mut rest = content.piece()?;
        if rest.is_empty() {
            break;
        }
        len_bytes += rest.len() as u64;
        while !rest.is_empty() {
            let (data, behind) = rest.split_at_checked(data_len(rest)).unwrap_or((rest, &[]));
            file.write_all(data).map_err(failed)?;
            let hole = behind.get(HOLE_BYTES..);
            if hole.is_some() {
                file.seek(SeekFrom::Current(HOLE_SEEK)).map_err(failed)?;
            }
            ends_with_hole = hole.is_some();
            rest = hole.unwrap_or_default();
            if let Some(flushing) = &mut flushing {
                flushing.wrote(data.len() as u64);
            }
        }
    }
    if ends_with_hole {
        file.set_len(len_bytes).map_err(failed)?;
    }
    if let Some(flushing) = flushing {
        flushing.finish().map_err(failed)?;
    }
    Ok(())
}

/// Returns how many bytes come before the first hole.
fn data_len(bytes: &[u8]) -> usize {
    let mut pieces = bytes.chunks_exact(HOLE_BYTES);
    match pieces.position(block_io::is_zero) {
        Some(data) => data * HOLE_BYTES,
        None => bytes.len(),
    }
}
