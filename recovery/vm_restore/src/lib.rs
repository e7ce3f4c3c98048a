//! Brings disks and whole VMs back from a restore point.
