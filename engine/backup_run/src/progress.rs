//! How far a VM is, told from the inside of the libraries.

use std::sync::{Mutex, PoisonError};

use hyperv_host::{FrozenVm, HostError, StepObserver};
use repository::StreamObserver;

use crate::vm_backup::BackupError;
use crate::{RunEvent, RunObserver};

/// Tells what the host does for the VM.
pub(crate) struct Steps<'a> {
    pub(crate) vm: &'a str,
    pub(crate) observer: &'a dyn RunObserver,
}

impl StepObserver for Steps<'_> {
    fn step(&self, text: &str) {
        self.observer.event(RunEvent::Step { vm: self.vm, text });
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

/// Tells how far the reading is, and stops it when the person or the host cannot bear it longer.
pub(crate) struct Progress<'a> {
    observer: &'a dyn RunObserver,
    frozen: &'a dyn FrozenVm,
    unbearable: Mutex<Option<HostError>>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(observer: &'a dyn RunObserver, frozen: &'a dyn FrozenVm) -> Self {
        Self {
            observer,
            frozen,
            unbearable: Mutex::new(None),
        }
    }

    /// Returns what the host could not bear, in place of the cancellation that it led to.
    pub(crate) fn explain(&self, error: BackupError) -> BackupError {
        let mut unbearable = self
            .unbearable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unbearable.take().map_or(error, Into::into)
    }
}

impl StreamObserver for Progress<'_> {
    fn advanced(&self, stream_bytes: u64, stored_bytes: u64) {
        self.observer.event(RunEvent::Progress {
            stream_bytes,
            stored_bytes,
        });
    }

    fn cancelled(&self) -> bool {
        if self.observer.cancelled() {
            return true;
        }
        let Err(error) = self.frozen.check_bearable() else {
            return false;
        };
        let mut unbearable = self
            .unbearable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unbearable.get_or_insert(error);
        true
    }
}
