//! A page of the catalogue, and how it is found.

use std::fmt;

use hyperv_host::{HostErrorKind, Severity};
use serde::Serialize;

use crate::entries;

/// What is to be known of a finding or a failure. Texts are whole sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its code, such as `LB-2107`.
    pub code: &'static str,
    /// The finding's stable name, such as `VM-PASS-THROUGH`.
    pub id: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// How bad it is as a rule; what was asked for may make it better or worse.
    pub severity: Severity,
    /// What it means.
    pub means: &'static str,
    /// Why it matters.
    pub matters: &'static str,
    /// What to do.
    pub cure: &'static str,
    /// Where more is told: pages of ours, Microsoft's own names of commands and events.
    pub more: &'static [&'static str],
    /// Failures of a host that are explained by this.
    #[serde(skip)]
    pub errors: &'static [HostErrorKind],
    /// Return codes of Hyper-V's methods that are explained by this.
    pub return_codes: &'static [u32],
    /// Codes of Windows that are explained by this: `HRESULT`s and plain error numbers.
    pub codes: &'static [u32],
    /// Events of Windows' logs that are explained by this.
    pub events: &'static [u32],
    /// Parts of messages that are explained by this, in lower case and English; `…` stands for what
    /// differs from message to message.
    #[serde(skip)]
    pub phrases: &'static [&'static str],
    /// Other names of it.
    #[serde(skip)]
    pub aliases: &'static [&'static str],
    /// What `lifeboat doctor --fix` with its id does; empty where there is nothing safe to do.
    pub fix: &'static str,
    /// What `fix` does is part of settling what dead runs left, as `lifeboat doctor --fix` alone does.
    #[serde(skip)]
    pub settles_residue: bool,
    /// Some check makes a finding of this id. Else there are only failures.
    pub is_finding: bool,
}

impl fmt::Display for Explanation {
    /// Writes the page, as `lifeboat explain` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "info",
            Severity::Warn => "warn",
            Severity::Block => "block",
        };
        writeln!(f, "{}  {}: {}", self.code, self.id, self.title)?;
        let parts = [
            ("Severity", severity),
            ("Means", self.means),
            ("Matters", self.matters),
            ("Do", self.cure),
        ];
        for (name, text) in parts {
            write_part(f, name, text)?;
        }
        if !self.fix.is_empty() {
            let text = format!("`lifeboat doctor --fix {}` {}.", self.id, self.fix);
            write_part(f, "Fix", &text)?;
        }
        if !self.more.is_empty() {
            write_part(f, "More", &self.more.join(" · "))?;
        }
        Ok(())
    }
}

/// Characters of a line.
const WIDTH: usize = 96;

fn write_part(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    const INDENT: usize = 12;
    write!(f, "  {name:<10}")?;
    let mut column = INDENT;
    for word in text.split_whitespace() {
        let characters = word.chars().count();
        if column > INDENT && column + 1 + characters > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        }
        if column > INDENT {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += characters;
    }
    writeln!(f)
}

/// Returns all pages, by code.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    entries::ALL.iter().copied().flatten()
}

/// Finds a page by code or id, in whatever case: `LB-2107`, `2107`, `vm-pass-through`.
pub fn find(text: &str) -> Option<&'static Explanation> {
    let text = text.trim();
    all().find(|page| {
        let number = page.code.trim_start_matches("LB-");
        let is_alias = |alias: &&str| alias.eq_ignore_ascii_case(text);
        page.code.eq_ignore_ascii_case(text)
            || number == text
            || page.id.eq_ignore_ascii_case(text)
            || page.aliases.iter().any(is_alias)
    })
}

/// Finds the page of a host's failure.
pub fn of_error(kind: HostErrorKind) -> Option<&'static Explanation> {
    all().find(|page| page.errors.contains(&kind))
}

/// Finds the page of what a method of Hyper-V returned, or its job ended with.
pub fn of_return_code(code: u32) -> Option<&'static Explanation> {
    all().find(|page| page.return_codes.contains(&code))
}
