//! What a restore that died has left, as `lifeboat doctor` tells it.

use hyperv_host::Finding;

use super::findings;
use super::planned_vm::find_planned;
use super::settle::{is_half_made, vm_of_restore};
use super::through_writer;
use crate::backup::link::Link;
use crate::journal::JournalEntry;
use crate::residue::Found;

/// Tells what a restore that died has left; nothing is changed. `true`: it can be removed.
pub(crate) fn restore_residue(link: &Link, entry: &JournalEntry) -> Vec<(bool, Finding)> {
    if through_writer::is_writers(entry) {
        return through_writer::residue(link, entry);
    }
    let mut found = Vec::new();
    match find_planned(link, entry) {
        Ok(Found::Ours(planned)) => {
            found.push((true, findings::planned_left(entry, &planned, "")));
        }
        Ok(Found::Undecided(planned)) => {
            found.push((false, findings::planned_undecided(entry, &planned)));
        }
        Ok(Found::Nothing) => {}
        Err(error) => found.push((true, findings::unsettled(entry, &error))),
    }
    match vm_of_restore(link, entry) {
        Ok(Some(vm)) if is_half_made(entry, &vm) => {
            let why = "it is not all made yet";
            found.push((true, findings::restored_vm_stays(entry, &vm, why)));
        }
        Ok(Some(vm)) => found.push((false, findings::restored_vm_waits(entry, &vm))),
        Ok(None) => {}
        Err(error) => found.push((true, findings::unsettled(entry, &error))),
    }
    if found.is_empty() {
        let nothing = "nothing of it is to be seen";
        found.push((true, findings::unsettled(entry, &nothing)));
    }
    found
}
