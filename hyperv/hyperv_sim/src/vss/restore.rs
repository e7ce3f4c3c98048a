//! Restores through the writer of Hyper-V: what it does before and after files are put into place
//! (contract 5.2).

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vss::{ComponentId, FileSet, VssError, VssErrorKind, VssStep, WriterState};

use super::failure::{NON_RETRYABLE, OBJECT_NOT_FOUND, failure, of_host};
use super::session::{WriterProgress, bad_state};
use super::strike::VssStrike;
use crate::cluster::RoleState;
use crate::drive::{file_name, parent_folder};
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::{PowerState, SimError, SimErrorKind, TraceKind, Vm};

/// A restore that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoreSession {
    pub(crate) id: Uuid,
    /// How far it is.
    phase: RestorePhase,
    /// The VMs of the document.
    components: Vec<RestoredVm>,
    /// Where the writer of Hyper-V is.
    pub(crate) writer: WriterProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RestorePhase {
    Begun,
    FilesMissing,
    Ended,
}

/// A VM that a document is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RestoredVm {
    vm: Uuid,
    /// The folder of its configuration when it was backed up: what the writer noted.
    root: String,
    is_selected: bool,
    /// All its files are in place.
    is_in_place: bool,
    /// Files that went elsewhere: folder and pattern, and where to.
    targets: Vec<(String, String, String)>,
}

impl HostState {
    /// `InitializeForRestore` and `GatherWriterMetadata`: returns the restore's id.
    pub(crate) fn begin_restore(&mut self, document: &str) -> Result<Uuid, VssError> {
        let components = read_document(document)?;
        let id = self.new_guid();
        self.facts_mut().vss.restores.push(RestoreSession {
            id,
            phase: RestorePhase::Begun,
            components,
            writer: WriterProgress::default(),
        });
        Ok(id)
    }

    /// Forgets a restore, wherever it is.
    pub(crate) fn forget_restore(&mut self, id: Uuid) {
        self.facts_mut().vss.restores.retain(|own| own.id != id);
    }

    pub(crate) fn restore(&self, id: Uuid, step: VssStep) -> Result<&RestoreSession, VssError> {
        let found = self.facts.vss.restores.iter().find(|own| own.id == id);
        found.ok_or_else(|| bad_state(step))
    }

    fn restore_mut(&mut self, id: Uuid, step: VssStep) -> Result<&mut RestoreSession, VssError> {
        let mut restores = self.facts_mut().vss.restores.iter_mut();
        let found = restores.find(|own| own.id == id);
        found.ok_or_else(|| bad_state(step))
    }

    /// Lists the VMs that a restore is of.
    pub(crate) fn vms_of_restore(&self, id: Uuid) -> Vec<Uuid> {
        let found = self.facts.vss.restores.iter().find(|own| own.id == id);
        let components = found.into_iter().flat_map(|own| &own.components);
        let selected = components.filter(|own| own.is_selected);
        selected.map(|own| own.vm).collect()
    }

    fn component_mut(
        &mut self,
        id: Uuid,
        step: VssStep,
        phase: RestorePhase,
        component: &ComponentId,
    ) -> Result<&mut RestoredVm, VssError> {
        let session = self.restore_mut(id, step)?;
        if session.phase != phase {
            return Err(bad_state(step));
        }
        let vm = Uuid::parse_str(&component.name).ok();
        let mut components = session.components.iter_mut();
        let found = components.find(|own| Some(own.vm) == vm);
        found.ok_or_else(|| {
            let what = format!("the document has no component '{}'", component.name);
            failure(VssErrorKind::NotFound, step, OBJECT_NOT_FOUND, what)
        })
    }

    /// `SetSelectedForRestore`
    pub(crate) fn select_for_restore(
        &mut self,
        id: Uuid,
        component: &ComponentId,
    ) -> Result<(), VssError> {
        let step = VssStep::Select;
        let own = self.component_mut(id, step, RestorePhase::Begun, component)?;
        own.is_selected = true;
        Ok(())
    }

    /// `AddNewTarget`
    pub(crate) fn add_new_target(
        &mut self,
        id: Uuid,
        component: &ComponentId,
        files: &FileSet,
        folder: &str,
    ) -> Result<(), VssError> {
        let step = VssStep::AddNewTarget;
        let own = self.component_mut(id, step, RestorePhase::Begun, component)?;
        let folder = folder.trim_end_matches('\\').to_owned();
        own.targets
            .push((files.path.clone(), files.spec.clone(), folder));
        Ok(())
    }

