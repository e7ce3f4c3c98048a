//! Stores that fail, tear, lag and die on demand, and a store that counts.
//!
//! [`FaultySystem`] stands between a [`object_store::FolderStore`] and the real file system. It
//! counts the steps that change anything; at a chosen step it fails once, or the machine dies:
//! every later step fails, and what was not flushed by then is lost or torn.
//!
//! [`MemoryStore`] is a whole store in memory: a clock that tests move, listings that lag, hosts
//! that fail and die one by one, objects that are damaged behind everybody's back.

#![forbid(unsafe_code)]

mod counting_store;
mod faulty_system;
mod memory_store;
mod store_host;

pub use counting_store::{CountingStore, Counts};
pub use faulty_system::{Fault, FaultySystem};
pub use memory_store::{ListingLag, MemoryStore};
pub use store_host::RequestCounts;
