//! Methods that take their time: `Msvm_ConcreteJob`.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::{Clock, Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind, WmiSession};

/// The state of a job (`CIM_ConcreteJob.JobState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Not at its end yet.
    Active(u16),
    /// 7, or 32768: with warnings.
    Completed,
    /// 8, 9 or 10: ended without success.
    Failed(u16),
}

impl JobState {
    /// Reads a state. Unknown ones count as active: whoever waits has a limit of its own.
    pub fn of(number: u16) -> Self {
        match number {
            7 | 32768 => Self::Completed,
            8..=10 => Self::Failed(number),
            other => Self::Active(other),
        }
    }
}

/// How long to wait for a job, and how often to look.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When to give up.
    pub limit: Duration,
    /// Pause before the first look; it doubles up to two seconds.
    pub first_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(20 * 60),
            first_pause: Duration::from_millis(100),
        }
    }
}

/// A method that came to a good end.
#[derive(Debug, Clone)]
pub struct Completed {
    /// What the call itself gave back.
    pub output: MethodOutput,
    /// The job at its end, where there was one.
    pub job: Option<Instance>,
    /// Where the job is, for the associations to what it made.
    pub job_path: Option<ObjectPath>,
}

/// How a job ended that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// The job: what it made all the same is associated with it.
    pub job: Box<ObjectPath>,
    /// Its state: 8 terminated, 9 killed, 10 exception.
    pub state: u16,
    /// `ErrorCode`: one of Hyper-V's 32768 series, or 0.
    pub error_code: u32,
    /// `ErrorDescription`, in the host's language.
    pub description: String,
}

/// Why a method did not come to a good end.
#[derive(Debug)]
#[non_exhaustive]
pub enum MethodError {
    /// The call itself failed.
    Wmi {
        /// The method.
        method: String,
        /// What failed.
        source: WmiError,
    },
    /// The method refused at once.
    Refused {
        /// The method.
        method: String,
        /// What it returned.
        code: u32,
    },
    /// The job that it started failed.
    Job {
        /// The method.
        method: String,
        /// How it ended.
        failure: JobFailure,
    },
    /// The job did not end in time. It may still be running.
    TimedOut {
        /// The method.
        method: String,
        /// The job.
        job: Box<ObjectPath>,
        /// How long we waited.
        waited: Duration,
    },
}

impl MethodError {
    /// Returns Hyper-V's own code, of the method or of its job.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Job { failure, .. } => Some(failure.error_code),
            Self::Wmi { source, .. } => source.code(),
            Self::TimedOut { .. } => None,
        }
    }

    /// Returns whether another operation stood in the way, so that trying again later may help:
    /// 32775 invalid state, 32774 in use, or the text that VMs give which are busy.
    pub fn is_conflict(&self) -> bool {
        let busy = |code: u32| matches!(code, 32774 | 32775);
        match self {
            Self::Refused { code, .. } => busy(*code),
            Self::Job { failure, .. } => {
                busy(failure.error_code)
                    || failure
                        .description
                        .contains("currently executing a conflicting operation")
            }
            Self::Wmi { .. } | Self::TimedOut { .. } => false,
        }
    }
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wmi { method, .. } => write!(f, "{method} could not be called"),
            Self::Refused { method, code } => {
                write!(f, "{method} returned {code} ({})", return_code(*code))
            }
            Self::Job { method, failure } => {
                let (code, text) = (failure.error_code, &failure.description);
                write!(
                    f,
                    "{method} failed with {code} ({}): {text}",
                    return_code(code)
                )
            }
            Self::TimedOut { method, waited, .. } => {
                write!(f, "{method} had not ended after {} s", waited.as_secs())
            }
        }
    }
}

