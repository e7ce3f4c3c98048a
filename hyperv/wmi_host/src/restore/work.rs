//! What making a VM goes by, whatever it is made of.

use hyperv_host::{AdapterOrder, Finding, HostError, StepObserver};
use wmi::ObjectPath;

use super::adapters::{Wiring, set_adapters};
use crate::backup::link::Link;
use crate::backup::stop_if_cancelled;

/// What making a VM goes by: the host, who hears of it, and what was found on the way.
pub(super) struct Work<'a> {
    pub(super) link: &'a Link,
    pub(super) computer: &'a str,
    pub(super) observer: &'a dyn StepObserver,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Work<'a> {
    pub(super) fn new(link: &'a Link, computer: &'a str, observer: &'a dyn StepObserver) -> Self {
        Self {
            link,
            computer,
            observer,
            findings: Vec::new(),
        }
    }

    /// Says that a step begins, unless somebody wants it to end here.
    pub(super) fn step(&self, text: &str) -> Result<(), HostError> {
        self.observer.step(text);
        stop_if_cancelled(self.observer)
    }

    /// Connects the adapters of the VM whose settings lie at `settings`.
    pub(super) fn connect(
        &mut self,
        settings: &ObjectPath,
        adapters: &[AdapterOrder],
    ) -> Result<(), HostError> {
        self.step("connecting the network adapters")?;
        let wiring = Wiring {
            link: self.link,
            computer: self.computer,
            settings,
        };
        self.findings.extend(set_adapters(&wiring, adapters)?);
        Ok(())
    }
}
