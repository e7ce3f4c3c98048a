//! Notes: what is said of a point later.

use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::format::{SEALED_BYTES_MAX, SealedKind, random_bytes};
use crate::hex;
use crate::points::SealedBy;
use crate::points::point_notes::HeardNote;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

const VERSION: u32 = 1;
/// The longest name of a hold, in characters.
const HOLD_NAME_CHARS_MAX: usize = 100;
/// The longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 4096;

/// Something that is said of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Whether rules leave it alone.
    Pin(bool),
    /// Rules leave it alone for a reason that has a name.
    Hold {
        /// The reason.
        name: String,
        /// Until when; `None`: until it is released.
        until: Option<Timestamp>,
    },
    /// The reason is none any more.
    Release {
        /// The hold's name.
        name: String,
    },
    /// What people want to say; an empty one takes the last one away.
    Comment(String),
    /// It was looked at.
    Verified {
        /// In which way: a word such as `read`.
        how: String,
        /// Whether it was found to be good.
        good: bool,
    },
}

/// What a note is about. Of each kind one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoteKind {
    Pin,
    Hold(String),
    Comment,
    Verified,
}

/// A note as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredNote {
    version: u32,
    pub(crate) point: String,
    pub(crate) time: Timestamp,
    kind: String,
    value: Value,
}

impl StoredNote {
    fn new(point: &str, time: Timestamp, note: &Note) -> Self {
        let (kind, value) = match note {
            Note::Pin(pinned) => ("pin", json!(pinned)),
            Note::Hold { name, until } => ("hold", json!({ "name": name, "until": until })),
            Note::Release { name } => {
                let value = json!({ "name": name, "until": null, "released": true });
                ("hold", value)
            }
            Note::Comment(text) => ("comment", json!(text)),
            Note::Verified { how, good } => ("verified", json!({ "how": how, "good": good })),
        };
        Self {
            version: VERSION,
            point: point.to_owned(),
            time,
            kind: kind.to_owned(),
            value,
        }
    }

    /// Returns what the note is about; `None` where this program does not understand it.
    pub(crate) fn kind(&self) -> Option<NoteKind> {
        if self.version != VERSION {
            return None;
        }
        match self.kind.as_str() {
            "pin" => self.value.as_bool().map(|_| NoteKind::Pin),
            "hold" => {
                let until = self.value.get("until").unwrap_or(&Value::Null);
                let known = until.is_null() || parse_time(until).is_some();
                let name = self.value.get("name")?.as_str()?;
                known.then(|| NoteKind::Hold(name.to_owned()))
            }
            "comment" => self.value.as_str().map(|_| NoteKind::Comment),
            "verified" => self.verified().map(|_| NoteKind::Verified),
            _ => None,
        }
    }

    pub(crate) fn pin(&self) -> bool {
        self.value.as_bool().unwrap_or(true)
    }

    /// Returns until when a hold holds: `None` where it was released.
    pub(crate) fn hold_until(&self) -> Option<Option<Timestamp>> {
        let released = self.value.get("released").and_then(Value::as_bool);
        (released != Some(true)).then(|| self.value.get("until").and_then(parse_time))
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.value.as_str().map(str::to_owned)
    }

    pub(crate) fn verified(&self) -> Option<(String, bool)> {
        let how = self.value.get("how")?.as_str()?.to_owned();
        Some((how, self.value.get("good")?.as_bool()?))
    }
}

fn parse_time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Returns the id of the point that a note's object is about.
pub(crate) fn point_of_note(object: &str) -> Option<&str> {
    let (point, note) = object.strip_prefix("notes/")?.split_once('/')?;
    (!note.is_empty() && !note.contains('/')).then_some(point)
}

impl Repository {
    /// Says something of a point. It is sealed under the master key where this handle has it, else
    /// under its domain's.
    pub fn add_note(
        &self,
        point_id: &str,
        note: &Note,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        check_note(note)?;
        let mut stored = StoredNote::new(point_id, now, note);
        // A clock that was ahead must not have the last word.
        let (heard, _) = self.notes_of(point_id)?;
        let same = heard.iter().filter(|own| own.note.kind() == stored.kind());
        if let Some(newest) = same.map(|own| own.note.time).max()
            && newest >= stored.time
        {
            stored.time = newest.checked_add(1.nanosecond()).unwrap_or(newest);
        }
        let object = format!("notes/{point_id}/{}", hex::encode(&random_bytes::<16>()?));
        let by = if self.shared.is_write_only() {
            SealedBy::Domain(self.shared.domain().id)
        } else {
            SealedBy::Master
        };
        // A plain struct of strings and JSON values always serialises.
        let body = serde_json::to_vec(&stored).unwrap_or_default();
        let sealed = self
            .shared
            .seal_small(SealedKind::Note, by, &object, &body)?;
        Ok(self.shared.store.put_new(&object, &sealed)?)
    }

    /// Reads the notes of a point, whoever wrote them, and counts those that cannot be read.
    pub(crate) fn notes_of(
        &self,
        point_id: &str,
    ) -> Result<(Vec<HeardNote>, u32), RepositoryError> {
        let mut objects = Vec::new();
        let prefix = format!("notes/{point_id}/");
        self.shared
            .store
            .list(&prefix, &mut |object| objects.push(object.name))?;
        let (mut heard, mut unread) = (Vec::new(), 0);
        for object in objects {
            let read = || {
                let bytes = self.shared.store.get(&object, SEALED_BYTES_MAX as u64)?;
                self.open_note(&object, &bytes)
            };
            match read() {
                Ok(note) => heard.push(note),
                Err(error) if speaks_of_the_note(&error) => unread += 1,
                Err(error) => return Err(error),
            }
        }
        Ok((heard, unread))
    }

    /// Opens the bytes of a note.
    pub(crate) fn open_note(
        &self,
        object: &str,
        bytes: &[u8],
    ) -> Result<HeardNote, RepositoryError> {
        let (by, body) = self.shared.open_small(SealedKind::Note, object, bytes)?;
        let note: StoredNote = serde_json::from_slice(&body).map_err(|error| {
            let what = "the note says nothing that this version understands";
            RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .in_object(object)
                .caused_by(error)
        })?;
        if point_of_note(object) != Some(note.point.as_str()) {
            let what = "the note says that it is about another point";
            return Err(RepositoryError::damaged(object, what));
        }
        Ok(HeardNote {
            object: object.to_owned(),
            by,
            note,
        })
    }
}

/// Returns whether an error says something of one note, and not of the store.
fn speaks_of_the_note(error: &RepositoryError) -> bool {
    matches!(
        error.kind(),
        RepositoryErrorKind::Damaged
            | RepositoryErrorKind::Unsupported
            | RepositoryErrorKind::OtherDomain
            | RepositoryErrorKind::WriteOnly
    )
}

fn check_note(note: &Note) -> Result<(), RepositoryError> {
    let refuse = |what: &str| {
        let kind = RepositoryErrorKind::Unsupported;
        Err(RepositoryError::new(kind, what))
    };
    match note {
        Note::Hold { name, .. } | Note::Release { name } if name.trim().is_empty() => {
            refuse("a hold needs a name")
        }
        Note::Hold { name, .. } | Note::Release { name }
            if name.chars().count() > HOLD_NAME_CHARS_MAX =>
        {
            refuse("the name of a hold has at most 100 characters")
        }
        Note::Comment(text) if text.len() > COMMENT_BYTES_MAX => {
            refuse("a comment has at most 4096 bytes")
        }
        _ => Ok(()),
    }
}
