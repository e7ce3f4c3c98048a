//! `lifeboat repo domain`: who shares stored data with whom.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// List the domains
    List(ListArgs),
    /// Make a domain with keys of its own: nothing in it is shared with others
    Add(AddArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo domain list --repo /backup")]
pub(crate) struct ListArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo domain add finance --repo /backup

Back up into it with `lifeboat backup VM --domain finance`.")]
pub(crate) struct AddArgs {
    /// Letters, digits, dashes, dots and underscores
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(invocation: &Invocation, command: &DomainCommand) -> Result<ExitCode, CliError> {
    match command {
        DomainCommand::List(_) => list(invocation),
        DomainCommand::Add(args) => add(invocation, args),
    }
}

fn list(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let domains = invocation.open_repository()?.domain_list()?;
    let mut table = Table::new(&[
        ("DOMAIN", Align::Left),
        ("DATA KEYS", Align::Right),
        ("WRITE-ONLY HOSTS", Align::Left),
    ]);
    for domain in &domains {
        let fields = json!({ "name": domain.name, "id": domain.id,
                             "data_keys": domain.data_keys, "hosts": domain.hosts });
        ui.record("domain", fields);
        table.row(vec![
            domain.name.clone(),
            domain.data_keys.to_string(),
            domain.hosts.join(", "),
        ]);
    }
    ui.table(&table);
    ui.summary(
        "success",
        ExitCode::Success,
        json!({ "domains": domains.len() }),
    );
    Ok(ExitCode::Success)
}

fn add(invocation: &Invocation, args: &AddArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?.add_domain(&args.name)?;
    ui.data(format!("made domain {}", repository.domain()));
    ui.summary(
        "success",
        ExitCode::Success,
        json!({ "name": repository.domain() }),
    );
    Ok(ExitCode::Success)
}
