//! One command as a process, with all that it starts.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap};

use super::captured::Captured;
use super::{CommandContext, CommandLine, CommandOutcome, CommandReport, Waiting};

/// How often a command is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How many more looks its output gets when it has ended.
const LAST_LOOKS: usize = 50;

/// How a command is run.
pub(crate) struct Process<'a> {
    pub(crate) waiting: &'a dyn Waiting,
    pub(crate) time_limit: Duration,
    /// Says whether the person wants it to end.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

impl Process<'_> {
    /// Runs a command to its end, or ends it with all that it has started.
    pub(crate) fn run(&self, line: &CommandLine, context: &CommandContext<'_>) -> CommandReport {
        let mut report = CommandReport {
            stage: context.stage(),
            vm: context.vm.map(|(name, _)| name.to_owned()),
            command: line.to_string(),
            outcome: CommandOutcome::NotStarted,
            exit_code: None,
            milliseconds: 0,
            output: String::new(),
            output_cut: false,
            error: None,
            ignored: false,
        };
        let started = self.waiting.now();
        let mut child = match start(line, context) {
            Ok(child) => child,
            Err(error) => {
                report.error = Some(error.to_string());
                return report;
            }
        };
        let captured = Captured::default();
        if let Some(output) = child.stdout().take() {
            captured.read(output);
        }
        if let Some(output) = child.stderr().take() {
            captured.read(output);
        }
        let (outcome, status) = self.wait(&mut *child, started);
        // What was ended prints no more; what ended by itself may have left something in the pipe.
        for _ in 0..LAST_LOOKS {
            if captured.is_whole() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        let took = self.waiting.now().saturating_duration_since(started);
        report.outcome = outcome;
        report.exit_code = status.and_then(|status| status.code());
        report.milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        (report.output, report.output_cut) = captured.text();
        report
    }

    fn wait(
        &self,
        child: &mut dyn ChildWrapper,
        started: Instant,
    ) -> (CommandOutcome, Option<ExitStatus>) {
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => {
                    return (CommandOutcome::Success, Some(status));
                }
                Ok(Some(status)) => return (CommandOutcome::Failed, Some(status)),
                Ok(None) => {}
                // Whether it did what it should nobody can say any more.
                Err(_) => {
                    end(child);
                    return (CommandOutcome::Failed, None);
                }
            }
            if (self.cancelled)() {
                end(child);
                return (CommandOutcome::Cancelled, None);
            }
            let took = self.waiting.now().saturating_duration_since(started);
            if took >= self.time_limit {
                end(child);
                return (CommandOutcome::TimedOut, None);
            }
            self.waiting.pause(LOOK);
        }
    }
}

/// Ends a command and all that it has started.
fn end(child: &mut dyn ChildWrapper) {
    // It may have ended by itself just now, and then there is nothing to end.
    if child.start_kill().is_ok() {
        drop(child.wait());
    }
}

fn start(line: &CommandLine, context: &CommandContext<'_>) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = match line {
        CommandLine::Shell(line) => shell(line),
        CommandLine::Program { program, arguments } => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    };
    // What opens the repository is no business of the command.
    for (name, _) in std::env::vars_os() {
        if is_own_variable(&name) {
            command.env_remove(name);
        }
    }
    command
        .envs(context.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::std::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::std::JobObject);
    command.spawn()
}

/// Returns whether a variable is one of this program's: on Windows names have no case, and
/// elsewhere nobody else's begin so.
fn is_own_variable(name: &OsStr) -> bool {
    const OURS: &str = "LIFEBOAT_";
    let name = name.to_string_lossy();
    name.get(..OURS.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(OURS))
}

#[cfg(not(windows))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line);
    command
}

