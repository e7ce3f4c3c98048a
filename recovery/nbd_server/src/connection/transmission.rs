//! Requests of one client, several at once.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope};

use super::answer::Answerer;
use super::{BufferRoom, Session};
use crate::protocol::{Command, Request, skip};

/// Serves a client until it leaves, by up to `in_flight` threads that take turns in listening.
///
/// `hang_up` closes the connection, so that the thread that listens hears of it.
pub(crate) fn transmit<R: Read + Send, W: Write + Send>(
    session: &Session,
    from: R,
    to: W,
    room: &BufferRoom,
    in_flight: usize,
    hang_up: &(dyn Fn() + Sync),
) {
    let transmission = Transmission {
        listener: Mutex::new(Listener { from, ended: false }),
        waiting: AtomicUsize::new(0),
        threads: AtomicUsize::new(1),
        threads_max: in_flight.max(1),
        answerer: Answerer {
            session,
            room,
            to: Mutex::new(to),
        },
        hang_up,
    };
    thread::scope(|scope| transmission.work(scope));
}

struct Transmission<'a, R, W> {
    listener: Mutex<Listener<R>>,
    /// Threads that wait for their turn to listen, or listen.
    waiting: AtomicUsize,
    threads: AtomicUsize,
    threads_max: usize,
    answerer: Answerer<'a, W>,
    hang_up: &'a (dyn Fn() + Sync),
}

struct Listener<R> {
    from: R,
    /// The client left, or cannot be followed any more.
    ended: bool,
}

impl<R: Read> Listener<R> {
    fn next(&mut self) -> io::Result<Option<Request>> {
        let request = Request::read(&mut self.from)?;
        match request {
            Some(request) if request.command == Command::Write => {
                skip(&mut self.from, request.len_bytes.into())?;
                Ok(Some(request))
            }
            Some(request) if request.command == Command::Disconnect => Ok(None),
            request => Ok(request),
        }
    }
}

impl<R: Read + Send, W: Write + Send> Transmission<'_, R, W> {
    fn work<'scope, 'env>(&'scope self, scope: &'scope Scope<'scope, 'env>) {
        while let Some(request) = self.listen() {
            let idle = self.waiting.load(Ordering::Relaxed);
            let threads = self.threads.load(Ordering::Relaxed);
            if idle == 0 && threads < self.threads_max {
                // Two may see this at once, and one thread more than was meant may appear.
                self.threads.fetch_add(1, Ordering::Relaxed);
                let spawned = thread::Builder::new().spawn_scoped(scope, || self.work(scope));
                // Without another thread this one goes on alone.
                drop(spawned);
            }
            if self.answerer.answer(&request).is_err() {
                (self.hang_up)();
                break;
            }
        }
    }

    /// Waits for its turn, then for a request.
    fn listen(&self) -> Option<Request> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let request = if listener.ended {
            None
        } else {
            // What was wrong with the stream is of no use to anybody: it ends here.
            listener.next().ok().flatten()
        };
        listener.ended |= request.is_none();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        request
    }
}
