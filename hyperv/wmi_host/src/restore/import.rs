//! Making a VM of its definition file (contract 4.1).

use std::sync::PoisonError;

use hyperv_host::{HostError, HostErrorKind, Identity, ImportOrder, RestoredVm, StepObserver};
use uuid::Uuid;
use wmi::{CimType, MethodError, Value, WmiError};

use super::checkpoint_disks::CheckpointDisks;
use super::checkpoints::settle_checkpoints;
use super::definition::Definition;
use super::entry::{Begun, begin_entry, change, vm_names};
use super::paths::{Placing, place_disks};
use super::planned_vm::{
    PlannedKind, PlannedVm, active_settings, find_planned, named_by, settings_of,
};
use super::realize::{realize, validate, without_memory};
use super::settle::{give_up, take_up, taken_up};
use super::work::Work;
use super::{changed_settings::modify_system, findings};
use crate::WmiHost;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::{is_answer, method_failure};
use crate::host_failure::host_failure;
use crate::journal::{OpenEntry, RestoreEntry};
use crate::residue::Found;

/// Makes a VM of a definition file and of disks that are in place.
pub(crate) fn import(
    host: &WmiHost,
    order: &ImportOrder,
    observer: &dyn StepObserver,
) -> Result<RestoredVm, HostError> {
    let link = Link::of(host);
    let computer = host.host_state()?.computer;
    if let Some((vm, entry)) = take_up(host, &link, &computer, &order.run)? {
        observer.step("taking up the VM that this restore has made before it died");
        let vm = without_memory(&link, vm, order.keep_memory)?;
        return Ok(taken_up(&vm, entry));
    }
    let definition = Definition::read(host, &order.definition);
    let expected = definition.id.filter(|_| order.identity == Identity::Keep);
    if let Some(id) = expected {
        refuse_a_second(&link, id)?;
    }
    let name = definition.name.or_else(|| order.name.clone());
    // Two that are asked for at once could not be told apart.
    let gate = host.planning.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = Begun {
        vm: definition.id,
        name: name.as_deref().unwrap_or_default(),
        run: &order.run,
        restore: RestoreEntry {
            expected,
            configuration_folder: order.configuration_folder.clone(),
            ..RestoreEntry::default()
        },
    };
    let mut entry = begin_entry(host, &link, &computer, begun)?;
    let mut importing = Importing {
        host,
        work: Work::new(&link, &computer, observer),
        order,
    };
    let planned = importing.ask(&mut entry);
    drop(gate);
    let made = planned.and_then(|planned| importing.finish(&planned, &mut entry));
    match made {
        Ok(mut vm) => {
            vm.findings = importing.work.findings;
            vm.findings.extend(findings::close(entry));
            Ok(vm)
        }
        Err(error) => Err(give_up(&link, entry, error)),
    }
}

/// Fails where a VM of this identity is on the host. Hosts refuse that themselves, each in its own
/// words.
fn refuse_a_second(link: &Link, id: Uuid) -> Result<(), HostError> {
    let vms = vm_names(link);
    let vms = vms.map_err(|error| host_failure(link.host(), "listing the VMs", error))?;
    match vms.into_iter().find(|(own, _)| *own == id) {
        Some((_, name)) => Err(HostError::blocked(&findings::same_vm(
            link.host(),
            id,
            &name,
        ))),
        None => Ok(()),
    }
}

struct Importing<'a> {
    host: &'a WmiHost,
    work: Work<'a>,
    order: &'a ImportOrder,
}

