//! The service as requesters see it.

use std::sync::Arc;

use uuid::Uuid;
use vss::{
    Provider, RequestOptions, SnapshotVolume, VssBackup, VssError, VssErrorKind, VssRestore,
    VssService, VssStep,
};

use super::backup::SimBackup;
use super::failure::of_host;
use super::requester_life::RequesterLife;
use super::sim_restore::SimRestore;
use super::snap_volume::no_volume;
use super::strike::{VssStrike, call_name};
use crate::SimHost;
use crate::host_state::HostState;

/// The Volume Shadow Copy Service of a simulated host.
#[derive(Clone)]
pub struct SimVss {
    host: Arc<SimHost>,
}

impl SimVss {
    /// Returns the service of a host.
    pub fn new(host: Arc<SimHost>) -> Self {
        Self { host }
    }

    /// Returns the host.
    pub fn sim_host(&self) -> &Arc<SimHost> {
        &self.host
    }
}

/// Says that a call concerns no VM.
fn nobody(_: &HostState) -> Vec<Uuid> {
    Vec::new()
}

/// Makes a call of VSS: faults strike it before or after its work.
pub(crate) fn call<T>(
    host: &SimHost,
    session: Option<Uuid>,
    step: VssStep,
    about: impl FnOnce(&HostState) -> Vec<Uuid>,
    work: impl FnOnce(&mut HostState, &VssStrike) -> Result<T, VssError>,
) -> Result<T, VssError> {
    let acted = host.act(|state| {
        let about = about(state);
        Ok(struck(state, session, step, &about, work))
    });
    acted.unwrap_or_else(|error| Err(of_host(step, &error)))
}

fn struck<T>(
    state: &mut HostState,
    session: Option<Uuid>,
    step: VssStep,
    about: &[Uuid],
    work: impl FnOnce(&mut HostState, &VssStrike) -> Result<T, VssError>,
) -> Result<T, VssError> {
    let mut strike = state.strike_vss(session, step, call_name(step), about)?;
    let after = strike.after.take();
    let done = work(state, &strike);
    if strike.dies_after
        && let Some(session) = session
    {
        let died = state.requester_dies(session);
        died.map_err(|error| of_host(step, &error))?;
    }
    match after {
        Some(error) => Err(error),
        None => done,
    }
}

impl VssService for SimVss {
    fn providers(&self) -> Result<Vec<Provider>, VssError> {
        call(&self.host, None, VssStep::Providers, nobody, |state, _| {
            Ok(state.providers())
        })
    }

    fn volume_of(&self, path: &str) -> Result<SnapshotVolume, VssError> {
        let step = VssStep::VolumeOf;
        call(&self.host, None, step, nobody, |state, _| {
            let volume = state.snap_volume_of(path);
            let volume = volume.ok_or_else(|| of_host(step, &no_volume(path)))?;
            match state.check_is_allowed(&volume, step) {
                // That another backup goes on is told when the volume is added.
                Err(error) if error.kind() == VssErrorKind::Busy => Ok(volume.seen()),
                checked => checked.map(|()| volume.seen()),
            }
        })
    }

    fn begin_restore(&self, document: &str) -> Result<Box<dyn VssRestore>, VssError> {
        let step = VssStep::BeginRestore;
        let begun = call(&self.host, None, step, nobody, |state, _| {
            state.begin_restore(document)
        });
        let restore = SimRestore::new(Arc::clone(&self.host), begun?);
        Ok(Box::new(restore))
    }

    fn begin(&self, options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError> {
        let step = VssStep::Begin;
        let host = &self.host;
        let mut begun = None;
        // A backup that nobody gets to know of would never end, so it is kept also where the call
        // fails after its work.
        let called = call(host, None, step, nobody, |state, _| {
            let id = state.begin_session(options);
            let life = RequesterLife::begin(state.dir(), id);
            let life = life.map_err(|error| of_host(step, &error))?;
            begun = Some(SimBackup::new(Arc::clone(host), id, life));
            Ok(())
        });
        match (called, begun) {
            (Ok(()), Some(backup)) => Ok(Box::new(backup)),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(super::session::bad_state(step)),
        }
    }
}
