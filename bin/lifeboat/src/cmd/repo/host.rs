//! `lifeboat repo host`: hosts that add restore points, and can neither read nor remove any.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use repository::{Repository, RepositoryErrorKind};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::secret_file;
use crate::ui::{Align, Table, local_time};

#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// List the hosts that add restore points without reading any
    List(ListArgs),
    /// Make a key for a host that adds restore points and reads none
    Add(AddArgs),
    /// Make a host's key open the repository no more
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo host list --repo /backup")]
pub(crate) struct ListArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo host add web01 --key-file web01.key --repo /backup
  lifeboat repo host add hv2 --key-file hv2.key --domain shared --repo /backup

At the host, name the file in LIFEBOAT_HOST_KEY_FILE. Give the host an account of the store that can
write and read but not delete.")]
pub(crate) struct AddArgs {
    /// What to call the host
    #[arg(value_name = "NAME")]
    name: String,
    /// Write the host's key to this new file
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// `own` for a domain of its own, `shared` for that of the repository, or another's name.
    /// Hosts of one domain share data, so one of them can spoil what the others leave out
    #[arg(long, value_name = "DOMAIN", default_value = "own")]
    domain: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo host remove web01 --dry-run --repo /backup
  lifeboat repo host remove web01 --yes --repo /backup

Take its account of the store away as well: what it was given, it may have kept.")]
pub(crate) struct RemoveArgs {
    /// The host, as `repo host list` shows it
    #[arg(value_name = "NAME")]
    name: String,
    /// Say which host would be removed, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(invocation: &Invocation, command: &HostCommand) -> Result<ExitCode, CliError> {
    match command {
        HostCommand::List(_) => list(invocation),
        HostCommand::Add(args) => add(invocation, args),
        HostCommand::Remove(args) => remove(invocation, args),
    }
}

fn list(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let hosts = invocation.open_repository()?.hosts()?;
    let columns = ["HOST", "DOMAIN", "ADDED"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for host in &hosts {
        ui.record("host", host);
        table.row(vec![
            host.name.clone(),
            host.domain.clone(),
            local_time(host.added),
        ]);
    }
    ui.table(&table);
    ui.summary(
        "success",
        ExitCode::Success,
        json!({ "hosts": hosts.len() }),
    );
    Ok(ExitCode::Success)
}

/// Returns a handle of the domain that a new host is to write to.
fn domain_of(repository: &Repository, args: &AddArgs) -> Result<Repository, CliError> {
    match args.domain.as_str() {
        "own" => repository.add_domain(&args.name).map_err(|error| {
            if error.kind() != RepositoryErrorKind::Exists {
                return error.into();
            }
            // Whoever writes to it would have to trust the new host.
            let message = format!("there is a domain {} already", args.name);
            CliError::new(ExitCode::TargetExists, "exists", message).hint(format!(
                "if the host is to write to that one, add --domain {}; else give it another name",
                args.name
            ))
        }),
        "shared" => Ok(repository.clone()),
        name => Ok(repository.in_domain(name)?),
    }
}

fn add(invocation: &Invocation, args: &AddArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let place = invocation.repository_place()?;
    secret_file::refuse_inside_repository(&args.key_file, &place)?;
    let domain = domain_of(&repository, args)?;
    let key = domain.add_host(&args.name)?;
    let text = Zeroizing::new(format!(
        "Key of the host {} for the Lifeboat repository {place}\n\
         It adds restore points to the domain {}, and can neither read nor remove any.\n\n{}\n",
        args.name,
        domain.domain(),
        *Zeroizing::new(key.to_text())
    ));
    if let Err(error) = secret_file::write_new(&args.key_file, text.as_bytes(), &place) {
        // Nobody has its key, so nobody is that host.
        drop(domain.remove_host(&args.name));
        return Err(error);
    }
    ui.data(format!(
        "added host {} to domain {}",
        args.name,
        domain.domain()
    ));
    ui.message(format!(
        "Take {} to the host, name it there in LIFEBOAT_HOST_KEY_FILE, and remove it here.",
        args.key_file.display()
    ));
    let fields = json!({ "name": args.name, "domain": domain.domain(),
                         "key_file": args.key_file });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn remove(invocation: &Invocation, args: &RemoveArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let hosts = repository.hosts()?;
    let Some(host) = hosts.iter().find(|host| host.name == args.name) else {
        return Err(CliError::usage(format!("there is no host {}", args.name))
            .hint("`lifeboat repo host list` shows the hosts"));
    };
    let fields = json!({ "name": host.name, "domain": host.domain, "dry_run": args.dry_run });
    if args.dry_run {
        ui.data(format!(
            "would remove host {} of domain {}",
            host.name, host.domain
        ));
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let question = format!(
        "Remove host {} of domain {}? Its backups end.",
        host.name, host.domain
    );
    if !invocation.agreed(&question)? {
        return Err(CliError::usage("no host was removed").hint("run it again with --yes"));
    }
    repository.remove_host(&host.name)?;
    ui.data(format!("removed host {}", host.name));
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}
