//! What a repair would do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::format::{LostFrame, PackId};
use crate::keys::DomainId;
use crate::maintain::check::{CheckReport, PackState, PackSurvey};
use crate::maintain::repair::salvage::Candidates;

/// What a repair would do, and what it would not.
#[derive(Serialize)]
pub struct RepairPlan {
    /// What the check found that the plan was made after.
    pub check: CheckReport,
    /// Damaged packs: what is whole of them goes into new packs, and they into quarantine.
    pub damaged_packs: Vec<String>,
    /// Packs that points need and that are not there.
    pub missing_packs: Vec<String>,
    /// Index objects that are written anew.
    pub indexes: Vec<String>,
    /// Packs that no index lists, and that will be listed.
    pub unlisted_packs: u64,
    /// Frames that points need and that are not where they should be; some may lie elsewhere.
    pub lost_frames: u64,
    /// Other damaged objects that can be done without: they go into quarantine.
    pub spare_objects: Vec<String>,
    /// What a repair cannot mend: damaged restore points, notes, settings, keys.
    pub beyond_repair: Vec<String>,
    #[serde(skip)]
    pub(crate) found: Found,
}

/// What the inspection found out, for the repair to use.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) packs: PackSurvey,
    /// Frames of suspect packs that points need, by pack.
    pub(crate) needed: BTreeMap<PackId, Candidates>,
    /// Whose frames a pack's are, as far as maps tell.
    pub(crate) owners: BTreeMap<PackId, DomainId>,
    /// What is lost, by domain.
    pub(crate) lost: BTreeMap<DomainId, Vec<LostFrame>>,
    /// Something belongs to a domain whose keys we lack.
    pub(crate) foreign: bool,
}

impl Found {
    /// Returns the packs that are not as they were written, with their length.
    pub(crate) fn suspects(&self) -> BTreeMap<PackId, u64> {
        let packs = self.packs.packs.iter();
        packs
            .filter(|(_, (_, state))| matches!(state, PackState::Suspect))
            .map(|(pack, (size_bytes, _))| (*pack, *size_bytes))
            .collect()
    }

    /// Returns index objects that do not authenticate, list what is not there, or list a pack that
    /// will be removed.
    pub(crate) fn indexes_to_replace(&self) -> BTreeSet<String> {
        let suspects = self.suspects();
        let stale = self.packs.indexes.iter().filter(|index| {
            let mut packs = index.packs.keys();
            packs.any(|pack| suspects.contains_key(pack))
        });
        stale
            .map(|index| index.object.clone())
            .chain(self.packs.bad_indexes.iter().cloned())
            .collect()
    }
}

impl RepairPlan {
    /// Says whether there is anything to do.
    pub fn is_needed(&self) -> bool {
        !(self.damaged_packs.is_empty()
            && self.missing_packs.is_empty()
            && self.indexes.is_empty()
            && self.lost_frames == 0
            && self.spare_objects.is_empty())
    }
}

/// What a repair did.
#[derive(Debug, Default, Serialize)]
pub struct RepairReport {
    /// Frames of damaged packs that were whole, and lie in new packs now.
    pub salvaged_frames: u64,
    /// Frames that were lost and lie elsewhere as well: they can be read again.
    pub healed_frames: u64,
    /// Frames that points need and that are nowhere. The next backup stores again what it finds.
    pub lost_frames: u64,
    /// Objects that lie in quarantine now.
    pub quarantined: Vec<String>,
    /// Damaged objects that were removed.
    pub removed: Vec<String>,
    /// Damaged objects that are still there, and why.
    pub kept: Vec<KeptObject>,
    /// What a check of the structure says now.
    pub after: CheckReport,
}

/// A damaged object that a repair left where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptObject {
    /// Its name.
    pub object: String,
    /// Why it is still there.
    pub reason: String,
}
