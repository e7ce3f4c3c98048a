//! How the scenarios of a matrix are played: a seeded sample by default, all of them with
//! `LIFEBOAT_SLOW_TESTS=1`, or those that `LIFEBOAT_SCENARIO=text` names.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the sample is drawn with.
const SEED: u64 = 20_261_121;

/// Plays a sample of `count` scenarios, all of them, or those that are named, and prints how many
/// there are. `fits` says whether a scenario that was drawn is added to those drawn before it.
#[expect(clippy::print_stdout, reason = "how many there are is worth knowing")]
pub(crate) fn play_all<T: fmt::Display + Sync>(
    mut all: Vec<T>,
    count: usize,
    fits: impl Fn(&[T], &T) -> bool,
    play: impl Fn(&T) + Sync,
) {
    let total = all.len();
    let whole = std::env::var_os("LIFEBOAT_SLOW_TESTS").is_some();
    let scenarios = match std::env::var("LIFEBOAT_SCENARIO") {
        Ok(text) => {
            all.retain(|scenario| scenario.to_string().contains(&text));
            all
        }
        Err(_) if whole => all,
        Err(_) => sample(all, count, fits),
    };
    println!("{} of {total} scenarios", scenarios.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let play = std::panic::AssertUnwindSafe(|| play(scenario));
                    if let Err(panic) = std::panic::catch_unwind(play) {
                        let text = panic
                            .downcast_ref::<String>()
                            .cloned()
                            .unwrap_or_else(|| format!("{:?}", panic.downcast_ref::<&str>()));
                        failed.lock().unwrap().push(format!("{scenario}: {text}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Draws `count` of them; each run of the test draws the same.
fn sample<T>(mut scenarios: Vec<T>, count: usize, fits: impl Fn(&[T], &T) -> bool) -> Vec<T> {
    let mut state = SEED;
    let mut sample = Vec::new();
    while sample.len() < count && !scenarios.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let at = usize::try_from(state >> 33).unwrap() % scenarios.len();
        let drawn = scenarios.swap_remove(at);
        if fits(&sample, &drawn) {
            sample.push(drawn);
        }
    }
    sample
}
