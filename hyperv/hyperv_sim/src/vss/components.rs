//! The files of a VM, as the writer of Hyper-V tells them, and choosing what is backed up.

use std::collections::BTreeSet;

use uuid::Uuid;
use vss::{ComponentId, FileSet, HYPERV_WRITER, VssError, VssErrorKind, VssStep};

use super::failure::{OBJECT_ALREADY_EXISTS, failure};
use super::session::{Held, Phase, Selected};
use super::writers::{HOST_COMPONENT, no_component};
use crate::Vm;
use crate::drive::{file_name, parent_folder};
use crate::guid::guid_text;
use crate::host_state::HostState;

/// Lists the files of a VM: configuration, checkpoints, and every disk with its parents. Disks
/// without a file are not among them (contract 5.1).
pub(crate) fn vm_files(state: &HostState, vm: &Vm) -> Vec<FileSet> {
    let set = |path: String, spec: String| FileSet {
        path,
        spec,
        is_recursive: false,
    };
    let root = &vm.config_root;
    let mut files = vec![set(
        format!("{root}\\Virtual Machines"),
        format!("{}.*", guid_text(vm.id)),
    )];
    files.extend(vm.snapshots.iter().map(|snapshot| {
        set(
            format!("{}\\Snapshots", vm.snapshot_root()),
            format!("{}.*", guid_text(snapshot.id)),
        )
    }));
    let disks = image_files(state, vm).into_iter();
    files.extend(
        disks.map(|path| set(parent_folder(&path).to_owned(), file_name(&path).to_owned())),
    );
    files
}

/// Lists the files of a VM's disks, with parents that are others'.
fn image_files(state: &HostState, vm: &Vm) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = vm.files.keys().cloned().collect();
    let foreign = vm
        .files
        .values()
        .filter_map(|own| own.foreign_parent.clone());
    let mut ahead: Vec<String> = foreign.collect();
    while let Some(path) = ahead.pop() {
        if !found.insert(path.clone()) {
            continue;
        }
        let nodes = state
            .vms
            .values()
            .filter_map(|other| other.files.get(&path));
        for node in nodes {
            ahead.extend(node.parent.iter().chain(&node.foreign_parent).cloned());
        }
    }
    found
}

impl HostState {
    /// `AddComponent`.
    pub(crate) fn add_component(&mut self, id: Uuid, wanted: &ComponentId) -> Result<(), VssError> {
        let step = VssStep::AddComponent;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Gathered])?;
        let vm = if wanted.writer == HYPERV_WRITER {
            let mut offered = session.offered.iter();
            offered.find(|(vm, _)| guid_text(*vm).eq_ignore_ascii_case(&wanted.name))
        } else {
            None
        };
        // What was made since the writer was asked is in none of its components.
        let by_name = wanted.writer != HYPERV_WRITER || wanted.name == HOST_COMPONENT;
        let has_writer = || self.has_hyperv_writer(session);
        let known = match vm {
            Some(_) => has_writer(),
            None => by_name && self.has_component(session, wanted.writer, &wanted.name),
        };
        if !known {
            return Err(no_component(wanted));
        }
        let name = vm.map_or_else(|| wanted.name.clone(), |(vm, _)| guid_text(*vm));
        let same = |own: &Selected| own.writer == wanted.writer && own.name == name;
        if session.components.iter().any(same) {
            return Err(failure(
                VssErrorKind::Other,
                step,
                OBJECT_ALREADY_EXISTS,
                format!("'{name}' was added before"),
            ));
        }
        let selected = Selected {
            writer: wanted.writer,
            name,
            vm: vm.copied(),
            succeeded: false,
            failure: None,
            held: Held::default(),
        };
        self.session_mut(id, step)?.components.push(selected);
        Ok(())
    }

    /// `SetBackupSucceeded`.
    pub(crate) fn set_succeeded(
        &mut self,
        id: Uuid,
        wanted: &ComponentId,
        succeeded: bool,
    ) -> Result<(), VssError> {
        let step = VssStep::SetSucceeded;
        let session = self.session_mut(id, step)?;
        session.check_phase(step, &[Phase::Snapped])?;
        let same = |own: &&mut Selected| {
            own.writer == wanted.writer && own.name.eq_ignore_ascii_case(&wanted.name)
        };
        let chosen = session.components.iter_mut().find(same);
        chosen.ok_or_else(|| no_component(wanted))?.succeeded = succeeded;
        Ok(())
    }
}
