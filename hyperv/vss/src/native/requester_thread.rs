//! The thread that COM objects of a backup or a restore live on, and how calls get there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use super::apartment::Apartment;
use super::requester::Requester;
use crate::{Cancelled, VssError, VssErrorKind, VssStep};

/// How often a caller that waits asks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

type Call = Box<dyn FnOnce(&mut Requester) + Send>;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A step that writers take part in. A host with hundreds of VMs asks each of their guests.
    pub(super) step: Duration,
    /// Stopping a step.
    pub(super) cancel: Duration,
    /// Beyond these, until a call is given up that does not come back.
    pub(super) grace: Duration,
}

impl Default for Limits {
    /// The service has limits of its own, which are shorter; these end what those do not.
    ///
    /// Contract: 5.2 [M]
    fn default() -> Self {
        Self {
            step: Duration::from_secs(60 * 60),
            cancel: Duration::from_secs(5 * 60),
            grace: Duration::from_secs(60),
        }
    }
}

/// The way to the thread of one backup or restore, which ends when this is dropped and its last call is done.
///
/// It is not waited for, since a call that hangs in the service would hang the drop as well.
#[derive(Debug)]
pub(super) struct RequesterThread {
    calls: Sender<CallBox>,
    is_cancelled: Arc<AtomicBool>,
    is_lost: AtomicBool,
    limits: Limits,
}

/// Cancels nothing: for calls that are over at once.
pub(super) fn never() -> bool {
    false
}

/// A call on its way to the thread.
struct CallBox(Call);

impl RequesterThread {
    /// Starts the thread, enters COM there, and makes the requester.
    pub(super) fn start(
        step: VssStep,
        limits: Limits,
        make: impl FnOnce(Asking) -> Result<Requester, VssError> + Send + 'static,
    ) -> Result<Self, VssError> {
        let (calls, queue) = mpsc::channel::<CallBox>();
        let (ready, started) = mpsc::sync_channel(1);
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let asking = Asking {
            is_cancelled: is_cancelled.clone(),
            limits,
        };
        let failed = |why: &str| VssError::new(VssErrorKind::Other, step, why);
        std::thread::Builder::new()
            .name("vss".to_owned())
            .spawn(move || serve(step, || make(asking), &ready, &queue))
            .map_err(|error| failed(&format!("the thread that asks VSS cannot start: {error}")))?;
        let patience = limits.step.saturating_add(limits.grace);
        match started.recv_timeout(patience) {
            Ok(ready) => ready?,
            Err(RecvTimeoutError::Timeout) => return Err(no_answer(step, patience)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failed("the thread that asks VSS ended at its start"));
            }
        }
        Ok(Self {
            calls,
            is_cancelled,
            is_lost: AtomicBool::new(false),
            limits,
        })
    }

    /// Makes a call and waits for what it returns. While it is waited for, `cancelled` is asked
    /// again and again.
    ///
    /// # Errors
    ///
    /// Those of the call; `Retryable` where it does not come back, after which the thread is given
    /// up.
    pub(super) fn run<T: Send + 'static>(
        &self,
        step: VssStep,
        cancelled: Cancelled<'_>,
        call: impl FnOnce(&mut Requester) -> Result<T, VssError> + Send + 'static,
    ) -> Result<T, VssError> {
        if self.is_lost.load(Ordering::SeqCst) {
            return Err(lost(step));
        }
        self.is_cancelled.store(false, Ordering::SeqCst);
        let (done, answer) = mpsc::sync_channel(1);
        // Nobody may be waiting any more; there is nobody to tell.
        let call = move |vss: &mut Requester| drop(done.send(call(vss)));
        if self.calls.send(CallBox(Box::new(call))).is_err() {
            return Err(ended(step));
        }
        let limits = self.limits;
        let patience = limits.step + limits.cancel + limits.grace;
        let started = Instant::now();
        let mut stopped = None;
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(ended(step)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if stopped.is_none() && cancelled() {
                self.is_cancelled.store(true, Ordering::SeqCst);
                stopped = Some(Instant::now());
            }
            let stopping = stopped.map(|since| since.elapsed()).unwrap_or_default();
            if started.elapsed() > patience || stopping > limits.cancel + limits.grace {
                self.is_lost.store(true, Ordering::SeqCst);
                return Err(no_answer(step, started.elapsed()));
            }
        }
    }
}

/// What a requester knows of who asks it.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) is_cancelled: Arc<AtomicBool>,
    pub(super) limits: Limits,
}

/// The thread: enters COM, makes the requester, makes calls until nobody can ask any more, lets the
/// requester go, leaves COM.
fn serve(
    step: VssStep,
    make: impl FnOnce() -> Result<Requester, VssError>,
    ready: &SyncSender<Result<(), VssError>>,
    calls: &Receiver<CallBox>,
) {
    let made = Apartment::enter(step).and_then(|apartment| {
        let requester = make()?;
        Ok((apartment, requester))
    });
    // What comes last is dropped first, so COM is left after the requester has gone.
    let (_apartment, mut requester) = match made {
        Ok(made) => made,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    if ready.send(Ok(())).is_ok() {
        for CallBox(call) in calls {
            call(&mut requester);
        }
    }
}

fn ended(step: VssStep) -> VssError {
    let what = format!("{step}: the thread that asks VSS ended");
    VssError::new(VssErrorKind::Other, step, what)
}

fn lost(step: VssStep) -> VssError {
    let what = format!("{step}: not tried, since a call before it never came back");
    VssError::new(VssErrorKind::Other, step, what)
}

fn no_answer(step: VssStep, after: Duration) -> VssError {
    let what = format!(
        "{step}: the service did not answer within {} s; whether it still will is unknown",
        after.as_secs()
    );
    VssError::new(VssErrorKind::Retryable, step, what)
}
