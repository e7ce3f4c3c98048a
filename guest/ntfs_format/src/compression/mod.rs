//! Content that is compressed.

mod bits;
mod huffman;
mod lznt1;
mod lzx;
mod xpress_huffman;

pub use lznt1::decompress_lznt1;
pub use lzx::decompress_lzx;
pub use xpress_huffman::decompress_xpress_huffman;

use crate::malformed::{Malformed, Parsed, ensure};

/// Repeats `len` bytes of what was written, from `distance` before `at`.
fn repeat(output: &mut [u8], at: usize, distance: usize, len: usize) -> Parsed<()> {
    ensure(
        distance > 0 && distance <= at,
        "compressed bytes repeat what is before their begin",
    )?;
    let end = at.saturating_add(len);
    ensure(
        end <= output.len(),
        "compressed bytes are longer than their piece",
    )?;
    if distance >= len {
        output.copy_within(at - distance..at - distance + len, at);
        return Ok(());
    }
    // What is repeated is still being written.
    for to in at..end {
        let byte = output.get(to - distance).copied();
        let byte = byte.ok_or(Malformed::new("compressed bytes repeat nothing"))?;
        if let Some(place) = output.get_mut(to) {
            *place = byte;
        }
    }
    Ok(())
}
