//! What is asked for.

/// Why a range may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The file system holds nothing there.
    FreeSpace,
    /// Windows' page file, or its swap file of apps.
    PageFile,
    /// Windows' hibernation file. What a hibernated system had in memory is lost with it.
    HibernationFile,
    /// A Linux swap area.
    Swap,
}

impl SkipReason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::FreeSpace,
        Self::PageFile,
        Self::HibernationFile,
        Self::Swap,
    ];

    /// Returns the word for it, which never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::FreeSpace => "free-space",
            Self::PageFile => "page-file",
            Self::HibernationFile => "hibernation-file",
            Self::Swap => "swap",
        }
    }
}

/// What is to be left out, and what is known of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SkipRequest {
    /// Free space of file systems.
    pub free_space: bool,
    /// Page files.
    pub page_files: bool,
    /// Hibernation files.
    pub hibernation_files: bool,
    /// Swap areas.
    pub swap: bool,
    /// The guest took part when the disk was frozen: it flushed its file systems and held them
    /// still (VSS, `fsfreeze`). Without that the log of a mounted file system may hold what its
    /// structures do not show yet.
    pub flushed: bool,
}

impl SkipRequest {
    /// Asks for everything.
    pub fn all() -> Self {
        Self {
            free_space: true,
            page_files: true,
            hibernation_files: true,
            swap: true,
            flushed: false,
        }
    }

    /// Says whether anything is asked for.
    pub fn is_empty(&self) -> bool {
        !SkipReason::ALL.iter().any(|reason| self.wants(*reason))
    }

    /// Says whether this is asked for.
    pub fn wants(&self, reason: SkipReason) -> bool {
        match reason {
            SkipReason::FreeSpace => self.free_space,
            SkipReason::PageFile => self.page_files,
            SkipReason::HibernationFile => self.hibernation_files,
            SkipReason::Swap => self.swap,
        }
    }
}
