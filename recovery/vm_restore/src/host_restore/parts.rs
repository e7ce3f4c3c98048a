//! Parts of a point: disks for a VM that is there, and its network adapters.

use super::execution::Execution;
use super::host_path::same;
use super::request::RestorePart;
use crate::error::Cause;

impl Execution<'_> {
    /// Writes disks and attaches them to the VM.
    pub(crate) fn attach_disks(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        let vm = plan
            .old
            .as_ref()
            .ok_or("there is no VM to attach disks to")?;
        self.make_disks()?;
        let RestorePart::Disks { slot, .. } = &plan.request.part else {
            return Ok(());
        };
        let mut wanted = *slot;
        for disk in &plan.disks {
            // A restore that died may have come so far.
            if vm.disks.iter().any(|(_, path)| same(path, &disk.path)) {
                continue;
            }
            self.step(&format!("attaching {}", disk.path))?;
            let at = self
                .host
                .attach_disk(&vm.identity, wanted.take(), &disk.path)?;
            self.attached.push(at);
            let note = format!(
                "{} is attached at {:?} {}:{}",
                disk.path, at.kind, at.controller, at.slot
            );
            self.report.notes.push(note);
        }
        self.report.name.clone_from(&vm.name);
        self.report.identity.clone_from(&vm.identity);
        Ok(())
    }

    /// Gives the VM the network adapters that it had.
    pub(crate) fn set_network(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        let vm = plan.old.as_ref().ok_or("there is no VM to connect")?;
        self.stop(vm)?;
        self.step("connecting the network adapters")?;
        let found = self.host.set_adapters(&vm.identity, &plan.adapters)?;
        self.report.findings.extend(found);
        self.report.name.clone_from(&vm.name);
        Ok(())
    }
}
