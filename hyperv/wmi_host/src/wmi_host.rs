//! The host.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use disk_image::HostPaths;
use hyperv_host::{
    BackupRequest, FrozenVm, HostError, HostErrorKind, HostSettings, HypervHost, Inventory,
    NodeSettings, PreviousBackup, RestoreHost, StepObserver, VmEntry, VmPlan,
};
use jiff::Timestamp;
use uuid::Uuid;
use vss::VssService;
use wmi::{Clock, WmiSession};

use crate::backup::begin;
use crate::cluster::{LoneHost, Whereabouts};
use crate::facts::{HostFacts, HostState, VmFacts, read_host_settings};
use crate::host_failure::host_failure;
use crate::inventory::inventory;
use crate::plan::plan;
use crate::vss::RunSets;

/// A Hyper-V host behind WMI.
pub struct WmiHost {
    pub(crate) session: Arc<dyn WmiSession>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the host's files are on this machine; without it nothing can be read.
    pub(crate) bytes: Option<Arc<dyn HostPaths>>,
    /// The host's Volume Shadow Copy Service, where this machine is the host.
    pub(crate) vss: Option<Arc<dyn VssService>>,
    pub(crate) options: WmiHostOptions,
    /// The cluster that the host is used as a node of.
    cluster: Option<Weak<dyn Whereabouts>>,
    /// Sets of volume snapshots that serve the VMs of a run.
    pub(crate) run_sets: RunSets,
    /// Held from asking for a planned VM to knowing which one it is.
    pub(crate) planning: Mutex<()>,
    /// What the last inventory read, and when.
    recent: Mutex<Option<(Timestamp, Arc<HostFacts>)>>,
}

/// How a host is talked to.
#[derive(Debug, Clone)]
pub struct WmiHostOptions {
    /// Folder for what runs are about to make on the host. Without one nothing is backed up.
    pub journal: Option<PathBuf>,
    /// How long plans may build upon what an inventory has read. A backup never does.
    pub facts_keep: Duration,
}

impl Default for WmiHostOptions {
    fn default() -> Self {
        Self {
            journal: None,
            facts_keep: Duration::from_secs(60),
        }
    }
}

impl WmiHost {
    /// Takes a session as a host. No call is made yet. Without `bytes` the host lists and plans,
    /// and every backup is blocked.
    ///
    /// # Errors
    ///
    /// None so far; a host that cannot be reached says so at the first call.
    pub fn connect(
        session: Arc<dyn WmiSession>,
        clock: Arc<dyn Clock>,
        bytes: Option<Arc<dyn HostPaths>>,
        options: WmiHostOptions,
    ) -> Result<Self, HostError> {
        Ok(Self {
            session,
            clock,
            bytes,
            vss: None,
            options,
            cluster: None,
            run_sets: RunSets::default(),
            planning: Mutex::default(),
            recent: Mutex::new(None),
        })
    }

    /// Adds the host's Volume Shadow Copy Service: without it what only goes through VSS is
    /// blocked. Its snapshots are read through the host's `bytes`.
    #[must_use]
    pub fn with_vss(mut self, vss: Arc<dyn VssService>) -> Self {
        self.vss = Some(vss);
        self
    }

    /// Makes the host one among which VMs move.
    #[must_use]
    pub(crate) fn among(mut self, cluster: Weak<dyn Whereabouts>) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Returns this host with the snapshots, and the files, that another node of its cluster has;
    /// `None` where that one's service is not at hand.
    pub(crate) fn with_snapshots_of(&self, other: &Self) -> Option<Self> {
        Some(Self {
            session: Arc::clone(&self.session),
            clock: Arc::clone(&self.clock),
            bytes: other.bytes.clone(),
            vss: Some(other.vss.clone()?),
            options: self.options.clone(),
            cluster: self.cluster.clone(),
            run_sets: RunSets::default(),
            planning: Mutex::default(),
            recent: Mutex::new(None),
        })
    }

    /// Returns who knows where the host's VMs are when they are not here any more.
    pub(crate) fn whereabouts(&self) -> Arc<dyn Whereabouts> {
        let cluster = self.cluster.as_ref().and_then(Weak::upgrade);
        cluster.unwrap_or_else(|| Arc::new(LoneHost(Arc::clone(&self.session))))
    }

    /// Returns whether the host is used as a node of its cluster: whoever does so looks after the
    /// VMs of the other nodes, too.
    pub(crate) fn is_node(&self) -> bool {
        self.cluster.is_some()
    }

    /// Reads everything anew, in a fixed number of calls.
    pub(crate) fn host_facts(&self) -> Result<Arc<HostFacts>, HostError> {
        let now = self.clock.now();
        let facts = HostFacts::read(&*self.session)
            .map_err(|error| host_failure(self.session.host(), "reading the VMs", error))?;
        let facts = Arc::new(facts);
        if let Ok(mut recent) = self.recent.lock() {
            *recent = Some((now, Arc::clone(&facts)));
        }
        Ok(facts)
    }

    /// Returns what was read a short while ago.
    pub(crate) fn recent_facts(&self) -> Option<Arc<HostFacts>> {
        let (read, facts) = self.recent.lock().ok()?.clone()?;
        let age = self.clock.now().duration_since(read).unsigned_abs();
        (age <= self.options.facts_keep).then_some(facts)
    }

    /// Reads what the host says of itself: a few calls.
    pub(crate) fn host_state(&self) -> Result<HostState, HostError> {
        HostState::read(&*self.session)
            .map_err(|error| host_failure(self.session.host(), "reading its state", error))
    }

    /// Reads what the machine is set to: a dozen calls, whatever the number of VMs.
    pub(crate) fn node_settings(&self) -> Result<NodeSettings, HostError> {
        read_host_settings(&*self.session)
            .map_err(|error| host_failure(self.session.host(), "reading its settings", error))
    }

    /// Reads one VM anew: a few calls.
    ///
    /// # Errors
    ///
    /// `NoSuchVm` and those of the session.
    pub(crate) fn vm_facts(&self, identity: &str) -> Result<VmFacts, HostError> {
        let host = self.session.host();
        let missing = || {
            let text = format!("{host}: no VM has the identity {identity}");
            HostError::new(HostErrorKind::NoSuchVm, text)
        };
        let id = Uuid::parse_str(identity).map_err(|_| missing())?;
        let failed = |error| host_failure(host, &format!("reading the VM {identity}"), error);
        let read = VmFacts::read(&*self.session, id).map_err(failed)?;
        // One that left its node meanwhile was read in part.
        let stayed = !self.is_node() || VmFacts::is_here(&*self.session, id).map_err(failed)?;
        read.filter(|_| stayed).ok_or_else(missing)
    }
}

impl HypervHost for WmiHost {
    fn name(&self) -> &str {
        self.session.host()
    }

    fn inventory(&self) -> Result<Inventory, HostError> {
        inventory(self)
    }

    fn plan(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError> {
        plan(self, vm, request, previous)
    }

    fn announce(&self, run: &[(&VmEntry, BackupRequest)]) {
        self.run_sets.announce(run);
    }

    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        begin(self, vm, request, previous, observer)
    }

    fn host_settings(&self) -> Result<Option<HostSettings>, HostError> {
        let nodes = vec![self.node_settings()?];
        Ok(Some(HostSettings::new(
            self.session.host(),
            self.clock.now(),
            nodes,
        )))
    }

    fn as_restore_host(&self) -> Option<&dyn RestoreHost> {
        Some(self)
    }
}

impl fmt::Debug for WmiHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WmiHost")
            .field("host", &self.session.host())
            .finish_non_exhaustive()
    }
}
