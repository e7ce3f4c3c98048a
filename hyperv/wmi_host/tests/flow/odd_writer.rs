//! The simulated host's VSS, with a writer that answers oddly.

use std::sync::Arc;
use std::time::Duration;

use hyperv_sim::{SimClock, SimHost, SimVss};
use uuid::Uuid;
use vss::{
    Cancelled, ComponentId, HYPERV_WRITER, Provider, RequestOptions, Snapshot, SnapshotVolume,
    VssBackup, VssError, VssService, Writer, WriterStatus,
};
use wmi::Clock as _;

/// What is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Captions are in words that nobody knows.
    Captions,
    /// The writer fails with VMs that are not in the set.
    FailsWithStrangers,
    /// Whoever makes snapshots never ends.
    Hangs,
}

/// The simulated host's VSS, with a writer that answers oddly.
pub(crate) struct OddVss {
    own: SimVss,
    sim: Arc<SimHost>,
    oddity: Oddity,
}

impl OddVss {
    pub(crate) fn of(sim: &Arc<SimHost>, oddity: Oddity) -> Arc<dyn VssService> {
        Arc::new(Self {
            own: SimVss::new(Arc::clone(sim)),
            sim: Arc::clone(sim),
            oddity,
        })
    }
}

impl VssService for OddVss {
    fn providers(&self) -> Result<Vec<Provider>, VssError> {
        self.own.providers()
    }

    fn volume_of(&self, path: &str) -> Result<SnapshotVolume, VssError> {
        self.own.volume_of(path)
    }

    fn begin(&self, options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError> {
        Ok(Box::new(OddBackup {
            own: self.own.begin(options)?,
            sim: Arc::clone(&self.sim),
            oddity: self.oddity,
        }))
    }
}

struct OddBackup {
    own: Box<dyn VssBackup>,
    sim: Arc<SimHost>,
    oddity: Oddity,
}

impl VssBackup for OddBackup {
    fn writers(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<Writer>, VssError> {
        let mut writers = self.own.writers(cancelled)?;
        if self.oddity == Oddity::Captions {
            for component in writers.iter_mut().flat_map(|own| &mut own.components) {
                component.caption = r"En ligne\vm".to_owned();
            }
        }
        Ok(writers)
    }

    fn add_component(&mut self, component: &ComponentId) -> Result<(), VssError> {
        self.own.add_component(component)
    }

    fn start_set(&mut self) -> Result<Uuid, VssError> {
        self.own.start_set()
    }

    fn add_volume(&mut self, name: &str, provider: Option<Uuid>) -> Result<Uuid, VssError> {
        self.own.add_volume(name, provider)
    }

    fn prepare(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.own.prepare(cancelled)
    }

    fn snapshot(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        if self.oddity == Oddity::Hangs {
            let clock = SimClock::new(Arc::clone(&self.sim));
            for _ in 0..100 {
                if cancelled() {
                    return self.own.snapshot(&|| true);
                }
                clock.wait(Duration::from_secs(60));
            }
            panic!("nobody gave up");
        }
        self.own.snapshot(cancelled)
    }

    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError> {
        let mut statuses = self.own.writer_statuses(cancelled)?;
        if self.oddity == Oddity::FailsWithStrangers {
            let own = statuses.iter_mut().find(|own| own.id == HYPERV_WRITER);
            let stranger = Uuid::from_u128(7).to_string();
            own.unwrap().failed_components = vec![(stranger, 0x8004_23F3)];
        }
        Ok(statuses)
    }

    fn snapshots(&mut self) -> Result<Vec<Snapshot>, VssError> {
        self.own.snapshots()
    }

    fn set_succeeded(&mut self, component: &ComponentId, succeeded: bool) -> Result<(), VssError> {
        self.own.set_succeeded(component, succeeded)
    }

    fn document(&mut self) -> Result<String, VssError> {
        self.own.document()
    }

    fn complete(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.own.complete(cancelled)
    }

    fn delete_set(&mut self) -> Result<(), VssError> {
        self.own.delete_set()
    }

    fn abort(&mut self) {
        self.own.abort();
    }
}
