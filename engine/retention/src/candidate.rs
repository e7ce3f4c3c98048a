//! What is known of a point when it is decided on.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A clock may be ahead of the store's by so much.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(24);
/// What is written later than this after its own time may be back-dated. A first backup may take as
/// long, and a copy of old points longer: so such a point loses nothing, but takes no other's place.
const PROMPT: SignedDuration = SignedDuration::from_hours(48);

/// What is known of a point when it is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The point's id.
    pub id: String,
    /// The point's own time, by the clock of its host.
    pub time: Timestamp,
    /// When it was written, by the clock of the store.
    pub written: Timestamp,
    /// No rule removes it.
    pub pinned: bool,
    /// No rule removes it for these reasons, until their time has come.
    pub holds: Vec<Hold>,
    /// Something was said of it that is not understood here.
    pub unknown_note: bool,
    /// It was looked at, and was bad.
    pub known_bad: bool,
}

/// A reason with a name for which a point is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The reason.
    pub name: String,
    /// Until when; `None`: until it is released.
    pub until: Option<Timestamp>,
}

impl Candidate {
    /// Returns whether the point's own time can be right: nothing is written before it is made.
    pub fn is_time_trusted(&self) -> bool {
        self.time.duration_since(self.written) <= CLOCKS_APART
    }

    /// Returns whether the point was written so soon after its own time that it is not back-dated.
    pub(crate) fn is_prompt(&self) -> bool {
        self.written.duration_since(self.time) <= PROMPT
    }

    pub(crate) fn active_holds(&self, now: Timestamp) -> impl Iterator<Item = &Hold> {
        let is_active = move |hold: &&Hold| hold.until.is_none_or(|until| now < until);
        self.holds.iter().filter(is_active)
    }
}
