//! `lifeboat explain`.

use clap::Args;
use finding_catalog::{all, find};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat explain LB-2107
  lifeboat explain VM-PASS-THROUGH
  lifeboat explain")]
pub(crate) struct ExplainArgs {
    /// A code or the id of a finding; without one all are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(crate) fn run(invocation: &Invocation, args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let Some(code) = &args.code else {
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
        ui.summary("success", ExitCode::Success, serde_json::json!({}));
        return Ok(ExitCode::Success);
    };
    let entry = find(code).ok_or_else(|| {
        CliError::usage(format!("there is no code {code}"))
            .hint("`lifeboat explain` lists all of them")
    })?;
    ui.record("explanation", entry);
    for line in entry.to_string().lines() {
        ui.data(line);
    }
    ui.summary("success", ExitCode::Success, serde_json::json!({}));
    Ok(ExitCode::Success)
}
