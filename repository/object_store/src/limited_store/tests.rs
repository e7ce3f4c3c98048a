//! What passes in how long, and how many at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use proptest::prelude::*;

use super::*;
use crate::Rate;
use crate::clock::HandClock;

/// Keeps nothing; counts who is in it.
#[derive(Default)]
struct Counter {
    inside: AtomicUsize,
    most: AtomicUsize,
    meet: Option<Barrier>,
}

impl ObjectStore for &Counter {
    fn location(&self) -> String {
        "counter".to_owned()
    }
    fn put_new(&self, _: &str, _: &[u8]) -> Result<(), StoreError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        if let Some(meet) = &self.meet {
            meet.wait();
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
    fn get(&self, _: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        Ok(vec![0; usize::try_from(limit_bytes).unwrap()])
    }
    fn get_range(&self, _: &str, _: u64, _: &mut [u8]) -> Result<(), StoreError> {
        Ok(())
    }
    fn size_bytes(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn list(&self, _: &str, _: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        Ok(())
    }
    fn remove(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
    fn now(&self) -> Result<SystemTime, StoreError> {
        Ok(SystemTime::UNIX_EPOCH)
    }
}

fn limited<'a>(
    counter: &'a Counter,
    plan: &str,
    clock: &Arc<HandClock>,
) -> LimitedStore<&'a Counter, Arc<HandClock>> {
    let plan: BandwidthPlan = plan.parse().unwrap();
    let limits = StoreLimits {
        upload: plan.clone(),
        download: plan,
        requests: 2,
    };
    LimitedStore::with_clock(counter, limits, Arc::clone(clock))
}

#[test]
fn up_and_down_each_keep_to_the_rate() {
    let (counter, clock) = (Counter::default(), Arc::new(HandClock::default()));
    let store = limited(&counter, "default=1000", &clock);
    for _ in 0..11 {
        store.put_new("a", &[0; 500]).unwrap();
    }
    // The first goes at once; ten times half a second's worth is waited for.
    assert_eq!(clock.elapsed(), Duration::from_secs(5));
    store.get("a", 3000).unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(5));
    store.get_range("a", 0, &mut [0; 10]).unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(8));
}

#[test]
fn an_idle_hour_is_not_saved_up() {
    let (counter, clock) = (Counter::default(), Arc::new(HandClock::default()));
    let store = limited(&counter, "default=1000", &clock);
    clock.turn(Duration::from_secs(3600));
    store.put_new("a", &[0; 1000]).unwrap();
    store.put_new("a", &[0; 1000]).unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(3601));
}

#[test]
fn a_window_that_opens_ends_the_wait() {
    let counter = Counter::default();
    let clock = Arc::new(HandClock::starting_at(21 * 60 + 59));
    let store = limited(&counter, "22:00-06:00=unlimited,default=1", &clock);
    store.put_new("a", &[0; 100_000]).unwrap();
    store.put_new("a", &[0; 100_000]).unwrap();
    assert_eq!(clock.elapsed(), Duration::from_secs(60));
    for _ in 0..100 {
        store.put_new("a", &[0; 100_000]).unwrap();
    }
    assert_eq!(clock.elapsed(), Duration::from_secs(60));
}

#[test]
fn no_more_calls_than_allowed_are_under_way_and_no_fewer() {
    // Two meet in the store or nobody leaves it.
    let counter = Counter {
        meet: Some(Barrier::new(2)),
        ..Counter::default()
    };
    let clock = Arc::new(HandClock::default());
    let store = limited(&counter, "default=unlimited", &clock);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| store.put_new("a", b"").unwrap());
        }
    });
    assert_eq!(counter.most.load(Ordering::SeqCst), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_more_than_the_rate_and_one_object(
        rate in 1u64..1_000_000,
        objects in prop::collection::vec((0usize..200_000, 0u64..3_000), 1..20),
    ) {
        let (counter, clock) = (Counter::default(), Arc::new(HandClock::default()));
        let limits = StoreLimits {
            upload: BandwidthPlan::always(Rate::bytes_per_second(rate).unwrap()),
            ..StoreLimits::default()
        };
        let store = LimitedStore::with_clock(&counter, limits, Arc::clone(&clock));
        let mut before = 0u128;
        for (len, idle_ms) in objects {
            clock.turn(Duration::from_millis(idle_ms));
            store.put_new("a", &vec![0; len]).unwrap();
            // All but the last object fit into the time that has passed.
            prop_assert!(before * NANO <= u128::from(rate) * clock.elapsed().as_nanos());
            before += len as u128;
        }
    }
}