    /// `SetFileRestoreStatus`
    pub(crate) fn set_restored(
        &mut self,
        id: Uuid,
        component: &ComponentId,
        all: bool,
    ) -> Result<(), VssError> {
        let step = VssStep::SetRestored;
        let own = self.component_mut(id, step, RestorePhase::FilesMissing, component)?;
        own.is_in_place = all;
        Ok(())
    }

    /// `PreRestore`: the writer turns the VMs off and takes them from the host. Their disks stay
    /// until they are written over.
    pub(crate) fn pre_restore(&mut self, id: Uuid, strike: &VssStrike) -> Result<(), VssError> {
        let step = VssStep::PreRestore;
        let session = self.restore_mut(id, step)?;
        if session.phase != RestorePhase::Begun {
            return Err(bad_state(step));
        }
        session.phase = RestorePhase::FilesMissing;
        self.trace(None, TraceKind::PreRestore);
        let at = WriterState::FailedAtPreRestore;
        if self.writer_was_struck(id, step, at, strike)? {
            return Ok(());
        }
        for vm in self.vms_of_restore(id) {
            let gone = self.take_for_restore(vm);
            self.note_restore(id, step, at, gone)?;
        }
        Ok(())
    }

    fn take_for_restore(&mut self, vm: Uuid) -> Result<(), SimError> {
        if !self.vms.contains_key(&vm) {
            return Ok(());
        }
        // The writer knows nothing of clusters (contract 5.2).
        let role = self.membership.as_deref();
        let role = role.and_then(|own| own.facts.roles.get(&vm));
        if role.is_some_and(|role| role.state == RoleState::Online) {
            let what = "the virtual machine's role is online";
            return Err(SimError::new(SimErrorKind::InvalidState, what));
        }
        self.set_power_now(vm, PowerState::Off)?;
        self.remove_vm(vm, false)
    }

    /// `PostRestore`: the writer registers the VMs whose files are in place.
    pub(crate) fn post_restore(&mut self, id: Uuid, strike: &VssStrike) -> Result<(), VssError> {
        let step = VssStep::PostRestore;
        let session = self.restore_mut(id, step)?;
        if session.phase != RestorePhase::FilesMissing {
            return Err(bad_state(step));
        }
        session.phase = RestorePhase::Ended;
        let components = session.components.clone();
        self.trace(None, TraceKind::PostRestore);
        let at = WriterState::FailedAtPostRestore;
        if self.writer_was_struck(id, step, at, strike)? {
            return Ok(());
        }
        let selected = components.iter().filter(|own| own.is_selected);
        for component in selected.filter(|own| own.is_in_place) {
            let registered = self.register(component);
            if registered.is_err() {
                self.facts_mut().planned.remove(&component.vm);
            }
            self.note_restore(id, step, at, registered)?;
        }
        Ok(())
    }

    /// Registers a VM from its definition file where that is now: paths of disks that are not there
    /// any more lead to where they went, and switches that are not there are let go.
    fn register(&mut self, component: &RestoredVm) -> Result<(), SimError> {
        let id = component.vm;
        let extension = match self.facts.profile.has_binary_configurations() {
            true => "vmcx",
            false => "xml",
        };
        let name = format!("{}.{extension}", guid_text(id));
        let old = format!("{}\\Virtual Machines\\{name}", component.root);
        let definition = component.place_of(&old);
        let root = parent_folder(parent_folder(&definition)).to_owned();
        let snapshots = format!("{root}\\Snapshots");
        let has_snapshots = self.local_path(&snapshots)?.is_dir();
        let folder = has_snapshots.then_some(snapshots.as_str());
        self.make_planned(id, &definition, folder, false)?;
        self.forget_checkpoints_of_backups(id)?;
        let mut vm = self.planned(id)?.vm.clone();
        vm.config_root = root;
        for path in paths_of(&mut vm) {
            if !self.local_path(path)?.is_file() {
                *path = component.place_of(path);
            }
        }
        for number in 0..vm.network_adapters.len() {
            let adapter = vm.network_adapters.get(number);
            let name = adapter.map(|own| own.switch_name.as_str());
            if name.is_some_and(|name| self.switch_named(name).is_none()) {
                vm.disconnect(number);
            }
        }
        self.planned_mut(id)?.vm = vm;
        self.make_real(id)
    }

