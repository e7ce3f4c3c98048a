//! A folder of Hyper-V VMs, seen as a host.
