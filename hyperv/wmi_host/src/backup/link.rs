//! What a run needs of its host for as long as a VM is frozen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use disk_image::HostPaths;
use hyperv_host::{HostError, StepObserver, VmEntry};
use uuid::Uuid;
use wmi::{
    Clock, Completed, Instance, MethodError, ObjectPath, Patience, VIRTUALIZATION, Value, WmiError,
    WmiErrorKind, WmiSession, invoke_and_wait,
};

use crate::WmiHost;
use crate::cluster::FollowingSession;
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
/// Looks at a VM of which the cluster says that a node has it, and the node does not have it.
const LOOKS_ON_THE_WAY: u32 = 15;
const LOOK_ON_THE_WAY_EVERY: Duration = Duration::from_secs(2);
/// Pauses are cut into pieces of this length, so that a person can stop the run.
const PIECE: Duration = Duration::from_secs(5);

/// What a run needs of its host for as long as a VM is frozen.
///
/// In a cluster the host is the node that has the VM, and when the VM moves the link goes with it:
/// [`Link::vm`] says which VM that is. Clones of a link move together.
#[derive(Clone)]
pub(crate) struct Link {
    /// The host that has the VM.
    pub(crate) session: Arc<dyn WmiSession>,
    following: Arc<FollowingSession>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the host's files are on this machine.
    pub(crate) bytes: Option<Arc<dyn HostPaths>>,
    /// How long a job may take.
    pub(crate) patience: Patience,
    /// Where the services of a host are, once asked for.
    services: Arc<Mutex<HashMap<(String, &'static str), ObjectPath>>>,
}

impl Link {
    /// Takes what is needed of a host.
    pub(crate) fn of(host: &WmiHost) -> Self {
        let first = Arc::clone(&host.session);
        let following = Arc::new(FollowingSession::new(first, host.whereabouts()));
        Self {
            session: Arc::clone(&following) as _,
            following,
            clock: Arc::clone(&host.clock),
            bytes: host.bytes.clone(),
            patience: Patience::default(),
            services: Arc::default(),
        }
    }

    /// Takes what is needed of a host for one of its VMs, and stays with that one.
    pub(crate) fn to_vm(host: &WmiHost, vm: &VmEntry) -> Self {
        let link = Self::of(host);
        if let Ok(id) = Uuid::parse_str(&vm.identity) {
            link.following.follow(id);
        }
        link
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

    /// Returns how often the VM has moved so far, and the link with it.
    pub(crate) fn moves(&self) -> usize {
        self.following.moves()
    }

    /// Calls a method of one of the host's services, and follows its job to the end. Where the
    /// host does not have what the call is about, since the VM has moved, it is called there.
    pub(crate) fn call(
        &self,
        service: &'static str,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Completed, MethodError> {
        let before = self.following.invoked();
        let result = self.call_here(service, method, parameters);
        // A job that is gone was begun: whoever calls again would begin another.
        let untouched = self.following.invoked() == before;
        match result {
            Err(error) if untouched && is_not_here(&error) && self.following.go_after() => {
                self.call_here(service, method, parameters)
            }
            other => other,
        }
    }

    /// Calls a method of an object itself, and follows its job to the end.
    pub(crate) fn call_object(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<(), MethodError> {
        let call = || {
            let (session, clock) = (&*self.session, &*self.clock);
            invoke_and_wait(session, clock, self.patience, object, method, parameters)
        };
        let before = self.following.invoked();
        let result = call();
        let untouched = self.following.invoked() == before;
        let result = match result {
            Err(error) if untouched && is_not_here(&error) && self.following.go_after() => call(),
            other => other,
        };
        result.map(|_| ())
    }

    fn call_here(
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
        let own = (self.host().to_owned(), class);
        let known = self.services.lock().ok();
        if let Some(path) = known.and_then(|known| known.get(&own).cloned()) {
            return Ok(path);
        }
        let wql = format!("SELECT * FROM {class}");
        let found = self.patiently(|| self.session.query_all(VIRTUALIZATION, &wql))?;
        let service = found.first().ok_or_else(|| {
            WmiError::new(WmiErrorKind::NoClass, format!("the host has no {class}"))
        })?;
        let path = service.object_path(VIRTUALIZATION)?;
        if let Ok(mut known) = self.services.lock() {
            known.insert(own, path.clone());
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
            let moves = self.moves();
            match self.call(service, method, parameters) {
                Err(MethodError::Wmi { source, .. }) if is_transient(source.kind()) => {
                    self.clock.wait(pause);
                }
                Err(error) if self.has_interrupted(&error, moves) => self.clock.wait(pause),
                other => return other,
            }
            pause *= 4;
        }
        self.call(service, method, parameters)
    }

    /// Returns whether a job ended because its VM left the host, which takes no job along.
    pub(crate) fn has_interrupted(&self, error: &MethodError, moves: usize) -> bool {
        let by_leaving = match error {
            MethodError::Job { .. } => true,
            MethodError::Wmi { source, .. } => source.kind() == WmiErrorKind::NotFound,
            _ => false,
        };
        by_leaving && (self.moves() != moves || self.following.go_after())
    }

    /// Reads a VM anew, wherever it is by now, and stays with it; `None` where nobody has it (any
    /// more). One that is just on its way from one node to another is waited for.
    pub(crate) fn vm(&self, id: Uuid) -> Result<Option<VmFacts>, HostError> {
        self.following.follow(id);
        for left in (0..LOOKS_ON_THE_WAY).rev() {
            let moves = self.moves();
            let read = self.patiently(|| {
                let read = VmFacts::read(&*self.session, id)?;
                if read.is_some() && !self.following.is_alone() {
                    VmFacts::is_here(&*self.session, id)?;
                }
                Ok(read)
            });
            let read = read.map_err(|error| {
                host_failure(self.host(), &format!("reading the VM {id}"), error)
            })?;
            if read.is_some() && self.moves() != moves && left > 0 {
                // What came from two hosts may lack what the VM has.
                continue;
            }
            if read.is_some() || left == 0 || !self.following.is_somewhere(id) {
                return Ok(read);
            }
            self.clock.wait(LOOK_ON_THE_WAY_EVERY);
        }
        Ok(None)
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

/// Returns whether a call did nothing because the host does not have what it is about. Hosts say
/// either that it is not found or that the parameter which names it is invalid. Contract: 0.2 [M]
fn is_not_here(error: &MethodError) -> bool {
    match error {
        MethodError::Wmi { source, .. } => source.kind() == WmiErrorKind::NotFound,
        MethodError::Refused { code, .. } => matches!(code, 4 | 32773),
        _ => false,
    }
}

fn is_transient(kind: WmiErrorKind) -> bool {
    matches!(kind, WmiErrorKind::Unreachable | WmiErrorKind::Timeout)
}
