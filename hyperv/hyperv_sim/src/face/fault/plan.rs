//! The faults that a host has yet to meet.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Effect, Fault, FaultPoint};

/// What a session is about to do, as faults see it.
#[derive(Debug, Clone, Copy)]
pub struct WmiCall<'a> {
    /// Query, get or a method.
    pub point: &'a FaultPoint,
    /// The class of the object or of the instances asked for.
    pub class: &'a str,
    /// Name and id of the VM that the call concerns, where it concerns one.
    pub vm: Option<(&'a str, &'a str)>,
}

/// The faults that a host has yet to meet, and whether it is dead. It is part of the host's state,
/// so a fault that was planned by one program strikes another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// The faults, those that struck already included.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Whether the host died and was not revived.
    #[serde(default)]
    pub host_is_dead: bool,
}

impl FaultPlan {
    /// Returns whether nothing is planned and nothing happened.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && !self.host_is_dead
    }

    /// Returns what strikes a call, and whether only after it took place. Every fault counts the
    /// calls that fit it, also those that another one struck.
    pub fn strike(&mut self, call: &WmiCall<'_>) -> Option<(Effect, bool)> {
        let mut struck = None;
        for fault in &mut self.faults {
            if !fault.fits(call) {
                continue;
            }
            fault.seen = fault.seen.saturating_add(1);
            if struck.is_none() && fault.when.is_due(fault.seen) {
                struck = Some((fault.effect.clone(), fault.after));
            }
        }
        struck
    }

    /// Returns what strikes a call of VSS or a step within it that concerns these VMs (id, name,
    /// id as text), whether only after it took place, and which of the VMs it concerns.
    pub(crate) fn strike_vss(
        &mut self,
        point: &str,
        vms: &[(Uuid, String, String)],
    ) -> Option<(Effect, bool, Option<Uuid>)> {
        let mut struck = None;
        for fault in &mut self.faults {
            let FaultPoint::Vss(own) = &fault.point else {
                continue;
            };
            let meant = |(_, name, id): &&(Uuid, String, String)| {
                let vm = fault.vm.as_deref();
                vm.is_none_or(|vm| vm == name || vm.eq_ignore_ascii_case(id))
            };
            let vm = vms.iter().find(meant).map(|(id, ..)| *id);
            if !own.eq_ignore_ascii_case(point) || fault.vm.is_some() && vm.is_none() {
                continue;
            }
            fault.seen = fault.seen.saturating_add(1);
            if struck.is_none() && fault.when.is_due(fault.seen) {
                struck = Some((fault.effect.clone(), fault.after, vm));
            }
        }
        struck
    }
}

impl Fault {
    fn fits(&self, call: &WmiCall<'_>) -> bool {
        let at_point = match (&self.point, call.point) {
            (FaultPoint::Any, _) | (FaultPoint::Invoke, FaultPoint::Method(_)) => true,
            (FaultPoint::Method(own), FaultPoint::Method(other)) => own.eq_ignore_ascii_case(other),
            (own, other) => own == other,
        };
        let of_class =
            (self.class.as_deref()).is_none_or(|class| class.eq_ignore_ascii_case(call.class));
        let of_vm = self.vm.as_deref().is_none_or(|vm| {
            call.vm
                .is_some_and(|(name, id)| vm == name || vm.eq_ignore_ascii_case(id))
        });
        at_point && of_class && of_vm
    }
}
