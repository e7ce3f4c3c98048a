//! A session that goes where its VM goes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use uuid::Uuid;
use wmi::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind, WmiSession};

use super::whereabouts::Whereabouts;

/// A VM that moves more often than this in one backup is not followed any further.
const MOVES_MAX: usize = 31;

/// A session of the host that has a VM, wherever that is.
///
/// A clustered VM is known to the node that owns it and to no other (contract 6). So a question
/// that finds nothing, an object that is gone and a node that does not answer may all mean that the
/// VM has moved. Then, and only then, it is asked where the VM is now; if that is elsewhere, the
/// question is asked there. Nothing was done by a call that found nothing, so it may be made again.
///
/// What a VM is made of keeps its ids when it moves: paths of the one node name the same things on
/// the other. Paths of a node's own services do not; those are [`crate::backup::link::Link`]'s.
pub(crate) struct FollowingSession {
    places: Arc<dyn Whereabouts>,
    first: Arc<dyn WmiSession>,
    /// Where the VM went, in order. What is in here stays, so that names can be lent out.
    later: [OnceLock<Arc<dyn WmiSession>>; MOVES_MAX],
    /// 0: `first`, else one more than a place in `later`.
    at: AtomicUsize,
    vm: Mutex<Option<Uuid>>,
    /// Methods that were carried out, or begun.
    invoked: AtomicU64,
}

impl FollowingSession {
    /// Begins with the session of the host that has the VM, or had it a moment ago.
    pub(crate) fn new(first: Arc<dyn WmiSession>, places: Arc<dyn Whereabouts>) -> Self {
        Self {
            places,
            first,
            later: [const { OnceLock::new() }; MOVES_MAX],
            at: AtomicUsize::new(0),
            vm: Mutex::default(),
            invoked: AtomicU64::new(0),
        }
    }

    /// Says which VM is followed from now on: the one that was read last.
    pub(crate) fn follow(&self, vm: Uuid) {
        *self.vm.lock().unwrap_or_else(PoisonError::into_inner) = Some(vm);
    }

    /// Returns whether the host is by itself, so that no VM leaves it unnoticed.
    pub(crate) fn is_alone(&self) -> bool {
        self.places.is_alone()
    }

    /// Returns whether somebody among the hosts has the VM, as far as they know.
    pub(crate) fn is_somewhere(&self, vm: Uuid) -> bool {
        matches!(self.places.session_of(vm), Ok(Some(_)))
    }

    /// Returns how many methods were carried out, or begun, so far.
    pub(crate) fn invoked(&self) -> u64 {
        self.invoked.load(Ordering::Relaxed)
    }

    /// Returns how often the VM was followed so far.
    pub(crate) fn moves(&self) -> usize {
        self.at.load(Ordering::Acquire)
    }

    /// Goes to the host that has the VM now. `false`: it is here, or nobody knows where it is.
    pub(crate) fn go_after(&self) -> bool {
        // Whoever has the lock is on the way already, and the others go with it.
        let followed = self.vm.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(vm) = *followed else {
            return false;
        };
        let Ok(Some(session)) = self.places.session_of(vm) else {
            return false;
        };
        if session.host().eq_ignore_ascii_case(self.current().host()) {
            return false;
        }
        let at = self.at.load(Ordering::Acquire);
        let Some(place) = self.later.get(at) else {
            return false;
        };
        let is_free = place.set(session).is_ok();
        if is_free {
            self.at.store(at + 1, Ordering::Release);
            self.places.noted_move(vm);
        }
        is_free
    }

    fn current(&self) -> &Arc<dyn WmiSession> {
        let at = self.at.load(Ordering::Acquire);
        let later = at.checked_sub(1).and_then(|place| self.later.get(place));
        later.and_then(OnceLock::get).unwrap_or(&self.first)
    }
}

/// Returns whether the VM may be elsewhere, by what a call came to.
fn may_have_moved(kind: WmiErrorKind) -> bool {
    matches!(
        kind,
        WmiErrorKind::NotFound | WmiErrorKind::Unreachable | WmiErrorKind::Timeout
    )
}

/// Returns whether a method did something, or is about to: 4096 is a job.
fn is_done(return_value: u32) -> bool {
    matches!(return_value, 0 | 4096)
}

/// Returns whether an answer without any instance means that the VM is not here: what a VM and its
/// settings are made of is never nothing.
fn must_find_something(wql: &str) -> bool {
    let is_about = |text: &str| wql.contains(text);
    let of_system = is_about("FROM Msvm_ComputerSystem WHERE Name =");
    let of_settings = is_about("FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemIdentifier");
    let of_parts = wql.starts_with("ASSOCIATORS OF {Msvm_VirtualSystemSettingData");
    of_system || of_settings || of_parts
}

impl WmiSession for FollowingSession {
    fn host(&self) -> &str {
        self.current().host()
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        let mut found = false;
        let result = self.current().query(namespace, wql, &mut |instance| {
            found = true;
            each(instance)
        });
        let lost = match &result {
            Err(error) => may_have_moved(error.kind()),
            Ok(()) => must_find_something(wql),
        };
        if found || !lost || !self.go_after() {
            return result;
        }
        self.current().query(namespace, wql, each)
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        match self.current().get(path) {
            Err(error) if may_have_moved(error.kind()) && self.go_after() => {
                self.current().get(path)
            }
            other => other,
        }
    }

    /// A method is called where the VM is. One that finds its object gone is not called again here:
    /// whether that may be done depends on what its object is.
    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        let output = self.current().invoke(object, method, parameters);
        if output
            .as_ref()
            .is_ok_and(|output| is_done(output.return_value))
        {
            self.invoked.fetch_add(1, Ordering::Relaxed);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_vm_always_has_shows_that_it_is_gone() {
        for wql in [
            "SELECT * FROM Msvm_ComputerSystem WHERE Name = \"X\"",
            "SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemIdentifier = \"X\"",
            "ASSOCIATORS OF {Msvm_VirtualSystemSettingData.InstanceID=\"X\"} WHERE ResultClass=Y",
        ] {
            assert!(must_find_something(wql), "{wql}");
        }
        for wql in [
            "SELECT * FROM Msvm_ComputerSystem",
            "SELECT * FROM Msvm_VirtualSystemReferencePoint WHERE VirtualSystemIdentifier = \"X\"",
            "ASSOCIATORS OF {Msvm_ConcreteJob.InstanceID=\"X\"} WHERE ResultClass=Y",
        ] {
            assert!(!must_find_something(wql), "{wql}");
        }
    }
}
