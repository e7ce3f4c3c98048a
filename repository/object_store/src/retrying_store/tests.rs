//! What is asked again, how often, and what a lost answer does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::FolderStore;
use crate::clock::HandClock;

/// A folder that fails as it is told, before or after it has done what it was asked.
struct Flaky {
    inner: FolderStore,
    failures: Mutex<Vec<Failure>>,
    calls: AtomicU32,
    _folder: tempfile::TempDir,
}

#[derive(Clone, Copy)]
enum Failure {
    Before(StoreErrorKind),
    AnswerLost,
}

impl Flaky {
    fn new(failures: &[Failure]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            inner: FolderStore::open(folder.path()).unwrap(),
            failures: Mutex::new(failures.iter().rev().copied().collect()),
            calls: AtomicU32::new(0),
            _folder: folder,
        }
    }

    fn call<T>(&self, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failure = self.failures.lock().unwrap().pop();
        match failure {
            None => call(),
            Some(Failure::Before(kind)) => Err(StoreError::new(kind, "x", "failed")),
            Some(Failure::AnswerLost) => {
                call()?;
                Err(StoreError::new(
                    StoreErrorKind::Unavailable,
                    "x",
                    "no answer",
                ))
            }
        }
    }
}

impl ObjectStore for &Flaky {
    fn location(&self) -> String {
        self.inner.location()
    }
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.call(|| self.inner.put_new(name, bytes))
    }
    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.call(|| self.inner.get(name, limit_bytes))
    }
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.inner.get_range(name, offset, buf)
    }
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.inner.size_bytes(name)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        self.call(|| self.inner.list(prefix, visit))
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.call(|| self.inner.remove(name))
    }
    fn now(&self) -> Result<SystemTime, StoreError> {
        self.call(|| self.inner.now())
    }
}

const AWAY: Failure = Failure::Before(StoreErrorKind::Unavailable);

fn patient(inner: &Flaky) -> RetryingStore<&Flaky, HandClock> {
    RetryingStore::with_clock(inner, RetryPolicy::default(), HandClock::default())
}

#[test]
fn a_store_that_comes_back_is_as_if_it_had_never_been_away() {
    let flaky = Flaky::new(&[AWAY, AWAY, AWAY]);
    patient(&flaky).put_new("a", b"one").unwrap();
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 4);
    assert_eq!(flaky.inner.get("a", 10).unwrap(), b"one");
}

#[test]
fn a_lost_answer_to_a_write_is_told_from_an_object_of_somebody_else() {
    let flaky = Flaky::new(&[Failure::AnswerLost]);
    patient(&flaky).put_new("a", b"one").unwrap();
    // The same length, other bytes; and another length.
    for other in [b"two".as_slice(), b"three"] {
        *flaky.failures.lock().unwrap() = vec![AWAY];
        let error = patient(&flaky).put_new("a", other).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Exists);
    }
    // Without a failure before, even our own bytes are somebody's.
    let error = patient(&flaky).put_new("a", b"one").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Exists);
}

#[test]
fn what_is_not_an_outage_is_not_tried_again() {
    for kind in [
        StoreErrorKind::NotFound,
        StoreErrorKind::NoSpace,
        StoreErrorKind::Denied,
        StoreErrorKind::Locked,
        StoreErrorKind::Io,
    ] {
        let flaky = Flaky::new(&[Failure::Before(kind)]);
        assert_eq!(patient(&flaky).now().unwrap_err().kind(), kind);
        assert_eq!(flaky.calls.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_listing_that_broke_off_visits_nothing_twice() {
    let flaky = Flaky::new(&[Failure::AnswerLost, AWAY, Failure::AnswerLost]);
    for name in ["a", "b/c", "b/d"] {
        flaky.inner.put_new(name, b"").unwrap();
    }
    let mut names = Vec::new();
    patient(&flaky)
        .list("", &mut |object| names.push(object.name))
        .unwrap();
    names.sort();
    assert_eq!(names, ["a", "b/c", "b/d"]);
    assert_eq!(flaky.calls.load(Ordering::Relaxed), 4);
}

#[test]
fn the_last_error_says_how_often_it_was_tried() {
    let flaky = Flaky::new(&[AWAY; 50]);
    let error = patient(&flaky).now().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("tried 8 times"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn attempts_waits_and_time_are_bounded(
        attempts in 1u32..40,
        first_ms in 0u64..5_000,
        longest_ms in 0u64..20_000,
        total_ms in 0u64..100_000,
    ) {
        let flaky = Flaky::new(&[AWAY; 50]);
        let policy = RetryPolicy {
            attempts,
            first_wait: Duration::from_millis(first_ms),
            longest_wait: Duration::from_millis(longest_ms),
            total: Duration::from_millis(total_ms),
        };
        let store = RetryingStore::with_clock(&flaky, policy, HandClock::default());
        prop_assert!(store.now().is_err());
        let calls = flaky.calls.load(Ordering::Relaxed);
        prop_assert!((1..=attempts).contains(&calls));
        prop_assert!(store.clock.elapsed() <= policy.total);
        prop_assert!(store.clock.elapsed() <= policy.longest_wait * (calls - 1));
        // Where time does not run out, every attempt is made.
        if u64::from(attempts) * longest_ms <= total_ms {
            prop_assert_eq!(calls, attempts);
        }
    }
}
