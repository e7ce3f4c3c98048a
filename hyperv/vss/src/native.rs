//! Windows' own service.

#![expect(
    unsafe_code,
    reason = "COM is unsafe by nature; this module is the one place of the crate that calls it"
)]

mod apartment;
mod asynchronous;
mod backup;
#[expect(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    unreachable_pub,
    non_camel_case_types,
    non_snake_case,
    reason = "generated"
)]
mod bindings;
mod cluster;
mod failed_components;
mod foreign_text;
mod library;
mod module;
mod providers;
mod requester;
mod requester_thread;
mod restore;
mod restorer;
mod snapshot_set;
#[cfg(test)]
mod tests;
mod volume;
mod writer_metadata;
mod writer_status;

use std::sync::Arc;

use windows::core::w;

use crate::{
    Provider, RequestOptions, SnapshotVolume, VssBackup, VssError, VssRestore, VssService, VssStep,
};
use backup::WindowsBackup;
use cluster::Cluster;
use library::Library;
use requester_thread::{Limits, RequesterThread};
use restore::WindowsRestore;

/// Windows' own service, with its library loaded. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WindowsVss {
    library: Arc<Library>,
    cluster: Arc<Cluster>,
    limits: Limits,
}

impl WindowsVss {
    /// Loads the service's library from Windows' own folder, and nowhere else. Nothing is asked of
    /// the service yet.
    ///
    /// # Errors
    ///
    /// `Absent`, where this Windows lacks the library or a function of it.
    pub fn load() -> Result<Self, VssError> {
        Ok(Self {
            library: Arc::new(Library::load(w!("vssapi.dll"))?),
            cluster: Arc::new(Cluster::load(w!("resutils.dll"))),
            limits: Limits::default(),
        })
    }
}

impl VssService for WindowsVss {
    fn providers(&self) -> Result<Vec<Provider>, VssError> {
        let library = self.library.clone();
        let thread = RequesterThread::start(VssStep::Providers, self.limits, move |flag| {
            requester::Requester::bare(VssStep::Providers, &library, flag)
        })?;
        thread.run(VssStep::Providers, &|| false, |vss| vss.providers())
    }

    fn volume_of(&self, path: &str) -> Result<SnapshotVolume, VssError> {
        match volume::Place::of(path)? {
            volume::Place::Local(path) => volume::of_local_path(&self.cluster, &path),
            volume::Place::Share(path) => {
                let library = self.library.clone();
                let step = VssStep::VolumeOf;
                let thread = RequesterThread::start(step, self.limits, move |flag| {
                    requester::Requester::bare(step, &library, flag)
                })?;
                thread.run(step, &|| false, move |vss| vss.share_of(&path))
            }
        }
    }

    fn begin(&self, options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError> {
        let backup = WindowsBackup::begin(&self.library, options, self.limits)?;
        Ok(Box::new(backup))
    }

    fn begin_restore(&self, document: &str) -> Result<Box<dyn VssRestore>, VssError> {
        let restore = WindowsRestore::begin(&self.library, document, self.limits)?;
        Ok(Box::new(restore))
    }
}
