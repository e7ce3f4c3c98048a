//! A few connections, shared by many threads.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::{StoreError, StoreErrorKind};

/// Connections that are open and idle, and how many more there may be.
///
/// A connection is one caller's at a time. One on which the store became unavailable is closed,
/// and so is one that is found unusable when it is taken again.
pub struct ConnectionPool<T> {
    state: Mutex<State<T>>,
    freed: Condvar,
}

struct State<T> {
    idle: Vec<T>,
    /// How many may be taken yet, idle ones included.
    free: usize,
}

impl<T> ConnectionPool<T> {
    /// At most `connections`, and at least one.
    pub fn new(connections: usize) -> Self {
        Self {
            state: Mutex::new(State {
                idle: Vec::new(),
                free: connections.max(1),
            }),
            freed: Condvar::new(),
        }
    }

    /// Waits until a connection is free, and calls `call` with one that is idle and that
    /// `is_usable` finds so, or else with one that `open` makes.
    pub fn with<R>(
        &self,
        mut is_usable: impl FnMut(&mut T) -> bool,
        open: impl FnOnce() -> Result<T, StoreError>,
        call: impl FnOnce(&mut T) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut place = self.take();
        let idle = std::iter::from_fn(|| place.next_idle())
            .find_map(|mut connection| is_usable(&mut connection).then_some(connection));
        let mut connection = match idle {
            Some(connection) => connection,
            None => open()?,
        };
        let result = call(&mut connection);
        let broken = matches!(&result, Err(error) if error.kind() == StoreErrorKind::Unavailable);
        if !broken {
            place.connection = Some(connection);
        }
        result
    }

    /// As [`ConnectionPool::with`], for what may be done twice: where a connection breaks that was
    /// used before, it is done again with a new one. A server may close a connection that it has
    /// answered on, and only the next call shows it.
    pub fn with_again<R>(
        &self,
        is_usable: impl FnMut(&mut T) -> bool,
        mut open: impl FnMut() -> Result<T, StoreError>,
        mut call: impl FnMut(&mut T) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut was_new = false;
        let opening = || {
            was_new = true;
            open()
        };
        match self.with(is_usable, opening, &mut call) {
            Err(error) if error.kind() == StoreErrorKind::Unavailable && !was_new => {
                self.with(|_| false, open, call)
            }
            result => result,
        }
    }

    fn take(&self) -> Place<'_, T> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .freed
            .wait_while(state, |state| state.free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.free = state.free.saturating_sub(1);
        Place {
            pool: self,
            connection: None,
        }
    }
}

/// The right to one connection; given back when it is dropped.
struct Place<'a, T> {
    pool: &'a ConnectionPool<T>,
    connection: Option<T>,
}

impl<T> Place<'_, T> {
    fn next_idle(&self) -> Option<T> {
        let state = self.pool.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).idle.pop()
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let mut state = self
            .pool
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.free += 1;
        state.idle.extend(self.connection.take());
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_broke_on_a_used_connection_is_done_again_on_a_new_one_and_only_then() {
        let (pool, opened, called) = (ConnectionPool::new(1), Cell::new(0), Cell::new(0));
        let call = |broken: &[i32]| {
            called.set(0);
            let open = || {
                opened.set(opened.get() + 1);
                Ok(opened.get())
            };
            let use_it = |connection: &mut i32| {
                called.set(called.get() + 1);
                match broken.contains(connection) {
                    true => Err(StoreError::new(StoreErrorKind::Unavailable, "x", "closed")),
                    false => Ok(*connection),
                }
            };
            let done = pool.with_again(|_| true, open, use_it).ok();
            (done, called.get())
        };
        assert_eq!(call(&[1]), (None, 1));
        assert_eq!(call(&[]), (Some(2), 1));
        assert_eq!(call(&[2]), (Some(3), 2));
        assert_eq!(call(&[3, 4]), (None, 2));
    }

    #[test]
    fn connections_are_used_again_unless_they_broke() {
        let (pool, opened) = (ConnectionPool::new(1), Cell::new(0));
        let call = |usable: bool, result: Result<(), StoreErrorKind>| {
            let open = || {
                opened.set(opened.get() + 1);
                Ok(opened.get())
            };
            let use_it = |connection: &mut i32| match result {
                Ok(()) => Ok(*connection),
                Err(kind) => Err(StoreError::new(kind, "x", "failed")),
            };
            pool.with(|_| usable, open, use_it).ok()
        };
        assert_eq!(call(true, Ok(())), Some(1));
        assert_eq!(call(true, Err(StoreErrorKind::NotFound)), None);
        assert_eq!(call(true, Ok(())), Some(1));
        assert_eq!(call(true, Err(StoreErrorKind::Unavailable)), None);
        assert_eq!(call(true, Ok(())), Some(2));
        assert_eq!(call(false, Ok(())), Some(3));
    }
}
