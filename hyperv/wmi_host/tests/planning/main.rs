//! What a host has and what a backup would do, over a host that answers from a list of instances.
//!
//! The simulated host is exercised beside it; here stand the cases that it does not have, and
//! counts of calls.

#![expect(clippy::unwrap_used, reason = "tests")]

mod call_counts;
mod full_reads;
mod inventory;
mod listed_host;
mod methods;
mod plans;
mod vm_instances;
