//! One backup through Windows' own service.

use std::sync::Arc;

use uuid::Uuid;

use super::library::Library;
use super::requester::Requester;
use super::requester_thread::{Limits, RequesterThread, never};
use crate::{
    Cancelled, ComponentId, Order, RequestOptions, Snapshot, VssBackup, VssError, VssStep, Writer,
    WriterStatus,
};

/// A backup: the order of its calls is kept here, its objects on a thread of their own.
#[derive(Debug)]
pub(super) struct WindowsBackup {
    order: Order,
    thread: RequesterThread,
}

impl WindowsBackup {
    pub(super) fn begin(
        library: &Arc<Library>,
        options: &RequestOptions,
        limits: Limits,
    ) -> Result<Self, VssError> {
        let order = Order::new(options.kind);
        let (library, options) = (library.clone(), options.clone());
        let thread = RequesterThread::start(VssStep::Begin, limits, move |asking| {
            Requester::begin(&library, &options, asking)
        })?;
        Ok(Self { order, thread })
    }

    /// Makes a call, if it is its time.
    fn call<T: Send + 'static>(
        &mut self,
        step: VssStep,
        cancelled: Cancelled<'_>,
        call: impl FnOnce(&mut Requester) -> Result<T, VssError> + Send + 'static,
    ) -> Result<T, VssError> {
        self.order.enter(step)?;
        let result = self.thread.run(step, cancelled, call);
        self.order.leave(step, result)
    }
}

impl VssBackup for WindowsBackup {
    fn writers(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<Writer>, VssError> {
        self.call(VssStep::Writers, cancelled, |vss| vss.writers())
    }

    fn add_component(&mut self, component: &ComponentId) -> Result<(), VssError> {
        let component = component.clone();
        self.call(VssStep::AddComponent, &never, move |vss| {
            vss.add_component(&component)
        })
    }

    fn start_set(&mut self) -> Result<Uuid, VssError> {
        self.call(VssStep::StartSet, &never, Requester::start_set)
    }

    fn add_volume(&mut self, name: &str, provider: Option<Uuid>) -> Result<Uuid, VssError> {
        let name = name.to_owned();
        self.call(VssStep::AddVolume, &never, move |vss| {
            vss.add_volume(&name, provider)
        })
    }

    fn prepare(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.call(VssStep::Prepare, cancelled, |vss| vss.prepare())
    }

    fn snapshot(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.call(VssStep::Snapshot, cancelled, |vss| vss.snapshot())
    }

    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError> {
        let step = VssStep::WriterStatuses;
        self.call(step, cancelled, |vss| vss.writer_statuses())
    }

    fn snapshots(&mut self) -> Result<Vec<Snapshot>, VssError> {
        self.call(VssStep::Snapshots, &never, |vss| vss.list_snapshots())
    }

    fn set_succeeded(&mut self, component: &ComponentId, succeeded: bool) -> Result<(), VssError> {
        let component = component.clone();
        self.call(VssStep::SetSucceeded, &never, move |vss| {
            vss.set_succeeded(&component, succeeded)
        })
    }

    fn document(&mut self) -> Result<String, VssError> {
        self.call(VssStep::Document, &never, |vss| vss.document())
    }

    fn complete(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.call(VssStep::Complete, cancelled, Requester::complete)
    }

    fn delete_set(&mut self) -> Result<(), VssError> {
        self.call(VssStep::DeleteSet, &never, |vss| {
            vss.delete_set(VssStep::DeleteSet)
        })
    }

    fn abort(&mut self) {
        if self.order.abort() {
            // What it cannot do goes with the requester, when the thread ends.
            let _ = self.thread.run(VssStep::DeleteSet, &never, |vss| {
                vss.abort();
                Ok(())
            });
        }
    }
}

impl Drop for WindowsBackup {
    /// The snapshots of a backup that was completed go with the requester.
    fn drop(&mut self) {
        if self.order.phase() != crate::Phase::Completed {
            self.abort();
        }
    }
}
