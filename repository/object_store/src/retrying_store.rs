//! A store that is asked again where asking again may help.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use crate::{Clock, ObjectInfo, ObjectRetention, ObjectStore, OsClock, StoreError, StoreErrorKind};

/// Bytes that are read at a time to see whether an object is ours.
const COMPARE_BYTES: usize = 4 << 20;

/// How often and for how long a store is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls in all, the first one included; at least one is made.
    pub attempts: u32,
    /// The longest wait before the second call; it doubles for each call after that.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// Nothing is tried again once so much time would have passed since the first call.
    pub total: Duration,
}

impl Default for RetryPolicy {
    /// Eight calls within ten minutes: outlasts the restart of a server, not its replacement.
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// A store whose calls are made again where it did not answer ([`StoreErrorKind::Unavailable`]).
///
/// Each wait is random between nothing and a bound that doubles, so that many hosts that met the
/// same outage do not come back in step. Every call of a store may be made twice: reads change
/// nothing, removing what is gone is no error, and a write whose answer was lost meets its own
/// object, which is told by its bytes. No other failure is tried again.
pub struct RetryingStore<S, C = OsClock> {
    inner: S,
    policy: RetryPolicy,
    clock: C,
}

impl<S: ObjectStore> RetryingStore<S> {
    /// Asks `inner` again as often as `policy` says.
    pub fn new(inner: S, policy: RetryPolicy) -> Self {
        Self::with_clock(inner, policy, OsClock::new())
    }
}

impl<S: ObjectStore, C: Clock> RetryingStore<S, C> {
    /// Asks `inner` again as often as `policy` says, by another clock than the machine's.
    pub fn with_clock(inner: S, policy: RetryPolicy, clock: C) -> Self {
        Self {
            inner,
            policy,
            clock,
        }
    }

    fn retry<T>(
        &self,
        mut call: impl FnMut(u32) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let started = self.clock.elapsed();
        let mut bound = self.policy.first_wait;
        let mut attempt = 1;
        loop {
            let error = match call(attempt) {
                Err(error) if error.kind() == StoreErrorKind::Unavailable => error,
                result => return result,
            };
            let wait = jitter(bound.min(self.policy.longest_wait));
            let passed = self.clock.elapsed().saturating_sub(started);
            if attempt >= self.policy.attempts || passed.saturating_add(wait) > self.policy.total {
                return Err(error.after_attempts(attempt));
            }
            self.clock.sleep(wait);
            bound = bound.saturating_mul(2);
            attempt += 1;
        }
    }

    /// Returns whether an object has these very bytes.
    fn holds(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        if u64::try_from(bytes.len()).ok() != Some(self.inner.size_bytes(name)?) {
            return Ok(false);
        }
        let mut buf = vec![0; COMPARE_BYTES.min(bytes.len())];
        let mut offset = 0;
        for expected in bytes.chunks(COMPARE_BYTES) {
            let Some(found) = buf.get_mut(..expected.len()) else {
                return Ok(false);
            };
            self.inner.get_range(name, offset, found)?;
            if found != expected {
                return Ok(false);
            }
            offset += expected.len() as u64;
        }
        Ok(true)
    }

    fn inner_retention(&self) -> Result<&dyn ObjectRetention, StoreError> {
        self.inner.retention().ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Unsupported,
                &self.inner.location(),
                "this store cannot lock objects",
            )
        })
    }
}

/// Returns a random part of `bound`.
fn jitter(bound: Duration) -> Duration {
    let mut random = [0; 4];
    // Without random numbers the whole bound is waited: late, but right.
    if getrandom::fill(&mut random).is_err() {
        return bound;
    }
    bound.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

impl<S: ObjectStore, C: Clock> ObjectStore for RetryingStore<S, C> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.retry(|attempt| match self.inner.put_new(name, bytes) {
            // The answer to an earlier call may have been lost, not the call.
            Err(error) if error.kind() == StoreErrorKind::Exists && attempt > 1 => {
                match self.holds(name, bytes)? {
                    true => Ok(()),
                    false => Err(error),
                }
            }
            result => result,
        })
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.retry(|_| self.inner.get(name, limit_bytes))
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.retry(|_| self.inner.get_range(name, offset, buf))
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.retry(|_| self.inner.size_bytes(name))
    }

    /// What was visited before a failure is not visited again. Of names, 16 bytes each are kept.
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        let keys = (RandomState::new(), RandomState::new());
        let mut seen = HashSet::new();
        self.retry(|_| {
            self.inner.list(prefix, &mut |object| {
                let print = (keys.0.hash_one(&object.name), keys.1.hash_one(&object.name));
                if seen.insert(print) {
                    visit(object);
                }
            })
        })
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.retry(|_| self.inner.remove(name))
    }

    fn now(&self) -> Result<SystemTime, StoreError> {
        self.retry(|_| self.inner.now())
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.retry(|_| self.inner.free_bytes())
    }

    fn retention(&self) -> Option<&dyn ObjectRetention> {
        self.inner.retention().map(|_| self as &dyn ObjectRetention)
    }
}

impl<S: ObjectStore, C: Clock> ObjectRetention for RetryingStore<S, C> {
    fn new_objects_until(&self) -> Result<SystemTime, StoreError> {
        self.retry(|_| self.inner_retention()?.new_objects_until())
    }

    fn locked_until(&self, name: &str) -> Result<Option<SystemTime>, StoreError> {
        self.retry(|_| self.inner_retention()?.locked_until(name))
    }

    fn extend(&self, name: &str, until: SystemTime) -> Result<(), StoreError> {
        self.retry(|_| self.inner_retention()?.extend(name, until))
    }
}

#[cfg(test)]
mod tests;
