//! A store that takes no more than its share of the line.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{
    BandwidthPlan, Clock, ObjectInfo, ObjectRetention, ObjectStore, OsClock, StoreError,
    StoreErrorKind,
};

/// The longest sleep: the rate may be another one after that.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// Parts of a byte that are counted.
const NANO: u128 = 1_000_000_000;

/// What a store may take at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes per second that are written.
    pub upload: BandwidthPlan,
    /// Bytes per second that are read.
    pub download: BandwidthPlan,
    /// Calls that are under way at once; at least one.
    pub requests: usize,
}

impl Default for StoreLimits {
    /// No bandwidth limit, 64 calls at once.
    fn default() -> Self {
        Self {
            upload: BandwidthPlan::default(),
            download: BandwidthPlan::default(),
            requests: 64,
        }
    }
}

/// A store whose traffic and number of calls at once are bounded.
///
/// Objects go whole, so the limit holds on the average: an object is sent or fetched at the speed
/// of the line, and the next one waits until the limit has caught up. What was not used before is
/// not saved up. Lists, sizes and removals are not counted.
pub struct LimitedStore<S, C = OsClock> {
    inner: S,
    clock: C,
    upload: Bucket,
    download: Bucket,
    requests: Semaphore,
}

impl<S: ObjectStore> LimitedStore<S> {
    /// Bounds what `inner` is asked.
    pub fn new(inner: S, limits: StoreLimits) -> Self {
        Self::with_clock(inner, limits, OsClock::new())
    }
}

impl<S: ObjectStore, C: Clock> LimitedStore<S, C> {
    /// Bounds what `inner` is asked, by another clock than the machine's.
    pub fn with_clock(inner: S, limits: StoreLimits, clock: C) -> Self {
        Self {
            inner,
            clock,
            upload: Bucket::new(limits.upload),
            download: Bucket::new(limits.download),
            requests: Semaphore::new(limits.requests),
        }
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

/// Bytes that went over the line and that the limit has not caught up with yet.
struct Bucket {
    plan: BandwidthPlan,
    state: Mutex<Debt>,
}

#[derive(Default)]
struct Debt {
    /// In billionths of a byte, so that nothing is lost between two looks at the clock.
    nano_bytes: u128,
    counted_until: Duration,
}

impl Bucket {
    fn new(plan: BandwidthPlan) -> Self {
        Self {
            plan,
            state: Mutex::default(),
        }
    }

    /// Returns once nothing is owed, and owes `bytes` from then on.
    fn take(&self, bytes: u64, clock: &impl Clock) {
        while let Some(wait) = self.take_or_wait(bytes, clock) {
            clock.sleep(wait.min(LONGEST_SLEEP));
        }
    }

    fn take_or_wait(&self, bytes: u64, clock: &impl Clock) -> Option<Duration> {
        let mut debt = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.elapsed();
        let passed = now.saturating_sub(debt.counted_until);
        debt.counted_until = now;
        let Some(rate) = self.plan.rate_at(clock.minute_of_day()).limit() else {
            debt.nano_bytes = 0;
            return None;
        };
        let rate = u128::from(rate.get());
        debt.nano_bytes = debt
            .nano_bytes
            .saturating_sub(passed.as_nanos().saturating_mul(rate));
        if debt.nano_bytes > 0 {
            let nanos = u64::try_from(debt.nano_bytes.div_ceil(rate)).unwrap_or(u64::MAX);
            return Some(Duration::from_nanos(nanos));
        }
        debt.nano_bytes = u128::from(bytes) * NANO;
        None
    }

    /// Owes `bytes` more.
    fn owe(&self, bytes: u64) {
        let mut debt = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        debt.nano_bytes = debt.nano_bytes.saturating_add(u128::from(bytes) * NANO);
    }
}

/// So many at once and no more.
struct Semaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count.max(1)),
            freed: Condvar::new(),
        }
    }

    fn acquire(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_sub(1);
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free += 1;
        self.0.freed.notify_one();
    }
}

impl<S: ObjectStore, C: Clock> ObjectStore for LimitedStore<S, C> {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.upload.take(bytes.len() as u64, &self.clock);
        let _permit = self.requests.acquire();
        self.inner.put_new(name, bytes)
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        // How long it is, is known afterwards: the debt is taken on then, and the next one waits.
        self.download.take(0, &self.clock);
        let permit = self.requests.acquire();
        let bytes = self.inner.get(name, limit_bytes)?;
        drop(permit);
        self.download.owe(bytes.len() as u64);
        Ok(bytes)
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.download.take(buf.len() as u64, &self.clock);
        let _permit = self.requests.acquire();
        self.inner.get_range(name, offset, buf)
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        let _permit = self.requests.acquire();
        self.inner.size_bytes(name)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        // What is visited may ask the store again: a listing holds nobody up.
        self.inner.list(prefix, visit)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let _permit = self.requests.acquire();
        self.inner.remove(name)
    }

    fn now(&self) -> Result<SystemTime, StoreError> {
        let _permit = self.requests.acquire();
        self.inner.now()
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        let _permit = self.requests.acquire();
        self.inner.free_bytes()
    }

    fn retention(&self) -> Option<&dyn ObjectRetention> {
        self.inner.retention().map(|_| self as &dyn ObjectRetention)
    }
}

impl<S: ObjectStore, C: Clock> ObjectRetention for LimitedStore<S, C> {
    fn new_objects_until(&self) -> Result<SystemTime, StoreError> {
        self.inner_retention()?.new_objects_until()
    }

    fn locked_until(&self, name: &str) -> Result<Option<SystemTime>, StoreError> {
        let _permit = self.requests.acquire();
        self.inner_retention()?.locked_until(name)
    }

    fn extend(&self, name: &str, until: SystemTime) -> Result<(), StoreError> {
        let _permit = self.requests.acquire();
        self.inner_retention()?.extend(name, until)
    }
}

#[cfg(test)]
mod tests;
