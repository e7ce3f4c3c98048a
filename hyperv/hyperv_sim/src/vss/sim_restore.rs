//! One restore, as its requester sees it.

use std::sync::Arc;

use uuid::Uuid;
use vss::{
    Cancelled, ComponentId, FileSet, RestoreOrder, VssError, VssErrorKind, VssRestore, VssStep,
    WriterStatus,
};

use super::failure::{ABORTED, failure};
use super::service::call;
use super::strike::VssStrike;
use crate::SimHost;
use crate::host_state::HostState;

/// One restore through the writer of Hyper-V.
pub(crate) struct SimRestore {
    host: Arc<SimHost>,
    id: Uuid,
    order: RestoreOrder,
}

impl SimRestore {
    pub(crate) fn new(host: Arc<SimHost>, id: Uuid) -> Self {
        Self {
            host,
            id,
            order: RestoreOrder::default(),
        }
    }

    fn call<T>(
        &mut self,
        step: VssStep,
        work: impl FnOnce(&mut HostState, &VssStrike) -> Result<T, VssError>,
    ) -> Result<T, VssError> {
        self.order.enter(step)?;
        let id = self.id;
        let about = |state: &HostState| state.vms_of_restore(id);
        let result = call(&self.host, None, step, about, work);
        self.order.leave(step, result)
    }
}

fn check_wanted(step: VssStep, cancelled: Cancelled<'_>) -> Result<(), VssError> {
    if cancelled() {
        let what = "it was cancelled";
        return Err(failure(VssErrorKind::Cancelled, step, ABORTED, what));
    }
    Ok(())
}

impl VssRestore for SimRestore {
    fn select(&mut self, component: &ComponentId) -> Result<(), VssError> {
        let id = self.id;
        self.call(VssStep::Select, |state, _| {
            state.select_for_restore(id, component)
        })
    }

    fn add_new_target(
        &mut self,
        component: &ComponentId,
        files: &FileSet,
        folder: &str,
    ) -> Result<(), VssError> {
        let id = self.id;
        self.call(VssStep::AddNewTarget, |state, _| {
            state.add_new_target(id, component, files, folder)
        })
    }

    fn pre_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        let (step, id) = (VssStep::PreRestore, self.id);
        check_wanted(step, cancelled)?;
        self.call(step, |state, strike| state.pre_restore(id, strike))
    }

    fn set_restored(&mut self, component: &ComponentId, all: bool) -> Result<(), VssError> {
        let id = self.id;
        self.call(VssStep::SetRestored, |state, _| {
            state.set_restored(id, component, all)
        })
    }

    fn post_restore(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        let (step, id) = (VssStep::PostRestore, self.id);
        check_wanted(step, cancelled)?;
        self.call(step, |state, strike| state.post_restore(id, strike))
    }

    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError> {
        let (step, id) = (VssStep::WriterStatuses, self.id);
        check_wanted(step, cancelled)?;
        self.call(step, |state, _| state.statuses_of_restore(id))
    }
}

impl Drop for SimRestore {
    fn drop(&mut self) {
        let _ = self.host.act(|state| {
            state.forget_restore(self.id);
            Ok(())
        });
    }
}
