//! What is found on disks: of tools that others wrote, of kernels, of Windows, and of bytes that
//! nobody meant.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests; what is skipped is told"
)]

mod contents;
mod disks;
mod dynamic_disks;
mod forged_ldm;
mod hostile;
mod linux_arrays;
mod lvm_samples;
mod one_disk;
mod tables;
