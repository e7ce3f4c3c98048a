//! A simulated host in a folder.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cluster::{ClusterFolder, Membership};
use crate::host_folder::HostFolder;
use crate::host_state::HostState;
use crate::{SimError, SimOptions};

/// How far the clock moves with each operation.
const TICK: Duration = Duration::from_millis(1);

/// A host that does not exist, in a folder that does.
///
/// Several threads and several programs may use one folder at once: each operation takes the lock
/// of the folder, reads what others have changed, does its work and saves. What is called here is
/// in files of its own, by subject.
pub struct SimHost {
    folder: HostFolder,
    /// The cluster that it is a node of.
    cluster: Option<ClusterFolder>,
    loaded: Mutex<Loaded>,
}

/// What this program knows of the host.
struct Loaded {
    /// `None`: to be read anew.
    state: Option<HostState>,
    /// The generation of the folder that `state` is.
    generation: u64,
    /// What the cluster knew when the host was asked last.
    membership: Option<Membership>,
    /// While the clock follows real time: when that began, here and there.
    real_time: Option<(Instant, Timestamp)>,
}

impl Loaded {
    /// Returns how far the clock is behind real time, where it follows that.
    fn behind(&self, now: Timestamp) -> Duration {
        let Some((began, then)) = self.real_time else {
            return Duration::ZERO;
        };
        let then = u64::try_from(then.as_millisecond()).unwrap_or(0);
        let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let real = Duration::from_millis(then) + began.elapsed();
        real.saturating_sub(Duration::from_millis(now))
    }
}

impl SimHost {
    /// Makes a new host in a folder that is empty or not there.
    pub fn create(dir: &Path, options: SimOptions) -> Result<Self, SimError> {
        let folder = HostFolder::create(dir)?;
        let host = Self::over(folder)?;
        {
            let mut loaded = host.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            let locked = host.folder.lock()?;
            let mut state = HostState::new(dir.to_owned(), options);
            loaded.generation = locked.save(&mut state, 0)?;
            loaded.state = Some(state);
        }
        Ok(host)
    }

    /// Opens a host.
    pub fn open(dir: &Path) -> Result<Self, SimError> {
        let host = Self::over(HostFolder::open(dir)?)?;
        host.look(|_| Ok(()))?;
        Ok(host)
    }

    fn over(folder: HostFolder) -> Result<Self, SimError> {
        Ok(Self {
            cluster: ClusterFolder::of_node(folder.dir())?,
            folder,
            loaded: Mutex::new(Loaded {
                state: None,
                generation: 0,
                membership: None,
                real_time: None,
            }),
        })
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        self.folder.dir()
    }

    /// Lists the drives: `C:\` and the folder of this machine that holds it.
    pub fn drives(&self) -> Result<Vec<(String, PathBuf)>, SimError> {
        crate::drive::drives(self.dir())
    }

    /// Lets the clock follow real time from now on, or not any more: for a host that is served.
    pub fn follow_real_time(&self, follow: bool) -> Result<(), SimError> {
        let now = self.now()?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.real_time = follow.then(|| (Instant::now(), now));
        Ok(())
    }

    /// Does something with the host: with the folder locked, after the clock moved by a
    /// millisecond and what came due was done. What is changed is saved, also after an error.
    pub(crate) fn act<T>(
        &self,
        work: impl FnOnce(&mut HostState) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // The cluster first: who holds its lock may wait for any node's.
        let cluster = self.cluster.as_ref().map(ClusterFolder::hold).transpose()?;
        let locked = self.folder.lock()?;
        let record = locked.record()?;
        let known = loaded.state.take();
        // While the work is done nothing is known: after a panic all is read anew.
        let mut state = match known {
            Some(state) if loaded.generation == record.generation => state,
            _ => locked.load()?,
        };
        state.now = record.now;
        state.drawn = record.drawn;
        let mut step = loaded.behind(state.now).max(TICK);
        if let Some(cluster) = &cluster {
            let known = loaded.membership.take();
            step = step.max(cluster.join(&mut state, known)? + TICK);
        }
        let result = state
            .bury_dead_requesters()
            .and_then(|()| state.pass(step))
            .and_then(|()| work(&mut state));
        let watched = state.watch_roles();
        loaded.generation = locked.save(&mut state, record.generation)?;
        if let Some(cluster) = &cluster {
            let (membership, generation) = cluster.part(&mut state, &locked)?;
            loaded.membership = membership;
            loaded.generation = generation.unwrap_or(loaded.generation);
        }
        loaded.state = Some(state);
        let result = result?;
        watched.map(|()| result)
    }

    /// Looks at the host, as [`SimHost::act`] does.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&HostState) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        self.act(|state| look(state))
    }
}
