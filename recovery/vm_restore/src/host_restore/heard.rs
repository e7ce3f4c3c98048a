//! One observer for what disks, repository and host tell.

use disk_image::CopyObserver;
use hyperv_host::StepObserver;
use repository::StreamObserver;

use super::report::HostRestoreObserver;

/// Tells one observer what disks, repository and host tell.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) vm: &'a str,
    pub(crate) observer: &'a dyn HostRestoreObserver,
}

impl CopyObserver for Heard<'_> {
    fn advanced(&self, bytes: u64) {
        self.observer.advanced(self.vm, bytes);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

impl StreamObserver for Heard<'_> {
    fn advanced(&self, bytes: u64, _: u64) {
        self.observer.advanced(self.vm, bytes);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

impl StepObserver for Heard<'_> {
    fn step(&self, text: &str) {
        self.observer.step(self.vm, text);
    }
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}
