//! What could not be looked at, in one finding for each host and each VM.

use std::fmt::Display;

use hyperv_host::{Finding, Severity};

/// What could not be looked at, and why.
#[derive(Debug, Default)]
pub(super) struct NotLooked(Vec<String>);

impl NotLooked {
    /// Adds something that could not be looked at.
    pub(super) fn add(&mut self, what: &str, why: impl Display) {
        self.0.push(format!("{what}, because {why}"));
    }

    /// Makes a finding of what is the host's own.
    pub(super) fn of_host(self) -> Option<Finding> {
        self.finding("HOST-NOT-LOOKED")
    }

    /// Makes a finding of what is a VM's.
    pub(super) fn of_vm(self) -> Option<Finding> {
        self.finding("VM-NOT-LOOKED")
    }

    fn finding(self, id: &str) -> Option<Finding> {
        if self.0.is_empty() {
            return None;
        }
        let text = format!("not looked at: {}", self.0.join("; "));
        Some(Finding::new(id, Severity::Info, text).cure(
            "nothing, if that is known to be right; `lifeboat explain` says how it can be looked at",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::NotLooked;

    #[test]
    fn all_of_it_is_one_finding_and_nothing_is_none() {
        assert_eq!(NotLooked::default().of_host(), None);
        let mut not_looked = NotLooked::default();
        not_looked.add("services", "the class is missing");
        not_looked.add("shadow storage", "access is denied");
        let finding = not_looked.of_vm().unwrap();
        assert_eq!(finding.id, "VM-NOT-LOOKED");
        assert_eq!(
            finding.text,
            "not looked at: services, because the class is missing; shadow storage, because access \
             is denied"
        );
    }
}
