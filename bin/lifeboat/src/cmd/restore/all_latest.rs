//! `lifeboat restore all-latest`: every VM of a lost host back on another (requirement HOST-10).

mod bounds;
mod items;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use hyperv_host::{PowerState, RestoreHost};
use repository::{Catalog, RestorePoint};
use serde_json::json;
use vm_restore::{
    Destination, HostRestorePlan, HostRestoreRequest, NewestPoints, StartPolicy, VmFilter, VmPlan,
    plan_all_latest, restore_all_latest,
};

use self::bounds::{AtOnce, FreeMemory};
use self::items::{Item, ItemOutcome, finish};
use super::cure::fit_cures_of_many;
use super::network_args::NetworkArgs;
use super::to_host::{Steps, Watching};
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::WayArgs;
use crate::invocation::Invocation;
use crate::ui::{Ui, count, local_time, size};

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
    /// Only this VM, by name or GUID; may be given several times. A name that VMs of several hosts have needs --from-host
    #[arg(long, value_name = "NAME")]
    vm: Vec<String>,
    /// VMs of all hosts that the repository has points of
    #[arg(long, conflicts_with = "from_host")]
    all_hosts: bool,
    /// Folder of the host, one below it for each VM; by default each goes where it was
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
    /// Most VMs that are restored at the same time; by default half of the processors of this machine or the host, at most 4, because each VM is unpacked by several threads and written to the same disks
    #[arg(long, value_name = "N")]
    at_once: Option<usize>,
    /// Start each VM when all are back, as long as the host's free memory lasts
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
    let mut plans = plan_all_latest(&repository, host, &newest, &args.request()?)?;
    for plan in plans.iter_mut().filter_map(|vm| vm.plan.as_mut().ok()) {
        fit_cures_of_many(plan);
    }
    // The plans are shown in either case: what is found now concerns the VMs that will be back.
    let planned: Vec<Item> = plans.iter().map(|vm| Item::of_plan(ui, vm)).collect();
    let at_once = args.bounds(ui, host, &plans)?;
    if args.dry_run {
        return Ok(finish(ui, host.name(), &planned, true));
    }
    let mut items = restore_all(ui, host, plans, at_once, args.start)?;
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
        if self.from_host.is_empty() && !self.all_hosts {
            self.refuse_ambiguous(&newest)?;
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

    /// Refuses a name that VMs of several hosts have: most of them live.
    fn refuse_ambiguous(&self, newest: &NewestPoints<'_>) -> Result<(), CliError> {
        for name in &self.vm {
            let own = newest.named(name);
            let hosts: BTreeSet<&str> = own.iter().map(|point| &*point.host).collect();
            if hosts.len() < 2 {
                continue;
            }
            let own = own.iter();
            let own = own.map(|point| {
                let (id, time) = (&point.vm.identity, local_time(point.started));
                format!(
                    "{} of {} (latest point {time}): --vm {id}",
                    point.vm.name, point.host
                )
            });
            let text = format!("VMs of {} hosts are called {name:?}", hosts.len());
            return Err(CliError::usage(text).hint(format!(
                "say whose with --from-host NAME, or name one by its GUID, or take all with \
                 --all-hosts; there are {}",
                own.collect::<Vec<_>>().join("; ")
            )));
        }
        Ok(())
    }

    /// Says what the host bears at once; returns how many VMs are restored at a time.
    fn bounds(&self, ui: &Ui, host: &dyn RestoreHost, plans: &[VmPlan]) -> Result<usize, CliError> {
        let target = host.target()?;
        let at_once = AtOnce::of(self.at_once, target.logical_processors);
        let free = target.free_memory_bytes;
        let too_many = match self.start {
            true => FreeMemory::new(free).too_many(plans),
            false => Vec::new(),
        };
        ui.record(
            "bounds",
            json!({ "at_once": at_once.vms, "why": at_once.why, "free_memory_bytes": free,
                    "stay_off": too_many }),
        );
        let vms = count(at_once.vms as u64, "VM");
        ui.data(format!("at once      {vms} ({})", at_once.why));
        if !too_many.is_empty() {
            ui.warning(&format!(
                "{} is free on {}: with what the others start with, these stay off: {}",
                free.map_or_else(|| "too little memory".to_owned(), size),
                host.name(),
                too_many.join(", ")
            ));
        }
        Ok(at_once.vms)
    }

    fn request(&self) -> Result<HostRestoreRequest, CliError> {
        let mut request = HostRestoreRequest {
            destination: self
                .path
                .clone()
                .map_or(Destination::Original, Destination::Folder),
            // Those that come back are started together, when all are.
            start: StartPolicy::StayOff,
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

fn restore_all(
    ui: &Ui,
    host: &dyn RestoreHost,
    plans: Vec<VmPlan>,
    at_once: usize,
    start: bool,
) -> Result<Vec<Item>, CliError> {
    let known = plans.iter().filter_map(|vm| vm.plan.as_ref().ok());
    let total = known
        .flat_map(|plan| &plan.disks)
        .map(|disk| disk.size_bytes);
    let progress = ui.progress("restore", None, total.sum());
    let watching = Watching {
        ui,
        progress: &progress,
    };
    let wants: Vec<u64> = plans.iter().map(startup_memory_bytes).collect();
    let done = restore_all_latest(host, plans, at_once, &watching);
    progress.finish();
    let mut items: Vec<Item> = done
        .iter()
        .map(|outcome| Item::of_outcome(ui, outcome))
        .collect();
    if !start {
        return Ok(items);
    }
    let mut memory = FreeMemory::new(host.target()?.free_memory_bytes);
    for ((item, done), bytes) in items.iter_mut().zip(&done).zip(wants) {
        let Ok(report) = &done.result else {
            continue;
        };
        let started = match memory.take(bytes) {
            true => host
                .set_power(&report.identity, PowerState::Running, &Steps { ui })
                .map(|_| ())
                .map_err(|error| error.to_string()),
            false => Err(format!(
                "it wants {} of memory, which are not free",
                size(bytes)
            )),
        };
        if let Err(why) = started {
            item.warned = true;
            item.text = format!("it did not start: {why}");
            ui.warning(&format!("{} is back and did not start: {why}", item.vm));
        }
    }
    Ok(items)
}

fn startup_memory_bytes(vm: &VmPlan) -> u64 {
    let plan = vm.plan.as_ref();
    plan.map_or(0, HostRestorePlan::startup_memory_bytes)
}
