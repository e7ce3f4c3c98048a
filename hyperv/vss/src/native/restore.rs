//! One restore through Windows' own service.

use std::sync::Arc;

use super::library::Library;
use super::requester::Requester;
use super::requester_thread::{Limits, RequesterThread, never};
use crate::{
    Cancelled, ComponentId, FileSet, RestoreOrder, VssError, VssRestore, VssStep, WriterStatus,
};

/// A restore: the order of its calls is kept here, its object on a thread of its own. Dropped it is
/// forgotten; what writers did stays done.
#[derive(Debug)]
pub(super) struct WindowsRestore {
    order: RestoreOrder,
    thread: RequesterThread,
}

impl WindowsRestore {
    pub(super) fn begin(
        library: &Arc<Library>,
        document: &str,
        limits: Limits,
    ) -> Result<Self, VssError> {
        let (library, document) = (library.clone(), document.to_owned());
        let thread = RequesterThread::start(VssStep::BeginRestore, limits, move |asking| {
            Requester::begin_restore(&library, &document, asking)
        })?;
        Ok(Self {
            order: RestoreOrder::default(),
            thread,
        })
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

impl VssRestore for WindowsRestore {
    fn select(&mut self, component: &ComponentId) -> Result<(), VssError> {
        let component = component.clone();
        self.call(VssStep::Select, &never, move |vss| vss.select(&component))
    }

    fn add_new_target(
        &mut self,
        component: &ComponentId,
        files: &FileSet,
        folder: &str,
    ) -> Result<(), VssError> {
        let (component, files, folder) = (component.clone(), files.clone(), folder.to_owned());
        self.call(VssStep::AddNewTarget, &never, move |vss| {
            vss.add_new_target(&component, &files, &folder)
        })
    }

    fn pre_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.call(VssStep::PreRestore, cancelled, |vss| vss.pre_restore())
    }

    fn set_restored(&mut self, component: &ComponentId, all: bool) -> Result<(), VssError> {
        let component = component.clone();
        self.call(VssStep::SetRestored, &never, move |vss| {
            vss.set_restored(&component, all)
        })
    }

    fn post_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.call(VssStep::PostRestore, cancelled, |vss| vss.post_restore())
    }

    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError> {
        let step = VssStep::WriterStatuses;
        self.call(step, cancelled, |vss| vss.writer_statuses())
    }
}
