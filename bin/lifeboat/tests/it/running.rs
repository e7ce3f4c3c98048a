//! A command that goes on until it is told to stop.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A running command that speaks in JSON. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a command; its arguments have to ask for `--json`.
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Starts a command and waits until it says that it is ready, in its first record, which is of this
    /// type; returns that as well.
    pub(crate) fn ready(sandbox: &Sandbox, arguments: &[&str], record: &str) -> (Self, Value) {
        let mut running = Self::start(sandbox, arguments);
        let said = running.hear(|_| true);
        assert_eq!(said["type"], record, "{said}");
        (running, said)
    }

    /// Reads until it says what is waited for.
    pub(crate) fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            let said: Value = serde_json::from_str(&line).unwrap();
            if is_it(&said) {
                return said;
            }
            line.clear();
        }
        panic!("it ended without a word of it");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it ends; returns its exit code and its last word, if it had one.
    pub(crate) fn wait(mut self) -> (Option<i32>, Value) {
        let lines = self.output.by_ref().lines().map(Result::unwrap);
        let said = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let last = said.last().unwrap_or_default();
        (self.child.wait().unwrap().code(), last)
    }

    /// Ends it as a person does, and returns its last word.
    pub(crate) fn end(self) -> Value {
        self.signal("-INT");
        let (code, summary) = self.wait();
        assert_eq!(code, Some(0), "{summary}");
        summary
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is over where the test has come to its end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
