//! What is wrong with a host or a VM, or worth knowing, as far as it does not depend on what is
//! asked for.
//!
//! Each id has its page in `checks/finding_catalog`.

mod checkpoints;
mod disks;
mod guest;
mod host;
mod machine;
mod vss;

use std::cmp::Reverse;

use hyperv_host::Finding;
use jiff::Timestamp;

pub(crate) use disks::{disk_label, of_disk_error, unfreezable};
pub(crate) use guest::guest_row;
pub(crate) use host::{elsewhere, no_bytes, of_host, old as old_host};
pub(crate) use vss::{desktop, no_vss};

use crate::facts::{HostState, VmFacts};

/// Returns what is wrong with a VM, or worth knowing: what stands in the way first.
pub(crate) fn of_vm(vm: &VmFacts, host: &HostState, now: Timestamp) -> Vec<Finding> {
    // What an older host cannot do is no fault of its VMs.
    let tracks = host.windows.has_recovery_checkpoints();
    let fits = move |own: &Finding| tracks || own.id != "VM-OLD-VERSION";
    let mut findings: Vec<Finding> = machine::findings(vm)
        .filter(fits)
        .chain(disks::findings(vm, host))
        .chain(checkpoints::findings(vm, now))
        .chain(guest::findings(vm))
        .collect();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings
}
