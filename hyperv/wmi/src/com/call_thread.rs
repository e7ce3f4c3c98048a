//! The thread that COM lives on, and how calls get there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::apartment::Apartment;
use crate::{WmiError, WmiErrorKind};

/// Threads that may be stuck in a call that never came back before no more are started.
const LOST_MAX: usize = 8;
/// How often a call that waits its turn looks whether the thread is lost.
const LOOK: Duration = Duration::from_millis(500);

type Call = Box<dyn FnOnce(&mut Apartment) + Send>;

/// The way to the COM thread; the thread ends when this is dropped and its last call is done.
///
/// It is not waited for, since a call that hangs in the host would hang the drop as well.
#[derive(Debug)]
pub(super) struct CallThread {
    host: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Option<Running>,
    lost: usize,
}

#[derive(Debug, Clone)]
struct Running {
    calls: Sender<CallBox>,
    is_lost: Arc<AtomicBool>,
}

/// A call on its way to the thread.
struct CallBox(Call);

enum Progress<T> {
    Started,
    Done(Result<T, WmiError>),
}

impl CallThread {
    /// Starts the thread and finds WMI there.
    pub(super) fn start(host: String) -> Result<Self, WmiError> {
        let current = Some(Running::start(&host)?);
        let state = Mutex::new(State { current, lost: 0 });
        Ok(Self { host, state })
    }

    /// Makes a call and waits for what it returns, at most `limit` from when it began.
    pub(super) fn run<T: Send + 'static>(
        &self,
        asked: &str,
        limit: Duration,
        call: impl FnOnce(&mut Apartment) -> Result<T, WmiError> + Send + 'static,
    ) -> Result<T, WmiError> {
        let running = self.running(asked)?;
        let (progress, answer) = mpsc::sync_channel(2);
        let call = move |com: &mut Apartment| answer_call(com, call, &progress);
        let sent = running.calls.send(CallBox(Box::new(call)));
        if sent.is_ok() {
            wait_for_turn(&running, &answer, asked)?;
            match answer.recv_timeout(limit) {
                Ok(Progress::Done(result)) => return result,
                Ok(Progress::Started) | Err(RecvTimeoutError::Disconnected) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.lose(&running);
                    let what = format!(
                        "{asked}: the host did not answer within {} s; whether it still will is unknown",
                        limit.as_secs()
                    );
                    return Err(WmiError::new(WmiErrorKind::Timeout, what));
                }
            }
        }
        self.end(&running);
        let what = format!("{asked}: the thread that asks WMI ended");
        Err(WmiError::new(WmiErrorKind::Unavailable, what))
    }

    /// Hands over a call that nobody waits for.
    pub(super) fn post(&self, call: impl FnOnce(&mut Apartment) + Send + 'static) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &state.current {
            // Where the thread is gone, so is what the call is about.
            let _ = running.calls.send(CallBox(Box::new(call)));
        }
    }

    fn running(&self, asked: &str) -> Result<Running, WmiError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost >= LOST_MAX {
            let what = format!("{asked}: not tried, since {LOST_MAX} calls before never came back");
            return Err(WmiError::new(WmiErrorKind::Timeout, what));
        }
        if state.current.is_none() {
            state.current = Some(Running::start(&self.host)?);
        }
        match &state.current {
            Some(running) => Ok(running.clone()),
            None => unreachable!("the thread was just started"),
        }
    }

    /// Gives up a thread that is stuck in a call. Those who wait behind that call are told.
    fn lose(&self, stuck: &Running) {
        if !stuck.is_lost.swap(true, Ordering::SeqCst) {
            self.state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .lost += 1;
        }
        self.end(stuck);
    }

    /// Forgets a thread, if it is still the current one.
    fn end(&self, ended: &Running) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = |now: &Running| Arc::ptr_eq(&now.is_lost, &ended.is_lost);
        if state.current.as_ref().is_some_and(is_current) {
            state.current = None;
        }
    }
}

impl Running {
    fn start(host: &str) -> Result<Self, WmiError> {
        let (calls, queue) = mpsc::channel::<CallBox>();
        let (ready, started) = mpsc::sync_channel(1);
        let host = host.to_owned();
        let unavailable = |why: &str| WmiError::new(WmiErrorKind::Unavailable, why);
        std::thread::Builder::new()
            .name("wmi".to_owned())
            .spawn(move || serve(&host, &ready, &queue))
            .map_err(|error| {
                unavailable("the thread that asks WMI cannot start").caused_by(error)
            })?;
        started
            .recv()
            .map_err(|_| unavailable("the thread that asks WMI ended at its start"))??;
        let is_lost = Arc::new(AtomicBool::new(false));
        Ok(Self { calls, is_lost })
    }
}

