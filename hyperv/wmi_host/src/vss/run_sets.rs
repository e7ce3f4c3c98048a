//! The sets of snapshots that serve the VMs of a run (requirement VSS-17).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use hyperv_host::{BackupRequest, HostError, StepObserver, VmEntry};
use uuid::Uuid;

use super::attempt_failure::TakenOut;
use super::held_vm::HeldVm;
use crate::backup::stop_if_cancelled;

/// Pause between two looks whether the set is made.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What serves the VMs of a run: made when the first of them begins.
#[derive(Default)]
pub(crate) struct RunSets(Mutex<RunState>);

/// The VMs of a run, and what was made for them.
#[derive(Default)]
pub(super) struct RunState {
    /// VMs for which nothing was made so far.
    announced: Vec<(VmEntry, BackupRequest)>,
    /// What was made for VMs that have not begun.
    shares: HashMap<Uuid, Share>,
}

/// What a VM has of a set that was made for it and others.
pub(super) enum Share {
    /// It is in it.
    In(Box<HeldVm>),
    /// It was taken out.
    Out(TakenOut),
}

impl RunSets {
    /// Hears of a run. What was made for the run before, and was not used, is given up: its
    /// snapshots go, and its VMs' entries are settled. A run without VMs ends the last one.
    pub(crate) fn announce(&self, run: &[(&VmEntry, BackupRequest)]) {
        let mut state = self.lock();
        state.shares.clear();
        state.announced = run
            .iter()
            .map(|(vm, request)| ((*vm).clone(), request.clone()))
            .collect();
    }

    /// Returns whether a set holds a VM that has not begun. Waits for one that is just made.
    pub(crate) fn holds(&self, vm: Uuid) -> bool {
        matches!(self.lock().shares.get(&vm), Some(Share::In(_)))
    }

    /// As [`RunSets::lock`], while another VM of the run may be making the set, with all its tries:
    /// who waits says so, and can be stopped. What is waited for is another thread, so it is this
    /// machine's time that passes, not the host's.
    pub(super) fn lock_patiently(
        &self,
        observer: &dyn StepObserver,
    ) -> Result<MutexGuard<'_, RunState>, HostError> {
        let mut is_told = false;
        loop {
            match self.0.try_lock() {
                Ok(run) => return Ok(run),
                Err(TryLockError::Poisoned(run)) => return Ok(run.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            stop_if_cancelled(observer)?;
            if !is_told {
                observer.step("waiting: volume snapshots are made for this VM and others");
                is_told = true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Returns the run, for as long as nobody else may look at it: a set is made once.
    fn lock(&self) -> MutexGuard<'_, RunState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunState {
    /// Takes what was made for a VM.
    pub(super) fn take(&mut self, vm: Uuid) -> Option<Share> {
        self.shares.remove(&vm)
    }

    /// Keeps what was made for a VM until it begins.
    pub(super) fn keep(&mut self, vm: Uuid, share: Share) {
        self.shares.insert(vm, share);
    }

    /// Puts VMs back for which nothing was made after all.
    pub(super) fn announce_again(&mut self, others: Vec<(VmEntry, BackupRequest)>) {
        self.announced.extend(others);
    }

    /// Takes, of the VMs for which nothing was made, those that fit `request` and would share its
    /// set; none where the VM itself was not announced.
    pub(super) fn take_announced(
        &mut self,
        vm: &VmEntry,
        request: &BackupRequest,
    ) -> Vec<(VmEntry, BackupRequest)> {
        let is_own = |(own, _): &(VmEntry, BackupRequest)| own.identity == vm.identity;
        if !self.announced.iter().any(is_own) {
            return Vec::new();
        }
        let (fitting, others) = self.announced.drain(..).partition(|announced| {
            let own = &announced.1;
            is_own(announced)
                || (own.snapshot_sets == request.snapshot_sets
                    && own.guest_backup == request.guest_backup
                    && own.snapshot_provider == request.snapshot_provider
                    && own.run == request.run)
        });
        self.announced = others;
        let fitting: Vec<_> = fitting;
        fitting.into_iter().filter(|own| !is_own(own)).collect()
    }
}
