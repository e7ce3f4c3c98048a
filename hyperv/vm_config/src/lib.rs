//! Hyper-V VM configuration: `.vmcx` and `.xml` into one typed configuration.

#![forbid(unsafe_code)]

mod configuration;

pub use configuration::{
    Checkpoint, ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, VmConfiguration,
};