/// The thread: enters COM, makes calls until nobody can ask any more, leaves COM.
fn serve(host: &str, ready: &SyncSender<Result<(), WmiError>>, calls: &Receiver<CallBox>) {
    let mut com = match Apartment::enter(host) {
        Ok(com) => com,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    if ready.send(Ok(())).is_ok() {
        for CallBox(call) in calls {
            call(&mut com);
        }
    }
}

/// Makes a call on the thread, unless whoever asked has gone meanwhile.
fn answer_call<T>(
    com: &mut Apartment,
    call: impl FnOnce(&mut Apartment) -> Result<T, WmiError>,
    progress: &SyncSender<Progress<T>>,
) {
    if progress.send(Progress::Started).is_ok() {
        // Nobody may be waiting any more; there is nobody to tell.
        let _ = progress.send(Progress::Done(call(com)));
    }
}

/// Waits until the calls before this one are done.
fn wait_for_turn<T>(
    running: &Running,
    answer: &Receiver<Progress<T>>,
    asked: &str,
) -> Result<(), WmiError> {
    loop {
        match answer.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) if running.is_lost.load(Ordering::SeqCst) => {
                let what = format!("{asked}: not tried, since a call before it never came back");
                return Err(WmiError::new(WmiErrorKind::Timeout, what));
            }
            Err(RecvTimeoutError::Timeout) => {}
            // A thread that ended is seen by whoever waits for the result.
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(60);

    fn start() -> CallThread {
        CallThread::start("HV1".to_owned()).unwrap()
    }

    /// A call that hangs until the sender is dropped.
    fn hang(thread: &CallThread, until: Receiver<()>, limit: Duration) -> Result<(), WmiError> {
        thread.run("hang", limit, move |_| {
            let _ = until.recv();
            Ok(())
        })
    }

    fn thread_id(thread: &CallThread) -> Result<std::thread::ThreadId, WmiError> {
        thread.run("who", LATE, |_| Ok(std::thread::current().id()))
    }

    #[test]
    fn a_call_that_hangs_times_out_and_the_next_has_a_new_thread() {
        let thread = start();
        let first = thread_id(&thread).unwrap();
        assert_eq!(thread_id(&thread).unwrap(), first);
        let (_held, until) = channel();
        let error = hang(&thread, until, SOON).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Timeout);
        assert!(error.to_string().starts_with("hang: "), "{error}");
        assert_ne!(thread_id(&thread).unwrap(), first);
    }

    #[test]
    fn what_waits_behind_a_call_that_hangs_is_told_and_never_done() {
        let thread = start();
        let stuck = thread.running("a test").unwrap();
        let (release, until) = channel::<()>();
        let (hangs, is_hanging) = channel();
        thread.post(move |_| {
            hangs.send(()).unwrap();
            let _ = until.recv();
        });
        is_hanging.recv().unwrap();
        let (done, was_done): (Sender<()>, _) = channel();
        let (progress, answer) = mpsc::sync_channel(2);
        let late = move |com: &mut Apartment| {
            let tell = move |_: &mut Apartment| {
                done.send(()).unwrap();
                Ok(())
            };
            answer_call(com, tell, &progress);
        };
        stuck.calls.send(CallBox(Box::new(late))).unwrap();
        thread.lose(&stuck);
        let error = wait_for_turn(&stuck, &answer, "late").unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Timeout);
        assert!(error.to_string().contains("not tried"), "{error}");
        drop((answer, release));
        // Disconnected: the call was dropped undone.
        assert!(was_done.recv().is_err());
    }

    #[test]
    fn threads_are_not_lost_without_end() {
        let thread = start();
        let mut held = Vec::new();
        for _ in 0..LOST_MAX {
            let (hold, until) = channel();
            held.push(hold);
            let error = hang(&thread, until, SOON).unwrap_err();
            assert!(error.to_string().contains("did not answer"), "{error}");
        }
        let error = thread_id(&thread).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Timeout);
        assert!(error.to_string().contains("not tried"), "{error}");
    }

    #[test]
    fn a_call_that_panics_fails_alone() {
        let thread = start();
        let error = thread.run("break", LATE, |_| -> Result<(), WmiError> {
            panic!("as planned")
        });
        assert_eq!(error.unwrap_err().kind(), WmiErrorKind::Unavailable);
        assert!(thread_id(&thread).is_ok());
    }
}
