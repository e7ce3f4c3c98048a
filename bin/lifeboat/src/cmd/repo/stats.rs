//! `lifeboat repo stats`: how large the repository is, and why.

use clap::Args;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo stats --repo /backup")]
pub(crate) struct StatsArgs {}

pub(crate) fn run(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let statistics = repository.statistics()?;
    let mut table = Table::new(&[("WHAT", Align::Left), ("SIZE", Align::Right)]);
    let rows = [
        ("disks of all restore points", statistics.provisioned_bytes),
        ("data in them", statistics.data_bytes),
        ("unique data", statistics.unique_bytes),
        ("stored, compressed and encrypted", statistics.stored_bytes),
        ("packs", statistics.pack_bytes),
        ("index", statistics.index_bytes),
        ("repository as a whole", statistics.total_bytes),
    ];
    for (what, bytes) in rows {
        table.row(vec![what.to_owned(), size(bytes)]);
    }
    ui.message(format!(
        "{}: {} of {} in {}",
        repository.location(),
        count(statistics.points, "restore point"),
        count(statistics.vms, "VM"),
        count(statistics.packs, "pack"),
    ));
    ui.table(&table);
    ui.summary("success", ExitCode::Success, &statistics);
    Ok(ExitCode::Success)
}
