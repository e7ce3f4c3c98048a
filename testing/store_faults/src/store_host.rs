//! One host's requests to a store in memory: what fails, and what was counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use object_store::{StoreError, StoreErrorKind};

use crate::Fault;

/// What a host asked of a [`crate::MemoryStore`], in requests and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RequestCounts {
    /// Objects written, or tried to.
    pub writes: u64,
    /// Bytes of them.
    pub written_bytes: u64,
    /// Reads, whole or ranged.
    pub reads: u64,
    /// Bytes of them.
    pub read_bytes: u64,
    /// Listings.
    pub listings: u64,
    /// Removals.
    pub removals: u64,
    /// Questions for a length or the time.
    pub looks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Write,
    Read,
    Look,
    List,
    Remove,
}

type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    all_requests: bool,
    steps: usize,
    dead: bool,
    deny_removal: bool,
    actions: BTreeMap<usize, Action>,
    counts: RequestCounts,
}

#[derive(Default)]
pub(crate) struct Host(Mutex<State>);

impl Host {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_fault(&self, fault: Fault, all_requests: bool) {
        let mut state = self.lock();
        (state.fault, state.all_requests) = (Some(fault), all_requests);
        (state.steps, state.dead) = (0, false);
        state.actions.clear();
    }

    pub(crate) fn steps(&self) -> usize {
        self.lock().steps
    }

    pub(crate) fn before_step(&self, step: usize, action: Action) {
        self.lock().actions.insert(step, action);
    }

    pub(crate) fn deny_removal(&self, deny: bool) {
        self.lock().deny_removal = deny;
    }

    pub(crate) fn take_counts(&self) -> RequestCounts {
        std::mem::take(&mut self.lock().counts)
    }

    pub(crate) fn add_read(&self, bytes: usize) {
        self.lock().counts.read_bytes += bytes as u64;
    }

    /// Counts a request and fails it where it is its turn.
    pub(crate) fn step(
        &self,
        request: Request,
        name: &str,
        bytes: usize,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.counts.add(request, bytes);
        let counted = state.all_requests || matches!(request, Request::Write | Request::Remove);
        let step = state.steps;
        if counted {
            state.steps += 1;
            if let Some(action) = state.actions.remove(&step) {
                // Others may look at this host meanwhile.
                drop(state);
                action();
                state = self.lock();
            }
        }
        let fail = |kind, what: &str| Err(StoreError::new(kind, name, what));
        match state.fault {
            Some(Fault::DieAt(last)) if counted && step >= last => state.dead = true,
            Some(Fault::FailOnce(only)) if counted && step == only => {
                return fail(StoreErrorKind::Unavailable, "the store does not answer");
            }
            _ => {}
        }
        if state.dead {
            return fail(StoreErrorKind::Io, "the host is dead");
        }
        if request == Request::Remove && state.deny_removal {
            return fail(StoreErrorKind::Denied, "this host may not remove objects");
        }
        Ok(())
    }
}

impl RequestCounts {
    fn add(&mut self, request: Request, bytes: usize) {
        let counter = match request {
            Request::Write => {
                self.written_bytes += bytes as u64;
                &mut self.writes
            }
            Request::Read => &mut self.reads,
            Request::Look => &mut self.looks,
            Request::List => &mut self.listings,
            Request::Remove => &mut self.removals,
        };
        *counter += 1;
    }
}
