//! `lifeboat restore all-latest`: every VM of a repository back on a host (requirement HOST-10).

use clap::Args;
use hyperv_host::{Finding, PowerState, RestoreHost, Severity};
use repository::{Catalog, CatalogPoint, Repository, RestorePoint};
use serde::Serialize;
use serde_json::json;
use vm_restore::{
    Destination, HostRestoreObserver, HostRestoreRequest, RestoreError, VmOutcome,
    plan_host_restore, restore_all_latest,
};

use super::network_args::NetworkArgs;
use super::to_host::{Steps, say_failure, say_step};
use crate::cli_error::CliError;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Progress, Table, Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore all-latest --to local --dry-run --repo E:\\Backup
  lifeboat restore all-latest --to local --path D:\\VMs --start --repo E:\\Backup
  lifeboat restore all-latest --to local --at-once 4 --map-switch Prod=LAN --repo E:\\Backup

The latest point of each VM comes back. A VM that the host has already is left as it is, so the same
command, run again, brings back what is still missing.")]
pub(crate) struct AllLatestArgs {
    /// The host: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    to: String,
    /// Folder of the host, one below it for each VM; by default each goes where it was
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
    /// Most VMs that are restored at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    at_once: usize,
    /// Start each VM when all are back
    #[arg(long)]
    start: bool,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    way: WayArgs,
}

/// What becomes of a VM.
#[derive(Debug, Clone, Serialize)]
struct Item {
    vm: String,
    identity: String,
    point: String,
    /// What happened to it.
    outcome: ItemOutcome,
    /// Bytes that were written, or will be.
    bytes: u64,
    /// Why it did not come back.
    text: String,
    /// It came back, and something is otherwise than one would wish.
    warned: bool,
}

/// What happened to a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ItemOutcome {
    /// It would be restored.
    Planned,
    /// It came back.
    Restored,
    /// The host has it already.
    There,
    /// A finding stands in the way.
    Blocked,
    /// It failed.
    Failed,
    /// The person asked to stop.
    Cancelled,
}

