//! What is wrong with a host and its VMs, for `lifeboat doctor`.

use hyperv_host::{Finding, HostError, HostErrorKind, Severity};
use wmi::CIMV2;

use crate::WmiHost;
use crate::inventory::inventory;

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
        let own = inventory.findings.into_iter();
        let mut found: Vec<(Option<String>, Finding)> =
            own.map(|finding| (None, finding)).collect();
        for (_, finding) in &mut found {
            // A host shows nothing to those without rights, and nothing while its service is off.
            if finding.id == "HOST-RIGHTS"
                && let Some(stopped) = self.service_stopped()
            {
                *finding = stopped;
            }
        }
        for vm in inventory.vms {
            let findings = vm.findings.into_iter();
            found.extend(findings.map(|finding| (Some(vm.name.clone()), finding)));
        }
        Ok(found)
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
            _ => match self.service_stopped() {
                Some(finding) => finding,
                None => return Err(error),
            },
        };
        Ok(vec![(None, finding)])
    }

    /// Hyper-V's classes fail in many ways while its service does not run.
    fn service_stopped(&self) -> Option<Finding> {
        let wql = "SELECT * FROM Win32_Service WHERE Name = \"vmms\"";
        let services = self.session.query_all(CIMV2, wql).ok()?;
        let state = services.first()?.text("State")?;
        if state.eq_ignore_ascii_case("Running") {
            return None;
        }
        let text = format!("the service vmms (Hyper-V Virtual Machine Management) is {state}");
        Some(
            Finding::new("HOST-VMMS", Severity::Block, text)
                .cure("start it on the host: Start-Service vmms; running VMs are not disturbed"),
        )
    }
}
