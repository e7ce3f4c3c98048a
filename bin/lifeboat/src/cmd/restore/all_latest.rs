//! `lifeboat restore all-latest`: every VM of a lost host back on another (requirement HOST-10).

use std::collections::BTreeMap;

use clap::Args;
use hyperv_host::{Finding, PowerState, RestoreHost, Severity};
use repository::{Catalog, Repository, RestorePoint};
use serde::Serialize;
use serde_json::json;
use vm_restore::{
    Destination, HostRestoreRequest, NewestPoints, RestoreError, VmFilter, VmOutcome,
    plan_host_restore, restore_all_latest,
};

use super::cure::fit_cures_of_many;
use super::network_args::NetworkArgs;
use super::to_host::{Steps, Watching, say_failure};
use crate::cli_error::CliError;
use crate::cmd::vm::show_finding;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat restore all-latest --to local --from-host HV1 --dry-run --repo E:\\Backup
  lifeboat restore all-latest --to local --from-host HV1 --path D:\\VMs --start --repo E:\\Backup
  lifeboat restore all-latest --to local --vm DC01 --start --repo E:\\Backup
  lifeboat restore all-latest --to local --at-once 4 --map-switch Prod=LAN --repo E:\\Backup

The latest point of each VM comes back. Where the repository has VMs of several hosts, say which with
--from-host, --vm or --all-hosts; a VM that has moved belongs to the host of its latest point.
A VM that the host has already is left as it is, so the same command, run again, brings back what is
still missing.")]
pub(crate) struct AllLatestArgs {
    /// The host: local, winrm://USER@HOST, sim:FOLDER, or a cluster: cluster:winrm://USER@NODE
    #[arg(long, value_name = "HOST")]
    to: String,
    /// Only VMs whose latest point is of this host; may be given several times
    #[arg(long, value_name = "NAME")]
    from_host: Vec<String>,
    /// Only this VM, by name or GUID; may be given several times
    #[arg(long, value_name = "NAME")]
    vm: Vec<String>,
    /// VMs of all hosts that the repository has points of
    #[arg(long, conflicts_with = "from_host")]
    all_hosts: bool,
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
    let newest = args.choose(&catalog)?;
    let host = args.way.open(&args.to)?;
    let host = host.as_restore_host()?;
    let request = args.request()?;
    // The plans are shown in either case: what is found now concerns the VMs that will be back.
    let planned = plan_all(ui, &repository, &newest, host, &request)?;
    if args.dry_run {
        return Ok(finish(ui, host.name(), &planned, true));
    }
    let mut items = restore_all(ui, &repository, &newest, host, &request, args)?;
    for item in &mut items {
        let mut own = planned.iter().filter(|own| own.identity == item.identity);
        item.warned |= item.outcome == ItemOutcome::Restored && own.any(|own| own.warned);
    }
    Ok(finish(ui, host.name(), &items, false))
}

impl AllLatestArgs {
    /// Chooses the VMs. Those of another host that lives would be there twice, so more than one host
    /// has to be asked for.
    fn choose<'a>(&self, catalog: &'a Catalog) -> Result<NewestPoints<'a>, CliError> {
        let filter = VmFilter {
            hosts: self.from_host.clone(),
            vms: self.vm.clone(),
        };
        let newest = NewestPoints::choose(catalog, &filter);
        let hosts = hosts_text(&newest.all_hosts());
        if let Some(host) = self.from_host.iter().find(|host| !newest.knows_host(host)) {
            let text = format!("no VM's latest point is of host {host:?}");
            return Err(CliError::usage(text).hint(format!("the repository has {hosts}")));
        }
        if let Some(vm) = self.vm.iter().find(|vm| !newest.knows_vm(vm)) {
            let text = format!("the repository has no VM {vm:?}");
            return Err(CliError::usage(text).hint("`lifeboat point list` shows them"));
        }
        let is_filtered = self.all_hosts || filter != VmFilter::default();
        if newest.hosts().len() > 1 && !is_filtered {
            let text = format!("the repository has VMs of several hosts: {hosts}");
            return Err(CliError::usage(text).hint(
                "name the host that is lost with --from-host NAME, or single VMs with --vm NAME; \
                 --all-hosts restores the VMs of all of them",
            ));
        }
        Ok(newest)
    }

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

/// Returns hosts as people read them: `HV1 (3 VMs), HV2 (1 VM)`.
fn hosts_text(hosts: &BTreeMap<&str, usize>) -> String {
    let hosts = hosts
        .iter()
        .map(|(host, vms)| format!("{host} ({})", count(*vms as u64, "VM")));
    hosts.collect::<Vec<_>>().join(", ")
}

/// Says of each VM what would be done.
fn plan_all(
    ui: &Ui,
    repository: &Repository,
    newest: &NewestPoints<'_>,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
) -> Result<Vec<Item>, CliError> {
    let mut items = Vec::new();
    for summary in newest.chosen() {
        let point = repository.point_of(summary)?;
        let request = newest.request(summary, request);
        let mut plan = plan_host_restore(repository, &point, host, &request)?;
        fit_cures_of_many(&mut plan);
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
    newest: &NewestPoints<'_>,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
    args: &AllLatestArgs,
) -> Result<Vec<Item>, CliError> {
    let total = newest.chosen().iter().map(|point| point.size_bytes).sum();
    let progress = ui.progress("restore", None, total);
    let watching = Watching {
        ui,
        progress: &progress,
    };
    let done = restore_all_latest(repository, host, newest, request, args.at_once, &watching);
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
