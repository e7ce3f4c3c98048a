//! The one place that writes to the terminal.
//!
//! Data goes to stdout, messages to stderr. With `--json` stdout carries one object per line and
//! nothing else, a summary or an error last.

mod escaped;
mod progress;
mod size;
mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

use escaped::escaped;
pub(crate) use progress::Progress;
use progress::Stage;
pub(crate) use size::{count, duration, local_time, parse_size, size};
pub(crate) use table::{Align, Table};

/// Version of the JSON lines; fields are only ever added.
const JSON_VERSION: u32 = 1;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, lines elsewhere, JSON with --json
    Auto,
    /// A bar with rate and time left
    Tty,
    /// A line now and then
    Lines,
    /// JSON lines on stdout
    Json,
    /// Nothing
    None,
}

/// What the person asked of the output.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    json: bool,
    plain: bool,
    quiet: bool,
    verbose: bool,
    color: bool,
    progress: ProgressMode,
}

/// What decides how a [`Ui`] speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UiOptions {
    pub(crate) json: bool,
    pub(crate) plain: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) no_color: bool,
    pub(crate) progress: ProgressMode,
}

impl Ui {
    pub(crate) fn new(options: UiOptions) -> Self {
        let terminal = io::stderr().is_terminal();
        let progress = match options.progress {
            _ if options.quiet => ProgressMode::None,
            ProgressMode::Auto if options.json => ProgressMode::Json,
            ProgressMode::Auto if terminal => ProgressMode::Tty,
            ProgressMode::Auto => ProgressMode::Lines,
            other => other,
        };
        let no_color =
            options.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json: options.json,
            plain: options.plain,
            quiet: options.quiet,
            verbose: options.verbose,
            color: terminal && !no_color,
            progress,
        }
    }

    /// Returns whether details were asked for.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Returns whether objects for programs go to standard output, so that no content can.
    pub(crate) fn has_stdout(&self) -> bool {
        self.json || self.progress == ProgressMode::Json
    }

    /// Writes a line of data for people.
    pub(crate) fn data(&self, line: impl AsRef<str>) {
        if !self.json {
            out(&escaped(line.as_ref()));
        }
    }

    /// Writes a table for people.
    pub(crate) fn table(&self, table: &Table) {
        let lines = if self.plain {
            table.plain()
        } else {
            table.aligned()
        };
        for line in lines {
            self.data(line);
        }
    }

    /// Writes one extent of a disk: a line of a table that is too long to be kept.
    pub(crate) fn map_line(&self, offset: u64, len_bytes: u64, kind: &str) {
        if self.plain {
            self.data(format!("{offset}\t{len_bytes}\t{kind}"));
        } else {
            self.data(format!("{offset:>16}  {len_bytes:>16}  {kind}"));
        }
    }

    /// Writes an object for programs.
    pub(crate) fn record(&self, kind: &str, fields: impl Serialize) {
        if self.json {
            out(&json_line(kind, &fields));
        }
    }

    /// Writes the last object of a command that worked.
    pub(crate) fn summary(&self, outcome: &str, exit: ExitCode, fields: impl Serialize) {
        if self.json {
            let mut all = json!({ "outcome": outcome, "exit": exit });
            merge(&mut all, to_value(&fields));
            out(&json_line("summary", &all));
        }
    }

    /// Says something that is good to know.
    pub(crate) fn message(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            self.err(&escaped(text.as_ref()));
        }
    }

    /// Says something that is wrong; programs get it as a record of its own.
    pub(crate) fn trouble(&self, text: impl AsRef<str>) {
        if !self.json {
            self.err(&escaped(text.as_ref()));
        }
    }

    /// Says something that must reach a person, whatever else they asked for.
    pub(crate) fn notice(&self, text: &str) {
        self.err(&escaped(text));
    }

    /// Shows a drawing of the program's own, with the colors that it has.
    pub(crate) fn drawing(&self, text: &str) {
        self.err(text);
    }

    /// Says what went less well than it should.
    pub(crate) fn warning(&self, text: &str) {
        self.record("warning", json!({ "text": text }));
        if !self.json {
            let text = escaped(text);
            self.err(&format!("{} {text}", self.paint("warning:", "33")));
        }
    }

    /// Says why the command failed.
    pub(crate) fn error(&self, error: &CliError) {
        if self.json {
            out(&json_line("error", &error.to_json()));
            return;
        }
        for (number, line) in error.to_lines().iter().enumerate() {
            let line = escaped(line);
            match line.strip_prefix("error:") {
                Some(rest) if number == 0 => {
                    self.err(&format!("{}{rest}", self.paint("error:", "31;1")));
                }
                _ => self.err(&line),
            }
        }
    }

    /// Begins to show how a stage of `total_bytes` gets on.
    pub(crate) fn progress(
        &self,
        name: &'static str,
        vm: Option<&str>,
        total_bytes: u64,
    ) -> Progress {
        let vm = vm.map(str::to_owned);
        let stage = Stage {
            name,
            vm,
            turn: None,
            counted: false,
        };
        Progress::start(self.progress, stage, total_bytes)
    }

    /// Begins to show how a stage of so many things, not bytes, gets on.
    pub(crate) fn progress_counted(&self, name: &'static str, total: u64) -> Progress {
        let stage = Stage {
            name,
            vm: None,
            turn: None,
            counted: true,
        };
        Progress::start(self.progress, stage, total)
    }

    /// Begins to show how a VM's turn, the n-th of so many, gets on.
    pub(crate) fn progress_of_turn(
        &self,
        name: &'static str,
        vm: &str,
        turn: (usize, usize),
        total_bytes: u64,
    ) -> Progress {
        let stage = Stage {
            name,
            vm: Some(vm.to_owned()),
            turn: Some(turn),
            counted: false,
        };
        Progress::start(self.progress, stage, total_bytes)
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn err(&self, line: &str) {
        err(line);
    }
}

/// Writes a usage error before anything is known of the options.
pub(crate) fn usage_error(error: &CliError) {
    out(&json_line("error", &error.to_json()));
}

/// Returns one line; version and type stand first, where people look.
pub(crate) fn json_line(kind: &str, fields: &impl Serialize) -> String {
    let head = format!("{{\"v\":{JSON_VERSION},\"type\":{}", json!(kind));
    let rest = to_value(fields).to_string();
    match rest.strip_prefix('{') {
        Some("}") | None => format!("{head}}}"),
        Some(rest) => format!("{head},{rest}"),
    }
}

fn to_value(fields: &impl Serialize) -> Value {
    // What is printed is made of strings, numbers and lists of them: it always serialises.
    serde_json::to_value(fields).unwrap_or_default()
}

fn merge(line: &mut Value, fields: Value) {
    if let (Value::Object(line), Value::Object(fields)) = (line, fields) {
        for (name, value) in fields {
            line.entry(name).or_insert(value);
        }
    }
}

/// Set once data could not be written.
static OUTPUT_FAILED: AtomicBool = AtomicBool::new(false);

/// Returns whether all data reached its reader. One that went away (`| head`) had enough.
pub(crate) fn output_is_whole() -> bool {
    !OUTPUT_FAILED.load(Ordering::Relaxed)
}

fn out(line: &str) {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            OUTPUT_FAILED.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
}

fn err(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}
