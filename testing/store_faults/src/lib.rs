//! A folder system that fails, tears and dies on demand, and a store that counts.
//!
//! [`FaultySystem`] stands between a [`object_store::FolderStore`] and the real file system. It
//! counts the steps that change anything; at a chosen step it fails once, or the machine dies:
//! every later step fails, and what was not flushed by then is lost or torn.

#![forbid(unsafe_code)]

mod counting_store;
mod faulty_system;

pub use counting_store::{CountingStore, Counts};
pub use faulty_system::{Fault, FaultySystem};
