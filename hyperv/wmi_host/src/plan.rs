//! What a backup would do, told before anything is touched.

mod consistency;
mod full_reason;
mod room;
mod vm_plan;

pub(crate) use consistency::{Expected, expected};
pub(crate) use full_reason::{DiskNow, TrackedSince, tracked_since};
pub(crate) use room::no_room;
pub(crate) use vm_plan::{plan, plan_of};