/// `cmd` takes the line as it is: what it makes of quotes is not what programs make of them.
#[cfg(windows)]
fn shell(line: &str) -> Command {
    use std::os::windows::process::CommandExt as _;
    let mut command = Command::new("cmd");
    command
        .args(["/D", "/S", "/C"])
        .raw_arg(format!("\"{line}\""));
    command
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::Outcome;
    use crate::command::SystemWaiting;

    /// A clock that stands still until a file is there, and then is an hour later.
    struct UntilThere {
        file: PathBuf,
        now: Mutex<Instant>,
    }

    impl Waiting for UntilThere {
        fn now(&self) -> Instant {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn pause(&self, _: Duration) {
            if self.file.exists() {
                let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
                *now += Duration::from_secs(3600);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    const BEFORE: CommandContext<'static> = CommandContext {
        run: "0123",
        host: "hv1",
        vm: Some(("web \"1\"", "6f0c")),
        done: None,
    };

    fn run(line: &CommandLine, context: &CommandContext<'_>) -> CommandReport {
        let process = Process {
            waiting: &SystemWaiting,
            time_limit: Duration::from_secs(600),
            cancelled: &|| false,
        };
        process.run(line, context)
    }

    fn shell_line(line: &str) -> CommandLine {
        CommandLine::Shell(line.to_owned())
    }

    #[test]
    fn a_command_finds_the_run_in_its_environment() {
        let line = shell_line("env | grep ^LIFEBOAT_ | sort; echo trouble >&2; exit 3");
        let report = run(&line, &BEFORE);
        assert_eq!(
            (report.outcome, report.exit_code),
            (CommandOutcome::Failed, Some(3))
        );
        let mut lines: Vec<&str> = report.output.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "LIFEBOAT_HOST=hv1",
                "LIFEBOAT_RUN=0123",
                "LIFEBOAT_STAGE=before",
                "LIFEBOAT_VM=web \"1\"",
                "LIFEBOAT_VM_ID=6f0c",
                "trouble",
            ]
        );
        let after = CommandContext {
            vm: None,
            done: Some((Outcome::Warning, Some("00aa"))),
            ..BEFORE
        };
        let line =
            shell_line("echo $LIFEBOAT_STAGE $LIFEBOAT_OUTCOME $LIFEBOAT_POINT [$LIFEBOAT_VM]");
        let report = run(&line, &after);
        assert_eq!(report.output, "after warning 00aa []");
        assert!(report.succeeded());
    }

    #[test]
    fn arguments_of_a_program_are_not_taken_apart() {
        let line = CommandLine::Program {
            program: "printf".to_owned(),
            arguments: vec!["%s|".to_owned(), "a b".to_owned(), "$HOME;".to_owned()],
        };
        assert_eq!(run(&line, &BEFORE).output, "a b|$HOME;|");
    }

    #[test]
    fn a_program_that_is_not_there_was_not_started() {
        let line = CommandLine::Program {
            program: "/nowhere/at all".to_owned(),
            arguments: Vec::new(),
        };
        let report = run(&line, &BEFORE);
        assert_eq!(report.outcome, CommandOutcome::NotStarted);
        assert!(!report.started());
        assert!(
            report.trouble().contains("could not be started"),
            "{}",
            report.trouble()
        );
    }

    /// Says whether a process runs: neither gone nor waiting for its parent to see that it is.
    fn runs(process: &str) -> bool {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
            return false;
        };
        !stat.rsplit(')').next().unwrap_or("").starts_with(" Z")
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("started");
        let waiting = UntilThere {
            file: file.clone(),
            now: Mutex::new(Instant::now()),
        };
        let process = Process {
            waiting: &waiting,
            time_limit: Duration::from_secs(60),
            cancelled: &|| false,
        };
        // The child of the child ignores what a terminal would send.
        let line = format!(
            "sh -c 'trap \"\" TERM INT HUP; sleep 1000 & echo $!; touch {0:?}; wait' & wait",
            file.display()
        );
        let report = process.run(&shell_line(&line), &BEFORE);
        assert_eq!(report.outcome, CommandOutcome::TimedOut);
        assert_eq!(report.milliseconds, 3_600_000);
        let grandchild = report.output.trim();
        assert!(grandchild.parse::<u32>().is_ok(), "{report:?}");
        // A process that was ended takes a moment to be gone.
        let is_gone = (0..100_000).any(|_| {
            std::thread::yield_now();
            !runs(grandchild)
        });
        assert!(is_gone);
    }

    #[test]
    fn variables_of_this_program_are_known_in_any_case() {
        for name in ["LIFEBOAT_PASSWORD_FILE", "Lifeboat_Password", "lifeboat_x"] {
            assert!(is_own_variable(OsStr::new(name)), "{name}");
        }
        for name in ["LIFEBOAT", "PATH", "MY_LIFEBOAT_X", "", "LIFEBOA\u{e9}_X"] {
            assert!(!is_own_variable(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_person_who_stops_does_not_wait_for_the_command() {
        let process = Process {
            waiting: &SystemWaiting,
            time_limit: Duration::from_secs(600),
            cancelled: &|| true,
        };
        let report = process.run(&shell_line("sleep 1000"), &BEFORE);
        assert_eq!(report.outcome, CommandOutcome::Cancelled);
    }
}
