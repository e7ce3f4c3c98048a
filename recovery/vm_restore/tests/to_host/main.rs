//! VMs restored to a host.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod faults;
mod host_double;
mod in_place;
mod new_vm;
mod world;
