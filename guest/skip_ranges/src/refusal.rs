//! Why nothing is left out.

/// What sort of reason it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Nothing here can tell what the volume holds: LVM, BitLocker, ReFS and the like.
    NotUnderstood,
    /// The volume was not at rest: its log may hold what its structures do not show.
    Dirty,
    /// Free space belongs to shadow copies, or may.
    ShadowCopies,
    /// A system sleeps in it.
    Hibernated,
    /// A feature that is not known here.
    UnknownFeature,
    /// What was read makes no sense.
    Damaged,
    /// The disk could not be read.
    Unreadable,
}

impl RefusalKind {
    /// Returns the word for it, which never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotUnderstood => "not-understood",
            Self::Dirty => "dirty",
            Self::ShadowCopies => "shadow-copies",
            Self::Hibernated => "hibernated",
            Self::UnknownFeature => "unknown-feature",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why something that was asked for is not left out of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What sort of reason it is.
    pub kind: RefusalKind,
    /// The same for people.
    pub text: String,
}

/// What reading a volume leads to.
pub(crate) type Read<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    pub(crate) fn damaged(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::Damaged, text)
    }

    pub(crate) fn dirty(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::Dirty, text)
    }
}

impl From<ntfs_format::Malformed> for Refusal {
    fn from(malformed: ntfs_format::Malformed) -> Self {
        Self::damaged(malformed.what())
    }
}

/// Fails as damaged unless `holds`.
pub(crate) fn ensure(holds: bool, text: &str) -> Read<()> {
    if holds {
        Ok(())
    } else {
        Err(Refusal::damaged(text))
    }
}
