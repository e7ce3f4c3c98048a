//! `lifeboat explain`.

use clap::Args;
use finding_catalog::{Recognized, Sign, all, recognize};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui};

/// Most pages of one answer; what fits less well is not told.
const PAGES_MAX: usize = 3;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat explain LB-2107
  lifeboat explain VM-PASS-THROUGH
  lifeboat explain 0x80042336
  lifeboat explain \"event 10103\"
  lifeboat explain \"cannot start a backup operation because it is currently executing\"
  lifeboat explain

It knows messages of Hyper-V, VSS and other programs, whatever names are in them; numbers of events,
HRESULTs and what methods of Hyper-V return. It asks nobody.")]
pub(crate) struct ExplainArgs {
    /// A code or the id of a finding, a message, an event's number or an error's; without one all
    /// pages are listed
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
}

pub(crate) fn run(invocation: &Invocation, args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    if args.text.is_empty() {
        list(ui);
    } else {
        let text = args.text.join(" ");
        let found = recognize(&text);
        if found.is_empty() {
            return Err(
                CliError::usage(format!("nothing is known of {text:?}")).hint(
                    "try the part of a message that has no names in it, or an error's number; \
                 `lifeboat explain` lists all pages",
                ),
            );
        }
        for (number, found) in found.iter().take(PAGES_MAX).enumerate() {
            if number > 0 {
                ui.data("");
            }
            show(ui, found);
        }
    }
    ui.summary("success", ExitCode::Success, json!({}));
    Ok(ExitCode::Success)
}

fn list(ui: &Ui) {
    let mut table = Table::new(&[
        ("CODE", Align::Left),
        ("ID", Align::Left),
        ("WHAT", Align::Left),
    ]);
    for entry in all() {
        ui.record("explanation", entry);
        table.row(vec![
            entry.code.to_owned(),
            entry.id.to_owned(),
            entry.title.to_owned(),
        ]);
    }
    ui.table(&table);
}

fn show(ui: &Ui, found: &Recognized) {
    ui.record("explanation", found.page);
    if let Some(line) = by(found.sign) {
        ui.data(line);
    }
    for line in found.page.to_string().lines() {
        ui.data(line);
    }
}

/// Says by what a page was found, where that is not plain.
fn by(sign: Sign) -> Option<String> {
    match sign {
        Sign::Name => None,
        Sign::Phrase(phrase) => Some(format!("\"{phrase}\"")),
        Sign::Code(code) => {
            let name = code
                .name
                .map_or_else(String::new, |name| format!(" {name}"));
            let says = code
                .sentence
                .map_or_else(String::new, |text| format!(": {text}"));
            Some(format!("{:#010X}{name}{says}", code.code))
        }
        Sign::ReturnValue(value) => Some(format!("{value}, returned by a method of Hyper-V")),
        Sign::Event(event) => Some(format!("event {event}")),
    }
}
