//! Whether a run will fit.

use serde::Serialize;

/// What a run has to stay within.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "limit", rename_all = "kebab-case")]
pub enum Limit {
    /// The repository's quota.
    Quota,
    /// The quota of a VM, by identity.
    VmQuota {
        /// Identity of the VM.
        vm: String,
    },
    /// Free space of the store.
    FreeSpace,
}

/// That a run will not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortfall {
    /// What it does not fit into.
    #[serde(flatten)]
    pub limit: Limit,
    /// How much of that is used; 0 for free space.
    pub used_bytes: u64,
    /// How much the run adds.
    pub added_bytes: u64,
    /// How much there may be.
    pub limit_bytes: u64,
}

/// Says whether what a run adds does not fit.
pub fn shortfall(
    limit: Limit,
    used_bytes: u64,
    added_bytes: u64,
    limit_bytes: u64,
) -> Option<Shortfall> {
    let too_much = used_bytes.saturating_add(added_bytes) > limit_bytes;
    too_much.then_some(Shortfall {
        limit,
        used_bytes,
        added_bytes,
        limit_bytes,
    })
}