impl Error for MethodError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Wmi { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Returns what a return code means. Both series are in use (per-method tables of the reference;
/// in the field the 32768 series alone was seen).
fn return_code(code: u32) -> &'static str {
    match code {
        0 => "no code",
        1 | 32770 => "not supported",
        2 | 32768 => "failed",
        3 | 32772 => "timed out",
        4 | 32773 => "invalid parameter",
        5 | 32775 => "not possible in this state",
        6 | 32776 => "incorrect data type",
        32769 => "access denied",
        32771 => "status unknown",
        32774 => "in use",
        32777 => "system not available",
        32778 => "out of memory",
        32779 => "file in use or not found",
        _ => "unknown code",
    }
}

/// Calls a method and follows the job that it may start to its end.
pub fn invoke_and_wait(
    session: &dyn WmiSession,
    clock: &dyn Clock,
    patience: Patience,
    object: &ObjectPath,
    method: &str,
    parameters: &[(&str, Value)],
) -> Result<Completed, MethodError> {
    let failed = |source| MethodError::Wmi {
        method: method.to_owned(),
        source,
    };
    let output = session.invoke(object, method, parameters).map_err(failed)?;
    match output.return_value {
        0 => Ok(Completed {
            output,
            job: None,
            job_path: None,
        }),
        4096 => {
            let job = output.parameters.value("Job").to_reference();
            let job = job.ok_or_else(|| {
                let what = format!("{method} says that it started a job, and does not name it");
                failed(WmiError::new(WmiErrorKind::Protocol, what))
            })?;
            let job = if job.namespace().is_empty() {
                ObjectPath::parse(&format!("{}:{}", object.namespace(), job.relative()))
                    .unwrap_or(job)
            } else {
                job
            };
            let ended = follow(session, clock, patience, method, &job)?;
            Ok(Completed {
                output,
                job: Some(ended),
                job_path: Some(job),
            })
        }
        code => Err(MethodError::Refused {
            method: method.to_owned(),
            code,
        }),
    }
}

/// How long a host may be out of reach while it works for us.
const OUTAGE_MAX: Duration = Duration::from_secs(120);

fn is_outage(error: &WmiError) -> bool {
    matches!(
        error.kind(),
        WmiErrorKind::Unreachable | WmiErrorKind::Timeout
    )
}

/// Looks at a job until it ends. A fetched instance never changes, so it is got anew each time.
fn follow(
    session: &dyn WmiSession,
    clock: &dyn Clock,
    patience: Patience,
    method: &str,
    job: &ObjectPath,
) -> Result<Instance, MethodError> {
    let mut pause = patience.first_pause;
    let mut waited = Duration::ZERO;
    let mut unreachable = Duration::ZERO;
    loop {
        let timed_out = || MethodError::TimedOut {
            method: method.to_owned(),
            job: Box::new(job.clone()),
            waited,
        };
        let instance = match session.get(job) {
            Ok(instance) => instance,
            // The job goes on while nobody hears of it, so its name must not get lost.
            Err(error) if is_outage(&error) => {
                if unreachable >= OUTAGE_MAX || waited >= patience.limit {
                    return Err(timed_out());
                }
                clock.wait(pause);
                waited += pause;
                unreachable += pause;
                pause = (pause * 2).min(Duration::from_secs(2));
                continue;
            }
            Err(source) => {
                return Err(MethodError::Wmi {
                    method: method.to_owned(),
                    source,
                });
            }
        };
        unreachable = Duration::ZERO;
        let number = instance.number::<u16>("JobState").unwrap_or(0);
        let error_code = instance.number::<u32>("ErrorCode").unwrap_or(0);
        let failure = |state| MethodError::Job {
            method: method.to_owned(),
            failure: JobFailure {
                job: Box::new(job.clone()),
                state,
                error_code,
                description: instance.text("ErrorDescription").unwrap_or_default(),
            },
        };
        match JobState::of(number) {
            JobState::Completed if error_code == 0 || number == 32768 => return Ok(instance),
            // Some hosts call it completed and give a code all the same.
            JobState::Completed => return Err(failure(number)),
            JobState::Failed(state) => return Err(failure(state)),
            JobState::Active(_) if waited >= patience.limit => return Err(timed_out()),
            JobState::Active(_) => {}
        }
        clock.wait(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
