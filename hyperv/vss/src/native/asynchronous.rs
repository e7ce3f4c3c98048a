//! Waiting for what the service does in its own time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windows_core::HRESULT;

use super::bindings::IVssAsync;
use super::foreign_text::{check, failure};
use crate::{VssError, VssErrorKind, VssStep};

const PENDING: u32 = 0x0004_2309;
const CANCELLED: u32 = 0x0004_230B;

/// How long one wait is, in milliseconds, after which the person and the clock are asked.
const SLICE_MS: u32 = 100;

/// What ends a wait before its time.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    /// The person asked to stop.
    pub(super) is_cancelled: &'a AtomicBool,
    /// How long the step may take.
    pub(super) limit: Duration,
    /// How long the service may take to stop once it was told to.
    pub(super) cancel_limit: Duration,
}

impl Waiting<'_> {
    /// Waits for what a call began.
    ///
    /// # Errors
    ///
    /// What the service says; `Cancelled`; `Retryable` after the limit.
    pub(super) fn end_of(
        &self,
        begun: windows_core::Result<IVssAsync>,
        step: VssStep,
        what: &str,
    ) -> Result<(), VssError> {
        let running = begun.map_err(|error| failure(&error, step, what))?;
        let started = Instant::now();
        loop {
            if let Some(code) = wait(&running, step, what)? {
                return ended(code, step, what);
            }
            let stop = if self.is_cancelled.load(Ordering::SeqCst) {
                let what = format!("{what} was stopped");
                VssError::new(VssErrorKind::Cancelled, step, what)
            } else if started.elapsed() >= self.limit {
                let what = format!("{what} took longer than {} s", self.limit.as_secs());
                VssError::new(VssErrorKind::Retryable, step, what)
            } else {
                continue;
            };
            self.stop(&running, step, what)?;
            return Err(stop);
        }
    }

    /// Tells the service to stop, and waits until it has: what is still at work must not meet the
    /// abort.
    fn stop(&self, running: &IVssAsync, step: VssStep, what: &str) -> Result<(), VssError> {
        // SAFETY: a plain call. Where it fails, the wait below says how it goes on.
        let _ = unsafe { running.Cancel() };
        let told = Instant::now();
        while told.elapsed() < self.cancel_limit {
            if wait(running, step, what)?.is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// Waits a little; returns how the work ended, if it has.
///
/// Where the service does not wait for a part of the time that it may, this does.
///
/// Contract: 5.2 [M]
fn wait(running: &IVssAsync, step: VssStep, what: &str) -> Result<Option<u32>, VssError> {
    let started = Instant::now();
    // SAFETY: a plain call. Where it fails, the status says why.
    let _ = unsafe { running.Wait(SLICE_MS) };
    let mut code = HRESULT(0);
    // SAFETY: `code` is a place for the answer; the second is reserved.
    let asked = unsafe { running.QueryStatus(&raw mut code, std::ptr::null_mut()) };
    check(asked, step, what)?;
    let code = code.0.cast_unsigned();
    if code != PENDING {
        return Ok(Some(code));
    }
    let slice = Duration::from_millis(SLICE_MS.into());
    thread::sleep(slice.saturating_sub(started.elapsed()));
    Ok(None)
}

fn ended(code: u32, step: VssStep, what: &str) -> Result<(), VssError> {
    if code == CANCELLED {
        let what = format!("{what} was stopped");
        return Err(VssError::new(VssErrorKind::Cancelled, step, what).with_code(code));
    }
    check(HRESULT(code.cast_signed()), step, what)
}
