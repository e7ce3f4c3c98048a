//! What guests do while they are backed up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{SimError, SimHost};

/// What a guest does while it is backed up. By itself it does nothing, so that a disk holds the
/// same before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuestPlan {
    /// Its volumes cannot be snapped in the guest: dynamic disks, FAT, shadow storage elsewhere.
    pub volumes_lack_vss: bool,
    /// What its applications write when they recover in a snapshot: to `-AutoRecovery.avhdx`, or
    /// on 2012 to the disk on the volume snapshot.
    pub recovery: Vec<GuestWrite>,
    /// What it writes between its own snapshot and that of the volume: to the running file.
    pub meanwhile: Vec<GuestWrite>,
}

/// A write of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestWrite {
    /// The disk, from 0, by slot.
    pub disk: usize,
    /// Where, in bytes.
    pub offset: u64,
    /// What.
    pub bytes: Vec<u8>,
}

impl SimHost {
    /// Says what a guest does while it is backed up.
    pub fn plan_guest(&self, vm: Uuid, plan: GuestPlan) -> Result<(), SimError> {
        self.act(|state| {
            state.vm_mut(vm)?.guest_plan = plan;
            Ok(())
        })
    }
}
