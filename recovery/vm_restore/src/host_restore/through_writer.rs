//! A VM goes back through the host's own VSS writer: PreRestore, files, PostRestore (requirements
//! REST-03 to REST-07).

use std::fs;
use std::path::Path;

use block_io::flush_folder;
use hyperv_host::{
    Finding, PowerState, RestoredVm, Severity, TargetVm, WriterOrder, WriterRestore,
};
use vm_config::DiskSlot;

use super::execution::Execution;
use super::file_users::FileUsers;
use super::host_path::{join, same};
use super::request::NetworkPolicy;
use super::session::Swap;
use super::staging::stage;
use super::taking_back::TRACKING;
use super::writer_plan::{WriterPlan, gives_way};
use crate::error::Cause;
use crate::new_files::make_folder;

/// A VM that the writer has registered and that is not what was asked for.
const OTHERWISE: &str = "POINT-VM-OTHERWISE";

impl Execution<'_> {
    /// Makes all files, lets the writer take the VM away, puts the files in their places, and lets
    /// the writer register the VM.
    pub(crate) fn make_vm_through_writer(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        let writer = plan.writer.as_ref();
        let writer = writer.ok_or("the point keeps nothing for the host's VSS writer")?;
        let host = self.host.as_writer_restore();
        let host = host.ok_or("the host's VSS writer cannot be spoken to any more")?;
        // What another try has put in place is beside again before this one begins.
        self.swap_back()?;
        self.make_disks()?;
        let swaps = self.swaps(writer)?;
        let order = WriterOrder {
            record: writer.record.clone(),
            vm: plan.source.vm.identity.clone(),
            name: plan.name.clone(),
            moved: writer.moved.clone(),
            configuration_folder: plan.configuration_folder.clone(),
            run: plan.run.clone(),
        };
        self.step("telling the host's VSS writer what comes back")?;
        let mut restore = host.begin(&order, &self.heard)?;
        match self.with_writer(&mut *restore, swaps) {
            Ok(made) => {
                self.is_there(made);
                Ok(())
            }
            Err(cause) => {
                self.writer = Some(restore);
                Err(cause)
            }
        }
    }

    fn with_writer(
        &mut self,
        restore: &mut dyn WriterRestore,
        swaps: Vec<Swap>,
    ) -> Result<RestoredVm, Cause> {
        let plan = self.plan;
        let old = plan.old.as_ref();
        match old.filter(|old| self.old_is_there && gives_way(plan.kind, Some(old))) {
            Some(old) => self.take_away(old, Some(&mut *restore))?,
            None => {
                self.must_be_absent()?;
                self.must_give_way(&swaps)?;
                restore.pre_restore(&self.heard)?;
            }
        }
        self.swap(swaps)?;
        self.step("telling the host's VSS writer that all files are in place")?;
        let made = restore.post_restore(&self.heard)?;
        if !same(&made.identity, &plan.source.vm.identity) {
            let text = format!(
                "the host's VSS writer registered another VM, {}",
                made.identity
            );
            return Err(text.into());
        }
        Ok(made)
    }

    /// A VM that came since this was planned does not give way: nobody has confirmed that.
    fn must_be_absent(&self) -> Result<(), Cause> {
        let wanted = &self.plan.source.vm.identity;
        let target = self.host.target()?;
        match target.vms.iter().find(|vm| vm.identity == *wanted) {
            Some(vm) => Err(format!(
                "{:?} is on the host now, and was not when this was planned: ask for the restore \
                 again",
                vm.name
            )
            .into()),
            None => Ok(()),
        }
    }

    /// Looks again, where no VM gives way, whether what is set aside was planned to be, and is no
    /// VM's.
    fn must_give_way(&self, swaps: &[Swap]) -> Result<(), Cause> {
        let plan = self.plan;
        let disks = plan.disks.iter().filter(|disk| disk.gives_way());
        let files = plan.writer.iter().flat_map(|writer| &writer.gives_way);
        let planned: Vec<&String> = disks.map(|disk| &disk.path).chain(files).collect();
        let target = self.host.target()?;
        let users = FileUsers::of(self.host, &target.vms);
        for swap in swaps {
            if !is_there(&self.host.local_path(&swap.place)?) {
                continue;
            }
            let again = "ask for the restore again";
            if !planned.iter().any(|path| same(path, &swap.place)) {
                let text = format!("{} came since this was planned: {again}", swap.place);
                return Err(text.into());
            }
            if let Some(user) = users.user_of(self.host, &swap.place, None) {
                return Err(format!("{} is used by {user:?} now: {again}", swap.place).into());
            }
        }
        Ok(())
    }

    /// Stages the definition files; returns what changes places once the VM is away.
    fn swaps(&mut self, writer: &WriterPlan) -> Result<Vec<Swap>, Cause> {
        let plan = self.plan;
        self.step("putting the definition files beside their places")?;
        let folder = self.point_folder()?;
        let (repository, point) = (&plan.repository, &plan.source);
        stage(repository, point, self.host, &folder, plan.tree.is_some())?;
        let swap = |place: String, new: String| Swap {
            old: format!("{place}.lifeboat-old-{}", plan.run),
            place,
            new,
        };
        let beside = plan.disks.iter().filter_map(|disk| {
            let beside = disk.beside.as_ref()?;
            Some(swap(disk.path.clone(), beside.clone()))
        });
        let mut swaps: Vec<Swap> = beside.collect();
        for (sub, to) in [
            ("Virtual Machines", &writer.machines),
            ("Snapshots", &writer.snapshots),
        ] {
            let from = join(&folder, sub)?;
            for below in files_below(&self.host.local_path(&from)?)? {
                swaps.push(swap(join(to, &below)?, join(&from, &below)?));
            }
        }
        Ok(swaps)
    }

    /// Puts the files in their places; those that were there get other names.
    fn swap(&mut self, swaps: Vec<Swap>) -> Result<(), Cause> {
        self.step("putting the files in their places")?;
        let wanted = self.plan.disks.iter();
        let wanted = wanted.filter_map(|disk| Some((disk.slot?, disk.path.clone())));
        self.file.note(|session| {
            session.swaps.clone_from(&swaps);
            session.wanted = wanted.collect();
        })?;
        for swap in &swaps {
            self.step(&format!("putting {} in its place", swap.place))?;
            let place = self.host.local_path(&swap.place)?;
            let new = self.host.local_path(&swap.new)?;
            let folder = place.parent().unwrap_or(&place);
            let mut made = Vec::new();
            make_folder(folder, &mut made)?;
            if !made.is_empty() {
                self.file.note(|session| session.folders.extend(made))?;
            }
            if is_there(&place) {
                if is_there(&self.host.local_path(&swap.old)?) {
                    return Err(format!("there is a file {} already", swap.old).into());
                }
                self.rename_with_tracking(&swap.place, &swap.old)?;
            }
            fs::rename(&new, &place)?;
            flush_folder(folder)?;
        }
        self.file.note(|session| session.swapped = true)?;
        Ok(())
    }

    /// Gives files the names back that they had before the restore put its own in their places.
    /// Nothing is done where it did not.
    pub(crate) fn swap_back(&mut self) -> Result<(), Cause> {
        if self.file.session.swaps.is_empty() {
            return Ok(());
        }
        if self.file.session.swapped {
            self.file.note(|session| session.swapped = false)?;
        }
        let swaps = self.file.session.swaps.clone();
        for swap in swaps.iter().rev() {
            let place = self.host.local_path(&swap.place)?;
            let new = self.host.local_path(&swap.new)?;
            if !is_there(&new) && is_there(&place) {
                make_folder(new.parent().unwrap_or(&new), &mut Vec::new())?;
                fs::rename(&place, &new)?;
            }
            // What is kept beside a disk went before it: a restore may have died between.
            self.rename_with_tracking(&swap.old, &swap.place)?;
            // Without its folder nothing was put in this place.
            if let Some(folder) = place.parent().filter(|folder| is_there(folder)) {
                flush_folder(folder)?;
            }
        }
        self.file.note(|session| session.swaps.clear())?;
        Ok(())
    }

    /// What Hyper-V keeps beside a disk goes with it. What is not there is left out.
    fn rename_with_tracking(&self, from: &str, to: &str) -> Result<(), Cause> {
        for end in TRACKING.iter().chain([&""]) {
            let from = self.host.local_path(&format!("{from}{end}"))?;
            let to = self.host.local_path(&format!("{to}{end}"))?;
            if is_there(&from) {
                fs::rename(from, to)?;
            }
        }
        Ok(())
    }

    /// Returns the files that had the places of the restore's, as the host names them.
    pub(crate) fn set_aside(&self) -> Vec<String> {
        let swaps = self.file.session.swaps.iter();
        let old = swaps.map(|swap| swap.old.clone());
        old.filter(|old| {
            self.host
                .local_path(old)
                .is_ok_and(|local| is_there(&local))
        })
        .collect()
    }

    /// The VM is there: what is not as it should be is told from here on.
    fn is_there(&mut self, made: RestoredVm) {
        let identity = made.identity.clone();
        self.note_made(made);
        self.make_as_asked(&identity, true);
    }

    /// A restore that died has not looked at the VM that the writer registered, or not done all that
    /// was asked for.
    pub(crate) fn look_at_it_now(&mut self, identity: &str) {
        let session = &self.file.session;
        if session.through_writer && !session.as_asked {
            self.make_as_asked(identity, false);
        }
    }

    /// Makes the VM as it was asked for. Where that fails it is not started, and where it is not
    /// what was restored, what was there before is kept. `knows_adapters`: the plan has them.
    fn make_as_asked(&mut self, identity: &str, knows_adapters: bool) {
        let mut otherwise = Vec::new();
        if let Err(cause) = self.as_asked(identity, knows_adapters, &mut otherwise) {
            // Nobody knows what of it is as it should be.
            otherwise.push(cause.to_string());
        }
        if otherwise.is_empty() {
            if let Err(error) = self.file.note(|session| session.as_asked = true) {
                self.report.notes.push(error.to_string());
            }
            return;
        }
        self.is_otherwise = true;
        let mut text = format!(
            "{:?} is on the host, and not as it was asked for: {}",
            self.report.name,
            otherwise.join("; ")
        );
        let old = self.set_aside();
        if self.keeps_old && !old.is_empty() {
            text = format!("{text}; what was there before stays: {}", old.join(", "));
        }
        let cure = "look at the VM, mend what is named, and start it by hand; remove the files that \
                    stay once they are not needed";
        self.warn(Finding::new(OTHERWISE, Severity::Warn, text).cure(cure));
    }

    /// The writer registers a VM as it was: what was asked for otherwise is done now.
    fn as_asked(
        &mut self,
        identity: &str,
        knows_adapters: bool,
        otherwise: &mut Vec<String>,
    ) -> Result<(), Cause> {
        let plan = self.plan;
        // Until the VM was looked at.
        self.keeps_old = true;
        let vm = self.find(identity)?;
        let is_its = |(slot, path): &&(DiskSlot, String)| {
            let mut disks = vm.disks.iter();
            disks.any(|(own, there)| own == slot && same(there, path))
        };
        let lacking = self.file.session.wanted.iter().filter(|own| !is_its(own));
        otherwise.extend(lacking.map(|(_, path)| format!("{path} is no disk of it in its place")));
        let runs = !matches!(vm.state, PowerState::Off | PowerState::Saved);
        if runs {
            otherwise.push("its host has started it".to_owned());
        }
        self.keeps_old = !otherwise.is_empty();
        if runs {
            return Ok(());
        }
        if vm.state == PowerState::Saved && !plan.keep_memory {
            self.heard
                .observer
                .step(&plan.vm, "discarding saved memory");
            self.host
                .set_power(identity, PowerState::Off, &self.heard)?;
        }
        if vm.name != plan.name {
            self.host.rename(identity, &plan.name)?;
            self.report.name.clone_from(&plan.name);
        }
        let is_off = self.find(identity)?.state == PowerState::Off;
        if knows_adapters && is_off && !plan.adapters.is_empty() {
            self.heard
                .observer
                .step(&plan.vm, "connecting the network adapters");
            let found = self.host.set_adapters(identity, &plan.adapters)?;
            self.report.findings.extend(found);
        } else if self.asks_for_adapters() {
            let text = "its network adapters are connected as they were, and not as it was asked \
                        for: `lifeboat restore network` connects them once it is off";
            otherwise.push(text.to_owned());
        }
        Ok(())
    }

    fn asks_for_adapters(&self) -> bool {
        let request = &self.plan.request;
        !request.map_switch.is_empty()
            || request.new_mac
            || request.network == NetworkPolicy::Disconnected
    }

    fn find(&self, identity: &str) -> Result<TargetVm, Cause> {
        let target = self.host.target()?;
        let mut vms = target.vms.into_iter();
        let vm = vms.find(|vm| same(&vm.identity, identity));
        Ok(vm.ok_or("the restored VM is not on the host")?)
    }
}

fn is_there(local: &Path) -> bool {
    local.symlink_metadata().is_ok()
}

/// Lists the files below a folder, with `/` between the parts of their names.
fn files_below(folder: &Path) -> Result<Vec<String>, Cause> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            // State of old VMs lies in a folder of the VM's own; there is nothing below that.
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?.file_name().to_string_lossy().into_owned();
                files.push(format!("{name}/{inner}"));
            }
        } else {
            files.push(name);
        }
    }
    files.sort_unstable();
    Ok(files)
}
