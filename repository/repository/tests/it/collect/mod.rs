//! Garbage collection.

mod basics;
mod costs;
mod crashes;
#[cfg(target_os = "linux")]
mod full_disk;
mod model;
mod rewriting;
mod site;
mod writers;
