//! How far a stage got, at what rate, and how long it will take.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{ProgressMode, duration, err, json_line, out, size};

/// Time between two lines where nobody watches.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two JSON lines.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// What is going on: for people one text, for programs two.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) vm: Option<String>,
    /// Which of how many, from 1.
    pub(super) turn: Option<(usize, usize)>,
    /// Things are counted, not bytes.
    pub(super) counted: bool,
}

impl Stage {
    fn amount(&self, number: u64) -> String {
        match self.counted {
            true => number.to_string(),
            false => size(number),
        }
    }

    fn text(&self) -> String {
        let turn = match self.turn {
            Some((number, count)) if count > 1 => format!("[{number}/{count}] "),
            _ => String::new(),
        };
        match &self.vm {
            Some(vm) => format!("{turn}{} {vm}", self.name),
            None => format!("{turn}{}", self.name),
        }
    }
}

/// Shows how one stage gets on. Shared between threads.
pub(crate) struct Progress {
    mode: ProgressMode,
    stage: Stage,
    total_bytes: u64,
    done_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    begun: Instant,
    said: Mutex<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn start(mode: ProgressMode, stage: Stage, total_bytes: u64) -> Self {
        let bar = (mode == ProgressMode::Tty).then(|| bar(&stage, total_bytes));
        let begun = Instant::now();
        let progress = Self {
            mode,
            stage: stage.clone(),
            total_bytes,
            done_bytes: AtomicU64::new(0),
            stored_bytes: AtomicU64::new(0),
            begun,
            said: Mutex::new(begun),
            bar,
        };
        match mode {
            ProgressMode::Json => out(&json_line(
                "stage",
                &json!({ "stage": stage.name, "vm": stage.vm, "state": "started", "total": total_bytes }),
            )),
            ProgressMode::Lines if total_bytes > 0 => {
                err(&format!("{}: {}", stage.text(), stage.amount(total_bytes)));
            }
            _ => {}
        }
        progress
    }

    /// `done` more bytes of the stage are done, for which `stored` were added somewhere.
    pub(crate) fn advance(&self, done: u64, stored: u64) {
        let total_done = self.done_bytes.fetch_add(done, Ordering::Relaxed) + done;
        self.stored_bytes.fetch_add(stored, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(total_done);
        }
        let every = match self.mode {
            ProgressMode::Lines => LINE_EVERY,
            ProgressMode::Json => JSON_EVERY,
            _ => return,
        };
        // Whoever finds the lock taken leaves the saying to the other thread.
        let Ok(mut said) = self.said.try_lock() else {
            return;
        };
        if said.elapsed() >= every {
            *said = Instant::now();
            self.say();
        }
    }

    fn say(&self) {
        let done = self.done_bytes.load(Ordering::Relaxed);
        let stored = self.stored_bytes.load(Ordering::Relaxed);
        let rate = rate(done, self.begun.elapsed());
        let left = self.total_bytes.saturating_sub(done).checked_div(rate);
        if self.mode == ProgressMode::Json {
            out(&json_line(
                "progress",
                &json!({ "stage": self.stage.name, "vm": self.stage.vm, "done": done, "total": self.total_bytes,
                         "rate": rate, "eta_s": left, "stored": stored }),
            ));
            return;
        }
        let percent = done.saturating_mul(100).checked_div(self.total_bytes);
        let left = left.map_or_else(String::new, |seconds| {
            format!(", {} left", duration(Duration::from_secs(seconds)))
        });
        err(&format!(
            "{}: {} %, {}/s{left}",
            self.stage.text(),
            percent.unwrap_or(100).min(100),
            self.stage.amount(rate)
        ));
    }

    /// Says that the stage is done.
    pub(crate) fn finish(self) {
        let done = self.done_bytes.load(Ordering::Relaxed);
        let elapsed = self.begun.elapsed();
        match self.mode {
            ProgressMode::Json => out(&json_line(
                "stage",
                &json!({ "stage": self.stage.name, "vm": self.stage.vm, "state": "done", "done": done,
                         "stored": self.stored_bytes.load(Ordering::Relaxed),
                         "ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) }),
            )),
            ProgressMode::Lines => err(&format!(
                "{}: done in {}, {}/s",
                self.stage.text(),
                duration(elapsed),
                self.stage.amount(rate(done, elapsed))
            )),
            _ => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Bytes per second.
fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / millis
}

fn bar(stage: &Stage, total_bytes: u64) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(Some(total_bytes), ProgressDrawTarget::stderr_with_hz(8));
    // The template is a constant that works; without it the plain bar still does.
    let template = match stage.counted {
        true => "{msg}  {bar:24}  {percent:>3} %  {pos}/{len}  eta {eta_precise}",
        false => "{msg}  {bar:24}  {percent:>3} %  {binary_bytes_per_sec}  eta {eta_precise}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(stage.text());
    bar
}
