//! Garbage collection.

mod basics;
mod costs;
mod crashes;
#[cfg(target_os = "linux")]
mod full_disk;
mod model;
mod rewriting;
pub(crate) mod site;
mod writers;