    /// A definition that the writer froze lists the checkpoint that it made for the backup, which no
    /// component has: it knows its own, and leaves it out. Contract: 5.2 [M]
    fn forget_checkpoints_of_backups(&mut self, vm: Uuid) -> Result<(), SimError> {
        let missing: Vec<Uuid> = self.planned(vm)?.missing.iter().copied().collect();
        for id in missing {
            self.drop_planned_snapshot(vm, id)?;
        }
        Ok(())
    }

    /// Lets the writer fail as a fault has it.
    fn writer_was_struck(
        &mut self,
        id: Uuid,
        step: VssStep,
        at: WriterState,
        strike: &VssStrike,
    ) -> Result<bool, VssError> {
        let code = strike.writer.or(strike.component.map(|(_, code)| code));
        let Some(code) = code else {
            return Ok(false);
        };
        let message = format!("the writer failed (0x{code:08X})");
        self.restore_mut(id, step)?
            .writer
            .fail(at, code, Some(message));
        Ok(true)
    }

    fn note_restore(
        &mut self,
        id: Uuid,
        step: VssStep,
        at: WriterState,
        done: Result<(), SimError>,
    ) -> Result<(), VssError> {
        if let Err(error) = done {
            if error.kind() == SimErrorKind::Storage {
                return Err(of_host(step, &error));
            }
            let writer = &mut self.restore_mut(id, step)?.writer;
            writer.fail(at, NON_RETRYABLE, Some(error.to_string()));
        }
        Ok(())
    }
}

impl RestoredVm {
    /// Returns where a file of the VM is now.
    fn place_of(&self, path: &str) -> String {
        let (folder, name) = (parent_folder(path), file_name(path));
        let fits = |(from, spec, _): &&(String, String, String)| {
            let stem = spec.trim_end_matches('*');
            let start = name.get(..stem.len());
            let starts = start.is_some_and(|own| own.eq_ignore_ascii_case(stem));
            from.eq_ignore_ascii_case(folder) && (spec.eq_ignore_ascii_case(name) || starts)
        };
        match self.targets.iter().find(fits) {
            Some((_, _, to)) => format!("{to}\\{name}"),
            None => path.to_owned(),
        }
    }
}

/// Lists the paths of the disks of a VM and of its checkpoints.
fn paths_of(vm: &mut Vm) -> impl Iterator<Item = &mut String> {
    let running = vm.disks.iter_mut().map(|disk| &mut disk.path);
    let frozen = vm.snapshots.iter_mut().flat_map(|own| &mut own.disks);
    let paths = running.chain(frozen.map(|disk| &mut disk.path));
    paths.filter(|path| !path.is_empty())
}

/// Reads which VMs a backup components document is of, and where they were.
fn read_document(document: &str) -> Result<Vec<RestoredVm>, VssError> {
    let step = VssStep::BeginRestore;
    let wrong = |why: String| {
        let what = format!("the document cannot be read: {why}");
        // VSS_E_INVALID_XML_DOCUMENT
        failure(VssErrorKind::Other, step, 0x8004_2311, what)
    };
    let mut reader = Reader::from_str(document);
    let mut found = Vec::new();
    loop {
        let event = reader.read_event();
        let element = match event.map_err(|error| wrong(error.to_string()))? {
            Event::Eof => return Ok(found),
            Event::Start(element) | Event::Empty(element) => element,
            _ => continue,
        };
        if element.name().as_ref() != "COMPONENT" {
            continue;
        }
        let text = |name: &str| {
            let own = element.try_get_attribute(name).ok().flatten()?;
            Some(quick_xml::escape::unescape(&own.value).ok()?.into_owned())
        };
        let vm = text("componentName").and_then(|name| Uuid::parse_str(&name).ok());
        if let (Some(vm), Some(root)) = (vm, text("backupMetadata")) {
            found.push(RestoredVm {
                vm,
                root,
                is_selected: false,
                is_in_place: false,
                targets: Vec::new(),
            });
        }
    }
}
