//! What is in effect of all that was said of a point.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::keys::DomainId;
use crate::points::SealedBy;
use crate::points::note::{NoteKind, StoredNote};

/// What is in effect of all that was said of a point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PointNotes {
    /// No rule removes it.
    pub pinned: bool,
    /// Holds that were not released, also those whose time has come, by name.
    pub holds: Vec<Hold>,
    /// What people want to say.
    pub comment: Option<String>,
    /// How it was last looked at.
    pub verified: Option<Verified>,
    /// Notes that this program does not know or cannot read: they keep the point.
    pub unknown: u32,
}

/// A reason with a name for which a point is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The reason.
    pub name: String,
    /// Until when; `None`: until it is released.
    pub until: Option<Timestamp>,
}

/// That a point was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// When.
    pub time: Timestamp,
    /// In which way: a word such as `read`.
    pub how: String,
    /// Whether it was found to be good.
    pub good: bool,
}

impl Hold {
    /// Returns whether the hold is in effect.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl PointNotes {
    /// Returns whether no rule may remove the point.
    pub fn keep(&self, now: Timestamp) -> bool {
        self.pinned || self.unknown > 0 || self.holds.iter().any(|hold| hold.is_active(now))
    }

    /// Returns whether the point was found to be bad when it was last looked at.
    pub fn known_bad(&self) -> bool {
        self.verified
            .as_ref()
            .is_some_and(|verified| !verified.good)
    }
}

/// A note with what decides which of several counts.
#[derive(Debug, Clone)]
pub(crate) struct HeardNote {
    /// Name of its object.
    pub(crate) object: String,
    pub(crate) by: SealedBy,
    pub(crate) note: StoredNote,
}

impl HeardNote {
    /// The greatest of these counts: who said it, then when, then the name.
    fn rank(&self) -> (bool, Timestamp, &str) {
        (self.by == SealedBy::Master, self.note.time, &self.object)
    }
}

/// Finds what is in effect for a point of `domain`: what other domains say of it is nothing.
/// `unread` notes cannot be read.
pub(crate) fn in_effect<'a>(
    notes: impl Iterator<Item = &'a HeardNote>,
    domain: DomainId,
    unread: u32,
) -> PointNotes {
    let mut newest: BTreeMap<NoteKind, &HeardNote> = BTreeMap::new();
    let mut state = PointNotes {
        unknown: unread,
        ..PointNotes::default()
    };
    let heard = |note: &&HeardNote| match note.by {
        SealedBy::Master => true,
        SealedBy::Domain(own) => own == domain,
    };
    for note in notes.filter(heard) {
        let Some(kind) = note.note.kind() else {
            state.unknown = state.unknown.saturating_add(1);
            continue;
        };
        let current = newest.entry(kind).or_insert(note);
        if current.rank() < note.rank() {
            *current = note;
        }
    }
    for (kind, heard) in newest {
        let note = &heard.note;
        match kind {
            NoteKind::Pin => state.pinned = note.pin(),
            NoteKind::Hold(name) => {
                let until = note.hold_until();
                state.holds.extend(until.map(|until| Hold { name, until }));
            }
            NoteKind::Comment => state.comment = note.text().filter(|text| !text.is_empty()),
            NoteKind::Verified => {
                state.verified = note.verified().map(|(how, good)| Verified {
                    time: note.time,
                    how,
                    good,
                });
            }
        }
    }
    state
}
