//! `vssadmin list writers`.

use serde::Serialize;
use uuid::Uuid;

use super::tokens::{Token, tokens};
use super::{ENTRIES_MAX, after_colon, bounded, kept};
use crate::{VssErrorKind, WriterState};

/// A writer as `vssadmin list writers` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedWriter {
    /// What it is: compare with [`HYPERV_WRITER`](crate::HYPERV_WRITER).
    pub id: Uuid,
    /// This instance of it.
    pub instance: Option<Uuid>,
    /// Its name, which may be in the host's language.
    pub name: Option<String>,
    /// The number of its state.
    pub state_number: Option<u32>,
    /// Its last error, in the host's language.
    pub last_error: Option<String>,
}

/// What the line of the last error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastError {
    /// There was none.
    None,
    /// There was one, of this sort.
    Of(VssErrorKind),
    /// It is said in words that are not known here.
    Unknown,
}

impl ListedWriter {
    /// Returns where the writer is.
    pub fn state(&self) -> WriterState {
        self.state_number
            .map_or(WriterState::Unknown, WriterState::of)
    }

    /// Returns what is known of the last error. Only the words of an English Windows are.
    pub fn known_last_error(&self) -> LastError {
        let Some(text) = &self.last_error else {
            return LastError::Unknown;
        };
        match text.to_ascii_lowercase().trim_end_matches('.') {
            "no error" => LastError::None,
            "retryable error" | "timed out" | "out of resources" => {
                LastError::Of(VssErrorKind::Retryable)
            }
            "non-retryable error" | "inconsistent shadow copy" => {
                LastError::Of(VssErrorKind::NotRetryable)
            }
            "partial failure" => LastError::Of(VssErrorKind::Partial),
            "not responding" => LastError::Of(VssErrorKind::Infrastructure),
            "unexpected error" => LastError::Of(VssErrorKind::Other),
            _ => LastError::Unknown,
        }
    }

    /// Returns whether nothing speaks against a backup: the state is a good one, and the last error
    /// is none, or is said in words that are not known here.
    pub fn is_well(&self) -> bool {
        let no_error = !matches!(self.known_last_error(), LastError::Of(_));
        self.state().is_well() && no_error
    }
}

/// Reads what `vssadmin list writers` printed, on a Windows of any language.
///
/// Writers come in the order of the text, at most 1,024 of them; only the first mebibyte is looked
/// at. Text without a writer gives none.
pub fn parse_writers(text: &str) -> Vec<ListedWriter> {
    let mut listing = Listing::default();
    for line in bounded(text).lines() {
        if listing.writers.len() > ENTRIES_MAX {
            break;
        }
        listing.take(line);
    }
    listing.writers.truncate(ENTRIES_MAX);
    listing.writers
}

#[derive(Default)]
struct Listing {
    writers: Vec<ListedWriter>,
    /// The value of the last line that was none of the others: before a GUID it is a name.
    last_value: Option<String>,
    /// The state of the last writer was told, its last error was not.
    is_error_next: bool,
}

impl Listing {
    fn take(&mut self, line: &str) {
        let mut has_token = false;
        for (token, _) in tokens(line) {
            has_token = true;
            match token {
                Token::Guid(id) => self.take_guid(id),
                Token::Number(number) => self.take_state(number),
            }
        }
        if has_token || line.trim().is_empty() {
            return;
        }
        let value = after_colon(line);
        match (self.writers.last_mut(), self.is_error_next) {
            (Some(writer), true) => {
                // A line without a colon may be the rest of a long one.
                if let Some(value) = value {
                    writer.last_error = Some(value);
                    self.is_error_next = false;
                }
            }
            _ => self.last_value = value.or(self.last_value.take()),
        }
    }

    /// The first GUID of a writer is what it is, the second its instance.
    fn take_guid(&mut self, id: Uuid) {
        if let Some(writer) = self.writers.last_mut()
            && writer.instance.is_none()
            && writer.state_number.is_none()
        {
            writer.instance = Some(id);
            return;
        }
        let name = self.last_value.take();
        let name = name.map(|name| kept(name.trim_matches(is_quote)));
        self.is_error_next = false;
        self.writers.push(ListedWriter {
            id,
            instance: None,
            name: name.filter(|name| !name.is_empty()),
            state_number: None,
            last_error: None,
        });
    }

    fn take_state(&mut self, number: u32) {
        if let Some(writer) = self.writers.last_mut()
            && writer.state_number.is_none()
        {
            writer.state_number = Some(number);
            self.is_error_next = true;
        }
    }
}

/// Marks that Windows' languages put around names.
fn is_quote(character: char) -> bool {
    let marks = "'\"\u{2018}\u{2019}\u{201A}\u{201C}\u{201D}\u{201E}\u{AB}\u{BB}\u{300C}\u{300D}";
    character.is_whitespace() || marks.contains(character)
}

#[cfg(test)]
mod tests;
