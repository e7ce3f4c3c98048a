//! The host's WMI: queries, instances, methods, and what goes wrong with them.
//!
//! ```text
//!   SimSession ── count ── faults ──┬── wql ── answer ── objects · edges ── project ──► Instance
//!    (WmiSession)                   ├── get ──────────── objects ────────── project ──► Instance
//!                                   └── invoke ── methods ── operations of the host ──► job or code
//! ```
//!
//! Everything that has an instance is an [`object::Object`]; `project` makes the instance out of
//! the host's state at the moment of the call, and [`schema`] cuts it to what this version of
//! Windows has. Associations are seen from either end by [`edges::edges`]. A question that names a
//! GUID looks at one VM, not at all.
//!
//! # Deliberately missing
//!
//! Events, `SELECT … WITHIN`, `meta_class`; collections and migration; the instances that describe
//! defaults of resources; a checkpoint's own memory and adapters, which are its VM's. Methods that are
//! documented and not simulated answer 32770 (not supported).

mod answer;
mod call_count;
mod edges;
mod fault;
mod instance_ids;
mod methods;
mod object;
mod objects;
mod project;
mod schema;
mod session;
mod sim_clock;
mod strike;
mod view;
mod wql;

pub use call_count::CallCount;
pub use fault::{
    Effect, FAULT_SYNTAX, Fault, FaultPlan, FaultPoint, METHODS, VSS_POINTS, VSS_RESTORE_POINTS,
    When, WmiCall, conflict_text,
};
pub use session::SimSession;
pub use sim_clock::SimClock;
