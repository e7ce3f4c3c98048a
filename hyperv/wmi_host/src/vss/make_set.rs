//! Trying until there is a set of snapshots (contract 5.1, 5.3).
//!
//! One VM that fails lets the writer fail for all that are with it. So a VM that is named is taken
//! out and the set made again for the others; where nobody is named, each tries alone.

use hyperv_host::{HostError, HostErrorKind, Retry};
use uuid::Uuid;

use super::attempt::{Attempt, Made};
use super::attempt_failure::{Failure, TakenOut};
use super::candidate::Candidate;
use crate::backup::patience::Tries;

/// A writer's failure is tried again at least once (`VSS_E_WRITERERROR_RETRYABLE`).
const ATTEMPTS_MIN: u32 = 2;

/// What came of trying.
pub(super) struct Outcome {
    /// The set, with its VMs.
    pub(super) made: Option<(Made, Vec<Candidate>)>,
    /// The VMs that are not in it.
    pub(super) out: Vec<(Candidate, TakenOut)>,
}

/// Tries until there is a set for as many of the VMs as can be had.
pub(super) fn make_set(attempt: &Attempt<'_>, vms: Vec<Candidate>, retry: Retry) -> Outcome {
    let mut trying = Trying {
        attempt,
        vms,
        out: Vec::new(),
        writer: tries(retry),
        others: tries(retry),
    };
    let made = trying.run();
    let Trying { vms, out, .. } = trying;
    Outcome {
        made: made.map(|made| (made, vms)),
        out,
    }
}

fn tries(retry: Retry) -> Tries {
    Tries::new(Retry {
        attempts: retry.attempts.max(ATTEMPTS_MIN),
        ..retry
    })
}

struct Trying<'a> {
    attempt: &'a Attempt<'a>,
    vms: Vec<Candidate>,
    out: Vec<(Candidate, TakenOut)>,
    /// Patience with the writer.
    writer: Tries,
    /// Patience with other requesters.
    others: Tries,
}

impl Trying<'_> {
    fn run(&mut self) -> Option<Made> {
        while !self.vms.is_empty() {
            if self.attempt.observer.cancelled() {
                let error = HostError::new(HostErrorKind::Cancelled, "the run was stopped");
                self.all_out(&error, false);
                break;
            }
            let pause = match self.attempt.run(&mut self.vms) {
                Ok(made) => return Some(made),
                Err(Failure::Vms(failed)) => {
                    self.take_out(failed);
                    continue;
                }
                Err(Failure::Retry(error)) => self.writer.next_pause().ok_or((error, true)),
                Err(Failure::Busy(error)) => self.others.next_pause().ok_or((error, true)),
                Err(Failure::Final(error)) => Err((error, true)),
                Err(Failure::Hopeless(error)) => Err((error, false)),
            };
            match pause {
                Ok(pause) => {
                    self.begin_anew();
                    self.attempt
                        .observer
                        .step("waiting: volume snapshots could not be made");
                    self.pause(pause);
                }
                Err((error, alone)) => self.all_out(&error, alone && self.vms.len() > 1),
            }
        }
        None
    }

    fn pause(&self, pause: std::time::Duration) {
        if let Some(vm) = self.vms.first() {
            vm.link.pause(pause, Some(self.attempt.observer));
        }
    }

    /// Takes VMs out that failed by themselves, and lets the others begin anew at once. One that is
    /// alone and may succeed is tried again as the set is; so are all where those that failed are
    /// not among them.
    fn take_out(&mut self, failed: Vec<(Uuid, TakenOut)>) {
        // One that is taken out does not wait for the others' next tries.
        self.give_back_power();
        let is_alone = self.vms.len() == 1;
        let mut pause = None;
        let mut is_shorter = false;
        let mut stranger = None;
        for (id, why) in failed {
            let Some(at) = self.vms.iter().position(|vm| vm.id() == id) else {
                stranger = Some(why.error);
                continue;
            };
            if is_alone && why.is_retryable {
                pause = self.writer.next_pause();
                if pause.is_some() {
                    continue;
                }
            }
            let vm = self.vms.remove(at);
            self.out.push((vm, why));
            is_shorter = true;
        }
        if !is_shorter && pause.is_none() {
            pause = self.writer.next_pause();
            if pause.is_none() {
                let error = stranger.unwrap_or_else(nobody_failed);
                return self.all_out(&error, self.vms.len() > 1);
            }
        }
        self.begin_anew();
        if let Some(pause) = pause {
            let text = "waiting: the host's writer failed with the VM";
            self.attempt.observer.step(text);
            self.pause(pause);
        }
    }

    /// Lets all VMs that were saved run again, before anything else is waited for. What cannot be
    /// given back is tried again, and told, as each ends or begins anew.
    fn give_back_power(&mut self) {
        for vm in &mut self.vms {
            let _ = vm.give_back_power();
        }
    }

    /// Nothing is stacked on what a failed try has left (requirement X-01).
    fn begin_anew(&mut self) {
        self.give_back_power();
        let vms = std::mem::take(&mut self.vms);
        for mut vm in vms {
            match vm.begin_anew() {
                Ok(()) => self.vms.push(vm),
                Err(error) => self.out.push((vm, TakenOut::for_now(error))),
            }
        }
    }

    fn all_out(&mut self, error: &HostError, is_retryable: bool) {
        self.give_back_power();
        for vm in self.vms.drain(..) {
            let error = copy_of(error);
            let why = match is_retryable {
                true => TakenOut::for_now(error),
                false => TakenOut::for_good(error),
            };
            self.out.push((vm, why));
        }
    }
}

fn nobody_failed() -> HostError {
    let text = "the writer failed, and named none of the VMs";
    HostError::new(HostErrorKind::Busy, text)
}

/// Says the same to another VM of the set.
pub(super) fn copy_of(error: &HostError) -> HostError {
    let copy = HostError::new(error.kind(), error.to_string());
    match error.hint_text() {
        Some(hint) => copy.hint(hint),
        None => copy,
    }
}
