//! What a backup would do, told before anything is touched.

mod consistency;
mod full_reason;
mod method;
mod old_guest;
mod other_volume;
mod room;
mod saving;
mod vm_plan;

pub(crate) use consistency::{Expected, expected, expected_through, missed};
pub(crate) use full_reason::{DiskNow, TrackedSince, tracked_since};
pub(crate) use method::{Choice, Way, choose};
pub(crate) use room::{no_room, no_room_for_memory};
pub(crate) use saving::saved_state_refused;
pub(crate) use vm_plan::{plan, plan_of};
