//! VMs restored to a host.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod checkpoints;
mod dead_restores;
mod faults;
mod finding_cases;
mod findings;
mod host_double;
mod in_place;
mod meanwhile;
mod new_vm;
mod parts;
mod world;
mod writer;
