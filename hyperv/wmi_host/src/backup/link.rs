//! What a run needs of its host for as long as a VM is frozen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperv_host::{HostError, StepObserver};
use uuid::Uuid;
use wmi::{
    Clock, Completed, Instance, MethodError, ObjectPath, Patience, VIRTUALIZATION, Value, WmiError,
    WmiErrorKind, WmiSession, invoke_and_wait,
};

use crate::WmiHost;
use crate::facts::VmFacts;
use crate::host_failure::host_failure;

/// `CreateSnapshot`, `DestroySnapshot`, `ConvertToReferencePoint`.
pub(crate) const SNAPSHOT_SERVICE: &str = "Msvm_VirtualSystemSnapshotService";
/// `DestroyReferencePoint`.
pub(crate) const REFERENCE_POINT_SERVICE: &str = "Msvm_VirtualSystemReferencePointService";
/// `GetVirtualDiskChanges`, `GetVirtualHardDiskSettingData`.
pub(crate) const IMAGE_SERVICE: &str = "Msvm_ImageManagementService";
/// `ModifySystemSettings`.
pub(crate) const MANAGEMENT_SERVICE: &str = "Msvm_VirtualSystemManagementService";

/// Tries of a question whose answer got lost on the way.
const TRIES: u32 = 3;
/// Pauses are cut into pieces of this length, so that a person can stop the run.
const PIECE: Duration = Duration::from_secs(5);

/// What a run needs of its host for as long as a VM is frozen.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) session: Arc<dyn WmiSession>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a job may take.
    pub(crate) patience: Patience,
    /// Where the services are, once asked for.
    services: Arc<Mutex<HashMap<&'static str, ObjectPath>>>,
}

impl Link {
    /// Takes what is needed of a host.
    pub(crate) fn of(host: &WmiHost) -> Self {
        Self {
            session: Arc::clone(&host.session),
            clock: Arc::clone(&host.clock),
            patience: Patience::default(),
            services: Arc::default(),
        }
    }

    /// Looks until something is found: what a job has made may become visible a moment after its
    /// end (contract 0.3). `look` hears how many looks are left after it.
    pub(crate) fn look_for<T>(
        &self,
        mut look: impl FnMut(u32) -> Result<Option<T>, WmiError>,
    ) -> Result<Option<T>, WmiError> {
        const LOOKS: u32 = 8;
        let mut pause = Duration::from_millis(250);
        for left in (0..LOOKS).rev() {
            if let Some(found) = look(left)? {
                return Ok(Some(found));
            }
            if left > 0 {
                self.clock.wait(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
        Ok(None)
    }

    /// Returns the host's name.
    pub(crate) fn host(&self) -> &str {
        self.session.host()
    }

    /// Calls a method of one of the host's services, and follows its job to the end.
    pub(crate) fn call(
        &self,
        service: &'static str,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Completed, MethodError> {
        let service = self.service(service).map_err(|source| MethodError::Wmi {
            method: method.to_owned(),
            source,
        })?;
        let (session, clock) = (&*self.session, &*self.clock);
        invoke_and_wait(session, clock, self.patience, &service, method, parameters)
    }

    /// Finds a service: each class has one instance.
    fn service(&self, class: &'static str) -> Result<ObjectPath, WmiError> {
        let known = self.services.lock().ok();
        if let Some(path) = known.and_then(|known| known.get(class).cloned()) {
            return Ok(path);
        }
        let wql = format!("SELECT * FROM {class}");
        let found = self.patiently(|| self.session.query_all(VIRTUALIZATION, &wql))?;
        let service = found.first().ok_or_else(|| {
            WmiError::new(WmiErrorKind::NoClass, format!("the host has no {class}"))
        })?;
        let path = service.object_path(VIRTUALIZATION)?;
        if let Ok(mut known) = self.services.lock() {
            known.insert(class, path.clone());
        }
        Ok(path)
    }

    /// Asks again, a few times, where the answer got lost on the way. Only for what may be asked
    /// twice.
    pub(crate) fn patiently<T>(
        &self,
        mut ask: impl FnMut() -> Result<T, WmiError>,
    ) -> Result<T, WmiError> {
        let mut pause = Duration::from_secs(1);
        for _ in 1..TRIES {
            match ask() {
                Err(error) if is_transient(error.kind()) => self.clock.wait(pause),
                other => return other,
            }
            pause *= 4;
        }
        ask()
    }

    /// As [`Link::patiently`], for a method that may be called twice.
    pub(crate) fn call_patiently(
        &self,
        service: &'static str,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Completed, MethodError> {
        let mut pause = Duration::from_secs(1);
        for _ in 1..TRIES {
            match self.call(service, method, parameters) {
                Err(MethodError::Wmi { source, .. }) if is_transient(source.kind()) => {
                    self.clock.wait(pause);
                }
                other => return other,
            }
            pause *= 4;
        }
        self.call(service, method, parameters)
    }

    /// Reads a VM anew; `None` where the host does not have it (any more).
    pub(crate) fn vm(&self, id: Uuid) -> Result<Option<VmFacts>, HostError> {
        self.patiently(|| VmFacts::read(&*self.session, id))
            .map_err(|error| host_failure(self.host(), &format!("reading the VM {id}"), error))
    }

    /// Collects what a job made: instances of a class that are associated with it.
    pub(crate) fn made_by(&self, job: &ObjectPath, class: &str) -> Result<Vec<Instance>, WmiError> {
        const ASSOCIATION: Option<&str> = Some("Msvm_AffectedJobElement");
        self.patiently(|| self.session.associators(job, class, ASSOCIATION))
    }

    /// Waits; ends sooner where the person asked to stop.
    pub(crate) fn pause(&self, duration: Duration, observer: Option<&dyn StepObserver>) {
        let mut left = duration;
        while !left.is_zero() && !observer.is_some_and(StepObserver::cancelled) {
            let piece = left.min(PIECE);
            self.clock.wait(piece);
            left -= piece;
        }
    }
}

fn is_transient(kind: WmiErrorKind) -> bool {
    matches!(kind, WmiErrorKind::Unreachable | WmiErrorKind::Timeout)
}
