//! The journal's entry of a restore.

use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;
use wmi::{VIRTUALIZATION, WmiError};

use super::planned_vm::planned_vms;
use crate::WmiHost;
use crate::backup::journal_of;
use crate::backup::link::Link;
use crate::host_failure::host_failure;
use crate::journal::{JournalEntry, OpenEntry, RestoreEntry};

/// What an entry is begun with.
pub(super) struct Begun<'a> {
    /// GUID of the VM that comes back, where it is known.
    pub(super) vm: Option<Uuid>,
    /// The name that tells what the host makes from others.
    pub(super) name: &'a str,
    /// Id of the restore.
    pub(super) run: &'a str,
    /// What is known beforehand.
    pub(super) restore: RestoreEntry,
}

/// Writes down what is about to be made, with what is there already.
pub(super) fn begin_entry(
    host: &WmiHost,
    link: &Link,
    computer: &str,
    begun: Begun<'_>,
) -> Result<OpenEntry, HostError> {
    let journal = journal_of(host)?.ok_or_else(no_journal)?;
    let failed = |error| host_failure(link.host(), "listing the VMs", error);
    let planned = planned_vms(link).map_err(failed)?;
    let restore = RestoreEntry {
        planned_before: planned.iter().map(|own| own.id).collect(),
        vms_before: vm_ids(link).map_err(failed)?,
        ..begun.restore
    };
    let vm = begun.vm.unwrap_or_default();
    let mut entry = JournalEntry::of_restore(link.host(), vm, begun.name, begun.run, restore);
    entry.computer = computer.to_owned();
    journal.begin(entry)
}

/// Changes what is written down of the restore.
pub(super) fn change(
    entry: &mut OpenEntry,
    change: impl FnOnce(&mut RestoreEntry),
) -> Result<(), HostError> {
    entry.change(|entry| {
        if let Some(restore) = &mut entry.restore {
            change(restore);
        }
    })
}

/// Lists the GUIDs of the VMs that a host has: one call.
pub(super) fn vm_ids(link: &Link) -> Result<Vec<Uuid>, WmiError> {
    Ok(vm_names(link)?.into_iter().map(|(id, _)| id).collect())
}

/// Lists GUIDs and names of the VMs that a host has: one call.
pub(super) fn vm_names(link: &Link) -> Result<Vec<(Uuid, String)>, WmiError> {
    let wql = "SELECT * FROM Msvm_ComputerSystem";
    let systems = link.patiently(|| link.session.query_all(VIRTUALIZATION, wql))?;
    let named = systems.iter().filter_map(|system| {
        let id = Uuid::parse_str(&system.text("Name")?).ok()?;
        Some((id, system.text("ElementName").unwrap_or_default()))
    });
    Ok(named.collect())
}

fn no_journal() -> HostError {
    let text = "there is no journal, and nothing is made on a host that is not in one first";
    HostError::new(HostErrorKind::Blocked, text).hint("let the program write to its state folder")
}