impl ItemOutcome {
    fn text(self) -> &'static str {
        match self {
            Self::Planned => "would come back",
            Self::Restored => "came back",
            Self::There => "is there already",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn of_block(finding: &Finding) -> Self {
        match finding.id.as_str() {
            "POINT-SAME-VM" => Self::There,
            _ => Self::Blocked,
        }
    }
}

pub(super) fn run(invocation: &Invocation, args: &AllLatestArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let repository = invocation.open_repository()?;
    let catalog = repository.catalog()?;
    for error in &catalog.unreadable {
        ui.warning(&format!("a restore point cannot be read: {error}"));
    }
    let host = args.way.open(&args.to)?;
    let host = host.as_restore_host()?;
    let request = args.request()?;
    // The plans are shown in either case: what is found now concerns the VMs that will be back.
    let planned = plan_all(ui, &repository, &catalog, host, &request)?;
    if args.dry_run {
        return Ok(finish(ui, host.name(), &planned, true));
    }
    let mut items = restore_all(ui, &repository, &catalog, host, &request, args)?;
    for item in &mut items {
        let mut own = planned.iter().filter(|own| own.identity == item.identity);
        item.warned |= item.outcome == ItemOutcome::Restored && own.any(|own| own.warned);
    }
    Ok(finish(ui, host.name(), &items, false))
}

impl AllLatestArgs {
    fn request(&self) -> Result<HostRestoreRequest, CliError> {
        let mut request = HostRestoreRequest {
            destination: self
                .path
                .clone()
                .map_or(Destination::Original, Destination::Folder),
            run: RestorePoint::new_id()?,
            session_folder: self.way.restore_folder(&self.to)?,
            ..HostRestoreRequest::default()
        };
        self.network.apply(&mut request);
        Ok(request)
    }
}

/// Returns the newest point of each VM, by name.
fn newest(catalog: &Catalog) -> Vec<&CatalogPoint> {
    let vms = catalog.vms();
    let newest = vms.iter().filter_map(|(identity, _)| {
        let points = catalog.points.iter();
        let own = points.filter(|point| point.summary.vm.identity == *identity);
        own.max_by_key(|point| point.summary.started)
    });
    newest.collect()
}

/// Says of each VM what would be done.
fn plan_all(
    ui: &Ui,
    repository: &Repository,
    catalog: &Catalog,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
) -> Result<Vec<Item>, CliError> {
    let mut items = Vec::new();
    for newest in newest(catalog) {
        let point = repository.point_of(&newest.summary)?;
        let plan = plan_host_restore(repository, &point, host, request)?;
        ui.record("plan", json!({ "plan": plan }));
        let block = plan.block();
        let warns = |finding: &&Finding| finding.severity == Severity::Warn;
        // Of a VM that does not come back nothing else is worth a word.
        let warnings: Vec<&Finding> = match block {
            None => plan.findings.iter().filter(warns).collect(),
            Some(_) => Vec::new(),
        };
        for finding in &warnings {
            show_finding(ui, Some(&plan.vm), finding);
        }
        items.push(Item {
            vm: plan.vm.clone(),
            identity: point.vm.identity.clone(),
            point: point.id.clone(),
            outcome: block.map_or(ItemOutcome::Planned, ItemOutcome::of_block),
            bytes: plan.write_bytes,
            text: block.map_or_else(String::new, |block| block.text.clone()),
            warned: !warnings.is_empty(),
        });
    }
    Ok(items)
}

fn restore_all(
    ui: &Ui,
    repository: &Repository,
    catalog: &Catalog,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
    args: &AllLatestArgs,
) -> Result<Vec<Item>, CliError> {
    let newest = newest(catalog);
    let total = newest.iter().map(|point| point.summary.size_bytes).sum();
    let progress = ui.progress("restore", None, total);
    let watching = Watching {
        ui,
        progress: &progress,
    };
    let done = restore_all_latest(repository, host, request, args.at_once, &watching)?;
    progress.finish();
    let mut items: Vec<Item> = done.iter().map(|outcome| item(ui, outcome)).collect();
    for (item, done) in items.iter_mut().zip(&done).filter(|_| args.start) {
        let Ok(report) = &done.result else {
            continue;
        };
        let started = host.set_power(&report.identity, PowerState::Running, &Steps { ui });
        if let Err(error) = started {
            item.warned = true;
            item.text = format!("it did not start: {error}");
            ui.warning(&format!("{} is back and did not start: {error}", item.vm));
        }
    }
    Ok(items)
}

/// Says what became of one VM.
fn item(ui: &Ui, done: &VmOutcome) -> Item {
    let mut item = Item {
        vm: done.name.clone(),
        identity: done.identity.clone(),
        point: done.point.clone(),
        outcome: ItemOutcome::Restored,
        bytes: 0,
        text: String::new(),
        warned: false,
    };
    match &done.result {
        Ok(report) => {
            item.bytes = report.written_bytes;
            for finding in &report.findings {
                item.warned |= finding.severity >= Severity::Warn;
                show_finding(ui, Some(&report.name), finding);
            }
        }
        Err(failure) => {
            item.outcome = match &failure.error {
                RestoreError::Blocked(finding) => ItemOutcome::of_block(finding),
                _ if interrupt::asked() => ItemOutcome::Cancelled,
                _ => ItemOutcome::Failed,
            };
            item.text = with_causes(failure);
            if item.outcome == ItemOutcome::Failed {
                say_failure(ui, failure);
            }
        }
    }
    item
}

/// Returns what an error says, and what its causes add.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source()).take(8);
    for cause in causes {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Shows how several restores get on together.
struct Watching<'a> {
    ui: &'a Ui,
    progress: &'a Progress,
}

impl HostRestoreObserver for Watching<'_> {
    fn step(&self, vm: &str, text: &str) {
        say_step(self.ui, vm, text);
    }

    fn advanced(&self, _vm: &str, bytes: u64) {
        self.progress.advance(bytes, 0);
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}

/// Says which VMs came back.
fn finish(ui: &Ui, host: &str, items: &[Item], dry_run: bool) -> ExitCode {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("POINT", Align::Left),
        ("", Align::Left),
        ("WRITES", Align::Right),
        ("WHY", Align::Left),
    ]);
    for item in items {
        ui.record("item", item);
        table.row(vec![
            item.vm.clone(),
            item.point.clone(),
            item.outcome.text().to_owned(),
            size(item.bytes),
            item.text.clone(),
        ]);
    }
    ui.table(&table);
    let of = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
    let cancelled = of(ItemOutcome::Cancelled);
    let missing = of(ItemOutcome::Failed) + of(ItemOutcome::Blocked) + cancelled;
    let back = match dry_run {
        true => of(ItemOutcome::Planned),
        false => of(ItemOutcome::Restored),
    };
    let verb = match dry_run {
        true => "would come back",
        false => "came back",
    };
    let there = of(ItemOutcome::There);
    ui.data(format!(
        "{} {verb} to {host}, {there} there already, {missing} not",
        count(back as u64, "VM"),
    ));
    let (outcome, code) = match (missing, cancelled) {
        (0, _) if !dry_run && items.iter().any(|item| item.warned) => {
            ("warning", ExitCode::Success)
        }
        (0, _) => ("success", ExitCode::Success),
        (_, 0) => ("partial", ExitCode::Partial),
        _ => ("cancelled", ExitCode::Cancelled),
    };
    let fields = json!({ "host": host, "restored": of(ItemOutcome::Restored), "there": there,
                         "missing": missing, "dry_run": dry_run, "items": items });
    ui.summary(outcome, code, fields);
    code
}
