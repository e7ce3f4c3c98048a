//! `lifeboat repo stats`: how large the repository is, why, and when it will be full.

use backup_run::stored_by_points;
use capacity::{Forecast, Growth, Stored, forecast, growth};
use clap::Args;
use jiff::Timestamp;
use repository::{Repository, RepositoryErrorKind, RepositoryStatistics, Settings};
use serde::Serialize;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, local_time, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lifeboat repo stats --repo /backup")]
pub(crate) struct StatsArgs {}

/// What the points of a VM stored, how that grows, and when its quota is used up.
#[derive(Debug, Serialize)]
struct VmShare {
    name: String,
    identity: String,
    points: u64,
    stored_bytes: u64,
    quota_bytes: Option<u64>,
    growth: Option<Growth>,
    #[serde(flatten)]
    forecast: Forecast,
}

pub(crate) fn run(invocation: &Invocation) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let statistics = repository.statistics()?;
    let settings = match repository.settings() {
        Err(error) if error.kind() == RepositoryErrorKind::WriteOnly => Settings::default(),
        settings => settings?,
    };
    ui.message(format!(
        "{}: {} of {} in {}",
        repository.location(),
        count(statistics.points, "restore point"),
        count(statistics.vms, "VM"),
        count(statistics.packs, "pack"),
    ));
    show_sizes(ui, &statistics);
    let now = Timestamp::now();
    let catalog = repository.catalog()?;
    let stored = stored_by_points(&catalog);
    let mut shares: Vec<VmShare> = catalog
        .vms()
        .into_iter()
        .map(|(identity, name)| share(identity, name, &stored, &settings, now))
        .collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.stored_bytes));
    show_shares(ui, &shares);
    let limit = limit(&repository, &statistics, &settings)?;
    let growth = growth(&stored, now);
    let when = forecast(statistics.pack_bytes, limit, growth, now);
    let growing = growth.map_or_else(
        || "too few days of history to say".to_owned(),
        |growth| format!("{} a day", size(growth.bytes_per_day)),
    );
    ui.data(format!("growth    {growing}"));
    let of = limit.map_or_else(String::new, |limit| format!(" of {}", size(limit)));
    ui.data(format!("full{of}  {}", words(when)));
    let mut fields = serde_json::to_value(&statistics)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("growth".to_owned(), json!(growth));
        fields.insert("limit_bytes".to_owned(), json!(limit));
        fields.insert("full".to_owned(), json!(when));
    }
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn show_sizes(ui: &Ui, statistics: &RepositoryStatistics) {
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
    ui.table(&table);
}

fn share(
    identity: String,
    name: String,
    stored: &[Stored],
    settings: &Settings,
    now: Timestamp,
) -> VmShare {
    let own = stored.iter().filter(|own| own.vm == identity);
    let own: Vec<Stored> = own.cloned().collect();
    let used = own.iter().map(|own| own.stored_bytes);
    let used = used.fold(0, u64::saturating_add);
    let quota = settings.quota_vm_bytes.get(&identity).copied();
    let growth = growth(&own, now);
    VmShare {
        name,
        identity,
        points: own.len() as u64,
        stored_bytes: used,
        quota_bytes: quota,
        growth,
        forecast: forecast(used, quota, growth, now),
    }
}

fn show_shares(ui: &Ui, shares: &[VmShare]) {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("POINTS", Align::Right),
        ("STORED", Align::Right),
        ("A DAY", Align::Right),
        ("QUOTA", Align::Right),
        ("FULL", Align::Left),
    ]);
    let or_none = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
    for share in shares {
        ui.record("vm", share);
        table.row(vec![
            share.name.clone(),
            share.points.to_string(),
            size(share.stored_bytes),
            or_none(share.growth.map(|growth| growth.bytes_per_day)),
            or_none(share.quota_bytes),
            words(share.forecast),
        ]);
    }
    ui.table(&table);
}

/// Returns how large the packs may grow: by the quota, or until the store is full.
fn limit(
    repository: &Repository,
    statistics: &RepositoryStatistics,
    settings: &Settings,
) -> Result<Option<u64>, CliError> {
    let free = repository.free_bytes()?;
    let until_full = free.map(|free| free.saturating_add(statistics.pack_bytes));
    let limits = settings.quota_bytes.into_iter().chain(until_full);
    Ok(limits.min())
}

fn words(forecast: Forecast) -> String {
    match forecast {
        Forecast::Full => "now".to_owned(),
        Forecast::FullOn { time, days } => {
            let date = local_time(time);
            let date = date.split(' ').next().unwrap_or_default();
            format!("about {date}, in {}", count(days, "day"))
        }
        Forecast::NotSoon => "not within ten years".to_owned(),
        Forecast::Unknown => "-".to_owned(),
    }
}
