//! Which packs are not durable yet.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::{RepositoryError, RepositoryErrorKind};

/// Knows every pack from the moment it is begun until it is durable.
///
/// A pack that goes away in any other way, be it by an error or a panic, is lost for good, and
/// whoever waits learns of it.
#[derive(Default)]
pub(crate) struct PackTickets {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    outstanding: BTreeSet<u64>,
    lost: bool,
}

/// One pack that is not durable yet.
pub(crate) struct PackTicket {
    tickets: Arc<PackTickets>,
    number: u64,
    durable: bool,
}

impl PackTickets {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a pack.
    pub(crate) fn issue(self: &Arc<Self>) -> PackTicket {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.outstanding.insert(number);
        PackTicket {
            tickets: Arc::clone(self),
            number,
            durable: false,
        }
    }

    /// Returns how many packs were begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.lock().next
    }

    /// Waits until the first `begun` packs are durable.
    ///
    /// Packs that are begun later do not matter, so a run that never rests does not make this wait
    /// for ever. Who calls it must hold none of these packs, and none may be left half full.
    pub(crate) fn wait(&self, begun: u64) -> Result<(), RepositoryError> {
        let mut state = self.lock();
        while !state.lost
            && state
                .outstanding
                .first()
                .is_some_and(|first| *first < begun)
        {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.lost {
            let what = "a pack of this run could not be written";
            return Err(RepositoryError::new(RepositoryErrorKind::Poisoned, what));
        }
        Ok(())
    }
}

impl PackTicket {
    /// Returns how many packs were begun before this one.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The pack is durable.
    pub(crate) fn durable(mut self) {
        self.durable = true;
    }
}

impl Drop for PackTicket {
    fn drop(&mut self) {
        let mut state = self.tickets.lock();
        state.outstanding.remove(&self.number);
        state.lost |= !self.durable;
        drop(state);
        self.tickets.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_earlier_packs_are_durable_and_fails_when_one_is_lost() {
        let tickets = Arc::new(PackTickets::default());
        tickets.wait(0).unwrap();
        let (first, second) = (tickets.issue(), tickets.issue());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| tickets.wait(2));
            second.durable();
            first.durable();
            waiting.join().unwrap().unwrap();
        });
        let third = tickets.issue();
        tickets.wait(2).unwrap();
        drop(third);
        assert!(tickets.wait(3).is_err());
    }
}
