//! What `vssadmin` prints, read from where somebody pasted it.
//!
//! `vssadmin` speaks the language of its Windows, so nothing here rests on words: writers are told
//! by their GUIDs and by the number of their state in brackets, volumes by their names, and what
//! belongs together by its order. Any text is taken; what cannot be made out is left out.

mod shadow_storage;
mod tokens;
mod writers;

pub use shadow_storage::{ListedStorage, ListedVolume, parse_shadow_storage};
pub use writers::{LastError, ListedWriter, parse_writers};

/// The most text that is looked at, in bytes; a real listing has some thousands.
const TEXT_MAX_BYTES: usize = 1 << 20;
/// The most entries of a listing.
const ENTRIES_MAX: usize = 1024;
/// The most characters that are kept of a name or another text.
const KEPT_MAX: usize = 256;

/// Returns as much of a text as is looked at.
fn bounded(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Returns what follows the colon of a line, without blanks; full-width colons are Chinese and
/// Japanese ones.
fn after_colon(line: &str) -> Option<String> {
    let (_, value) = line.split_once([':', '：'])?;
    Some(kept(value))
}

/// Returns a text without blanks around it, as long as is kept.
fn kept(text: &str) -> String {
    text.trim().chars().take(KEPT_MAX).collect()
}
