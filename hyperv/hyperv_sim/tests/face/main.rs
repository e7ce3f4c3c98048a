//! The simulated host through its WMI alone, as typed code sees it.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod associations;
mod backup_cycle;
mod call_counts;
mod faults;
mod fixture;
mod importing;
mod instances;
mod methods;
mod planned;
mod queries;
mod systems;