impl Importing<'_> {
    /// Has the planned VM made, and finds it.
    fn ask(&self, entry: &mut OpenEntry) -> Result<PlannedVm, HostError> {
        const DOING: &str = "reading the VM's definition";
        self.work.step("asking for a planned VM")?;
        let link = self.work.link;
        let now = link.clock.now();
        change(entry, |own| own.asked = Some(now))?;
        let folder = self.order.checkpoint_folder.as_deref();
        let parameters = [
            (
                "SystemDefinitionFile",
                Value::from(self.order.definition.as_str()),
            ),
            ("SnapshotFolder", Value::from(folder.unwrap_or_default())),
            (
                "GenerateNewSystemIdentifier",
                Value::from(self.order.identity == Identity::New),
            ),
        ];
        let asked = link.call(MANAGEMENT_SERVICE, "ImportSystemDefinition", &parameters);
        let made = match asked {
            Ok(made) => made,
            Err(error) => {
                let answered = is_answer(&error);
                // Hosts report failures of what they do all the same, and may be at it still.
                let found = link.look_for(|_| self.found(entry)).ok().flatten();
                match found {
                    Some(planned) if !answered => return known(entry, planned),
                    Some(planned) => {
                        known(entry, planned)?;
                    }
                    // What the host has refused does not come about much later.
                    None if answered => change(entry, |own| own.asked = None)?,
                    None => {}
                }
                return Err(refused(link, DOING, error));
            }
        };
        let named = link.look_for(|left| {
            if let Some(planned) = named_by(link, &made)? {
                return Ok(Some(planned));
            }
            // Another's may be seen before ours.
            if left < 4 {
                self.found(entry)
            } else {
                Ok(None)
            }
        });
        let named = named.map_err(|error| host_failure(link.host(), DOING, error))?;
        let planned = named.ok_or_else(|| {
            let text = format!("{}: {DOING}: the planned VM cannot be found", link.host());
            HostError::new(HostErrorKind::Refused, text)
                .hint("look at the event log Hyper-V-VMMS/Admin on the host")
        })?;
        known(entry, planned)
    }

    fn found(&self, entry: &OpenEntry) -> Result<Option<PlannedVm>, WmiError> {
        Ok(match find_planned(self.work.link, entry.entry())? {
            Found::Ours(planned) => Some(planned),
            Found::Nothing | Found::Undecided(_) => None,
        })
    }

    /// Makes the planned VM fit the host, and a VM of it.
    fn finish(
        &mut self,
        planned: &PlannedVm,
        entry: &mut OpenEntry,
    ) -> Result<RestoredVm, HostError> {
        let (link, order) = (self.work.link, self.order);
        self.work.step("setting names and folders")?;
        self.name_and_folders(planned)?;
        self.work.step("looking at the checkpoints")?;
        let missing = settle_checkpoints(link, planned, order.checkpoint_folder.as_deref())?;
        self.work.findings.extend(missing);
        self.work.step("setting the paths of the disks")?;
        self.place(planned)?;
        let active = active_settings(link, planned.id);
        let active =
            active.map_err(|error| host_failure(link.host(), "reading the planned VM", error))?;
        self.work.connect(&active.path, &order.adapters)?;
        self.work.step("validating the planned VM")?;
        self.work.findings.extend(validate(link, planned)?);
        self.work.step("making the VM of it")?;
        change(entry, |own| own.realizing = true)?;
        let vm = realize(link, planned, order.keep_memory)?;
        Ok(RestoredVm {
            identity: vm.identity(),
            name: vm.name,
            findings: Vec::new(),
        })
    }

    fn name_and_folders(&self, planned: &PlannedVm) -> Result<(), HostError> {
        const DOING: &str = "setting the VM's name and folders";
        let (link, order) = (self.work.link, self.order);
        let settings = active_settings(link, planned.id);
        let settings = settings.map_err(|error| host_failure(link.host(), DOING, error))?;
        let folder = || Value::from(order.configuration_folder.as_str());
        let mut changes = Vec::new();
        if let Some(name) = &order.name {
            changes.push(("ElementName", CimType::String, Value::from(name.as_str())));
        }
        for root in FOLDERS {
            changes.push((root, CimType::String, folder()));
        }
        for root in FOLDERS_OF_SOME {
            if settings.instance.text(root).is_some() {
                changes.push((root, CimType::String, folder()));
            }
        }
        let changed = modify_system(link, &settings.instance, changes);
        changed.map_err(|error| method_failure(link.host(), DOING, error))
    }

    /// Sets the paths of the VM's disks and of each checkpoint's.
    fn place(&mut self, planned: &PlannedVm) -> Result<(), HostError> {
        const DOING: &str = "reading the planned VM's disks";
        let (link, order) = (self.work.link, self.order);
        let all = settings_of(link, planned.id);
        let all = all.map_err(|error| host_failure(link.host(), DOING, error))?;
        let checkpoints = CheckpointDisks::read(self.host, order);
        // Before anything is changed: the paths tell which checkpoint is which.
        let mut placings = Vec::new();
        for settings in &all {
            let disks = order.disks.iter().filter(|disk| match &disk.checkpoint {
                None => settings.kind == PlannedKind::Active,
                Some(guid) => checkpoints.is_of(link, settings, guid),
            });
            placings.push(Placing {
                link,
                computer: self.work.computer,
                settings,
                disks: disks.collect(),
            });
        }
        for guid in order
            .disks
            .iter()
            .filter_map(|disk| disk.checkpoint.as_ref())
        {
            let is_of = |own: &&Placing<'_>| {
                let mut disks = own.disks.iter();
                disks.any(|disk| disk.checkpoint.as_ref() == Some(guid))
            };
            if placings.iter().filter(is_of).count() != 1 {
                let text = format!(
                    "{}: it cannot be told which is the checkpoint {guid}",
                    link.host()
                );
                return Err(HostError::new(HostErrorKind::Refused, text)
                    .hint("restore it without checkpoints"));
            }
        }
        for placing in &placings {
            self.work.findings.extend(place_disks(placing)?);
        }
        Ok(())
    }
}

/// Where a VM's files go. `ConfigurationDataRoot` is where its definition is made anew.
/// Contract: 4.1 [M]
const FOLDERS: [&str; 3] = [
    "ConfigurationDataRoot",
    "SnapshotDataRoot",
    "SwapFileDataRoot",
];
/// Those that a VM may have besides.
const FOLDERS_OF_SOME: [&str; 1] = ["GuestStateDataRoot"];

/// Writes down which planned VM it is.
fn known(entry: &mut OpenEntry, planned: PlannedVm) -> Result<PlannedVm, HostError> {
    change(entry, |own| own.made = Some(planned.id))?;
    Ok(planned)
}

/// Makes the error of an import that the host refuses. That another VM has the identity is told by
/// a code of its own. Contract: 4.1 [M]
fn refused(link: &Link, doing: &str, error: MethodError) -> HostError {
    const IN_USE: u32 = 32779;
    let is_in_use = error.code() == Some(IN_USE);
    let error = method_failure(link.host(), doing, error);
    if is_in_use {
        let text = format!("{error}: a VM has the identity already, or the definition is in use");
        return HostError::new(HostErrorKind::Blocked, text)
            .hint("restore it as a new VM, or remove the one that is there")
            .caused_by(error);
    }
    error
}
