//! What a member says of its array, whichever version of superblock it has.

/// What a member knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Superblock {
    /// The array's id.
    pub(crate) array_id: [u8; 16],
    /// Its name as it is stored.
    pub(crate) name: String,
    /// Its level; negative for what is no RAID.
    pub(crate) level: i32,
    /// The layout of levels that have several.
    pub(crate) layout: u32,
    /// How long a chunk is, in bytes; zero where a level has none.
    pub(crate) chunk_bytes: u64,
    /// How many members it has, spares not counted.
    pub(crate) members: u32,
    /// How much of each member the array uses, in bytes; zero where each has its own size.
    pub(crate) used_bytes: u64,
    /// Where data begin on this member, in bytes.
    pub(crate) data_offset: u64,
    /// How many bytes of data this member has room for.
    pub(crate) data_bytes: u64,
    /// Counts changes of the array.
    pub(crate) events: u64,
    /// This member's number, by which [`Superblock::roles`] is read.
    pub(crate) number: u32,
    /// What each member is, by its number, as this one knows it.
    pub(crate) roles: Vec<Role>,
    /// Whether this member was not yet rebuilt to its end.
    pub(crate) is_rebuilding: bool,
    /// Whether the array is on its way from one shape to another.
    pub(crate) is_reshaping: bool,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// In the array, at this place.
    Active(u32),
    /// A spare, a journal, or nobody.
    Spare,
    /// Was in the array, and failed.
    Faulty,
}

impl Superblock {
    /// Returns what a member is, as this one knows it.
    pub(crate) fn role_of(&self, number: u32) -> Role {
        let role = usize::try_from(number)
            .ok()
            .and_then(|at| self.roles.get(at));
        role.copied().unwrap_or(Role::Spare)
    }
}
