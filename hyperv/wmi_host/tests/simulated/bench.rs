//! A simulated host in a folder of its own, and the host that is tested upon it.

use std::path::Path;
use std::sync::Arc;

use disk_image::DriveMap;
use hyperv_sim::{Profile, SimClock, SimHost, SimOptions, SimSession};
use tempfile::TempDir;
use wmi_host::{WmiHost, WmiHostOptions};

/// A simulated host in a folder of its own, and the host that is tested upon it.
pub(crate) struct Bench {
    pub(crate) sim: Arc<SimHost>,
    pub(crate) session: Arc<SimSession>,
    pub(crate) host: WmiHost,
    folder: TempDir,
}

impl Bench {
    /// Makes a host, and lets `fill` add what its drives and VMs are to be.
    pub(crate) fn with(profile: Profile, fill: impl FnOnce(&SimHost)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let sim = Arc::new(SimHost::create(folder.path(), options).unwrap());
        fill(&sim);
        let session = Arc::new(
            SimSession::new(Arc::clone(&sim))
                .unwrap()
                .answering_at_once(),
        );
        let host = connect(&sim, &session, folder.path(), |_| true);
        Self {
            sim,
            session,
            host,
            folder,
        }
    }

    /// Takes the host again, where only these drives are seen.
    pub(crate) fn host_that_sees(&self, drives: &[&str]) -> WmiHost {
        let seen = |drive: &str| drives.contains(&drive);
        connect(&self.sim, &self.session, self.folder.path(), seen)
    }
}

fn connect(
    sim: &Arc<SimHost>,
    session: &Arc<SimSession>,
    folder: &Path,
    seen: impl Fn(&str) -> bool,
) -> WmiHost {
    let drives = sim.drives().unwrap();
    let map = drives
        .iter()
        .filter(|(prefix, _)| seen(prefix))
        .fold(DriveMap::new(), |map, (prefix, folder)| {
            map.with(prefix, folder).unwrap()
        });
    let options = WmiHostOptions {
        journal: Some(folder.join("journal")),
        ..WmiHostOptions::default()
    };
    let clock = Arc::new(SimClock::new(Arc::clone(sim)));
    WmiHost::connect(
        Arc::clone(session) as _,
        clock,
        Some(Arc::new(map)),
        options,
    )
    .unwrap()
}
