//! Backup and recovery for Microsoft Hyper-V.
fn main() {}
