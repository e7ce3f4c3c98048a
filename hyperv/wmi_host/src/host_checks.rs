//! What is wrong with a host and its VMs, for `lifeboat doctor`.
//!
//! ```text
//!   inventory's findings ─┐
//!   services, volumes,    │
//!   shadow storage        ├─► doctor
//!   VSS: writer           │
//!   guests ───────────────┘      look_inside: partitions of their disks
//!                                plan_fixes:  an id, a plan, then what was planned
//! ```
//!
//! All of it only reads; a [`Fix`] is the one thing that changes anything, and does so when it is
//! told to. What could not be looked at is told as well: silence would read as health.

mod fixes;
mod guest_disks;
mod guests;
mod inside;
mod not_looked;
mod services;
mod versions;
mod volumes;
mod writer;

use std::cmp::Reverse;

use hyperv_host::{Finding, HostError, HostErrorKind, Severity};

use crate::WmiHost;
use crate::facts::VmFacts;
use crate::inventory::inventory;
use not_looked::NotLooked;

pub use fixes::{Fix, plan_fixes};

impl WmiHost {
    /// Looks at everything that a backup depends on: each finding with the name of its VM, or none
    /// where it is the host's own. What dead runs left behind is [`crate::find_residue`]'s.
    ///
    /// # Errors
    ///
    /// `Unreachable` and the like. That the host refuses, or has no Hyper-V, is a finding.
    pub fn doctor(&self) -> Result<Vec<(Option<String>, Finding)>, HostError> {
        let inventory = match inventory(self) {
            Ok(inventory) => inventory,
            Err(error) => return self.without_inventory(error),
        };
        let mut own = inventory.findings;
        if let Some(stopped) = services::management(self) {
            // A host shows nothing to those without rights, and nothing while its service is off.
            own.retain(|finding| finding.id != "HOST-RIGHTS");
            own.insert(0, stopped);
        }
        let mut not_looked = NotLooked::default();
        own.extend(services::others(self, &mut not_looked));
        // What was read for the inventory, a moment ago.
        let facts = match self.recent_facts() {
            Some(facts) => facts,
            None => self.host_facts()?,
        };
        own.extend(versions::findings(&facts.host));
        own.extend(volumes::findings(self, &facts, &mut not_looked));
        own.extend(writer::findings(self, &facts.host, &mut not_looked));
        own.extend(not_looked.of_host());
        let mut found: Vec<(Option<String>, Finding)> =
            own.into_iter().map(|own| (None, own)).collect();
        for entry in inventory.vms {
            let mut findings = entry.findings;
            let vm = facts.vms.iter().find(|vm| vm.identity() == entry.identity);
            if let Some(vm) = vm {
                findings.extend(guests::findings(vm, &facts.host, self.is_node()));
            }
            findings.sort_by_key(|finding| Reverse(finding.severity));
            let name = &entry.name;
            found.extend(findings.into_iter().map(|own| (Some(name.clone()), own)));
        }
        Ok(found)
    }

    /// Reads the partition tables of the VMs' disks, a few sectors of each: file systems and
    /// dynamic disks that guests cannot be frozen with.
    ///
    /// # Errors
    ///
    /// Those of reading the VMs. A disk that cannot be read is a finding.
    pub fn look_inside(&self) -> Result<Vec<(Option<String>, Finding)>, HostError> {
        let facts = match self.recent_facts() {
            Some(facts) => facts,
            None => self.host_facts()?,
        };
        let Some(bytes) = &self.bytes else {
            let mut not_looked = NotLooked::default();
            not_looked.add(
                "partitions of the VMs' disks",
                "none of the host's files are mapped to this machine (--host-files)",
            );
            let finding = not_looked.of_host();
            return Ok(finding.map(|own| (None, own)).into_iter().collect());
        };
        let of_vm = |vm: &VmFacts| {
            let name = vm.name.clone();
            let findings = guest_disks::findings(bytes, vm);
            findings
                .into_iter()
                .map(move |finding| (Some(name.clone()), finding))
        };
        Ok(facts.vms.iter().flat_map(of_vm).collect())
    }

    /// Makes findings of errors that have a cure on the host.
    fn without_inventory(
        &self,
        error: HostError,
    ) -> Result<Vec<(Option<String>, Finding)>, HostError> {
        let hint = error.hint_text().unwrap_or_default().to_owned();
        let finding = match error.kind() {
            HostErrorKind::NoHyperv => {
                Finding::new("HOST-NO-HYPERV", Severity::Block, error.to_string()).cure(hint)
            }
            HostErrorKind::Denied => {
                Finding::new("HOST-RIGHTS", Severity::Block, error.to_string()).cure(hint)
            }
            _ => match services::management(self) {
                Some(finding) => finding,
                None => return Err(error),
            },
        };
        Ok(vec![(None, finding)])
    }
}
