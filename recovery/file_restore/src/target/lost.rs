//! What a target could not hold.

use guest_files::{FileName, Node, Owner};
use serde::Serialize;

/// What of one file the target could not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What was lost, each as a few words: "owner", "the stream Zone.Identifier".
    pub lost: Vec<String>,
}

impl Kept {
    /// Everything was kept.
    pub fn all() -> Self {
        Self::default()
    }

    /// All but this was kept.
    pub fn without(what: impl Into<String>) -> Self {
        Self {
            lost: vec![what.into()],
        }
    }

    pub(crate) fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }
}

/// Read-only, hidden and system: the attributes of Windows that people set and see.
const SHOWN_ATTRIBUTES: u32 = 0x1 | 0x2 | 0x4;

/// Says that a file's attributes of Windows are not kept, where it has some.
pub(super) fn lose_attributes(node: &Node, kept: &mut Kept) {
    if let Owner::Windows { attributes } = node.owner
        && attributes & SHOWN_ATTRIBUTES != 0
    {
        kept.lose("the attributes hidden, system and read-only of Windows");
    }
}

/// Most sorts that are told apart; what a guest calls its attributes is its own choice.
const SORTS_MAX: usize = 100;

/// What of all files the target could not hold: each sort once, with the path of the first and of
/// how many files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Lost {
    /// The path of the first, what was lost, of how many.
    pub sorts: Vec<(String, String, u64)>,
}

impl Lost {
    pub(crate) fn add(&mut self, path: &[FileName], kept: Kept) {
        for what in kept.lost {
            self.count(&|| crate::take_out::shown(path), what, 1);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (path, what, number) in other.sorts {
            self.count(&|| path.clone(), what, number);
        }
    }

    fn count(&mut self, path: &dyn Fn() -> String, what: String, number: u64) {
        let what = if self.sorts.len() < SORTS_MAX {
            what
        } else {
            "other things".to_owned()
        };
        match self.sorts.iter_mut().find(|(_, known, _)| *known == what) {
            Some((_, _, count)) => *count += number,
            None => self.sorts.push((path(), what, number)),
        }
    }
}
