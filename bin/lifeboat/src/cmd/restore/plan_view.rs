//! A plan of a restore to a host, as people read it.

use std::time::Duration;

use serde_json::json;
use vm_restore::{Destroyed, DiskMethod, HostRestorePlan, PlannedDisk, RateSource, RestoreMethod};

use crate::cmd::vm::show_finding;
use crate::ui::{Align, Table, Ui, count, duration, local_time, size};

/// Shows what a restore will do.
pub(super) fn show_plan(ui: &Ui, plan: &HostRestorePlan) {
    ui.record(
        "plan",
        json!({ "plan": plan, "estimated_seconds": plan.estimated_seconds() }),
    );
    ui.data(format!(
        "plan         {} of {} to {}{}",
        plan.vm,
        local_time(plan.taken),
        plan.host,
        if plan.resumes {
            ", going on with a restore that died"
        } else {
            ""
        }
    ));
    if let Some(checkpoint) = &plan.checkpoint {
        ui.data(format!("checkpoint   as it was at {checkpoint:?}"));
    }
    if plan.method == RestoreMethod::Writer {
        ui.data("through      the host's VSS writer (PreRestore, files, PostRestore)");
    }
    for (number, step) in (1..).zip(&plan.steps) {
        ui.data(format!("{number:>4}. {}", step.text));
    }
    show_disks(ui, plan);
    for adapter in &plan.adapters {
        let switch = adapter.switch.as_deref().unwrap_or("not connected");
        let mac = adapter.mac_address.as_deref().unwrap_or("a new one");
        let vlan = adapter
            .vlan
            .map_or_else(String::new, |vlan| format!(", VLAN {vlan}"));
        ui.data(format!(
            "network      {}: {switch}, MAC address {mac}{vlan}",
            adapter.name
        ));
    }
    for need in plan.space.iter().filter(|need| need.needed_bytes > 0) {
        ui.data(format!(
            "space        {} of {} that are free on {}",
            size(need.needed_bytes),
            size(need.free_bytes),
            need.mount
        ));
    }
    for destroyed in &plan.destroyed {
        ui.data(format!("destroyed    {}", destroyed_text(destroyed)));
    }
    if plan.write_bytes > 0 {
        ui.data(format!("writes       {}", written_text(plan)));
    }
    for finding in &plan.findings {
        show_finding(ui, Some(&plan.vm), finding);
    }
}

fn show_disks(ui: &Ui, plan: &HostRestorePlan) {
    if plan.disks.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("DISK", Align::Right),
        ("SLOT", Align::Left),
        ("SIZE", Align::Right),
        ("WRITES", Align::Right),
        ("HOW", Align::Left),
        ("FILE", Align::Left),
    ]);
    for disk in &plan.disks {
        let bound = if disk.is_exact { "" } else { "≤ " };
        table.row(vec![
            disk.number.to_string(),
            slot_text(disk),
            size(disk.size_bytes),
            format!("{bound}{}", size(disk.write_bytes)),
            method_text(disk.method),
            disk.path.clone(),
        ]);
    }
    ui.table(&table);
}

fn slot_text(disk: &PlannedDisk) -> String {
    disk.slot.map_or_else(
        || "-".to_owned(),
        |slot| {
            let kind = format!("{:?}", slot.kind).to_lowercase();
            format!("{kind}{}:{}", slot.controller, slot.slot)
        },
    )
}

fn method_text(method: DiskMethod) -> String {
    match method {
        DiskMethod::NewFile => "a new file".to_owned(),
        DiskMethod::Image => "an image file as it was".to_owned(),
        DiskMethod::ChangedRanges { ranges } => {
            format!("{} that changed", count(ranges as u64, "range"))
        }
        DiskMethod::Compared => "compared, and written where it differs".to_owned(),
        DiskMethod::Kept => "stays as it is".to_owned(),
    }
}

fn destroyed_text(destroyed: &Destroyed) -> String {
    match destroyed {
        Destroyed::Vm { name, identity } => {
            format!("the VM {name} ({identity}), with its configuration and checkpoints")
        }
        Destroyed::Content { path } => format!("what {path} holds now is written over"),
        Destroyed::File { path } => format!("the file {path} is removed"),
        Destroyed::Configuration { name } => format!("the configuration of {name} is replaced"),
    }
}

/// Says how much is written, and how long that takes, about.
fn written_text(plan: &HostRestorePlan) -> String {
    let bound = if plan.write_is_exact { "" } else { "at most " };
    let seconds = Duration::from_secs(plan.estimated_seconds());
    let known = match plan.rate.source {
        RateSource::EarlierRestore => "as the last restore to this host",
        RateSource::Assumed => "which is assumed: no restore to this host is known",
    };
    let runs = match plan.runs_still {
        true => "; how little of it differs shows once the VM is off",
        false => "",
    };
    format!(
        "{bound}{}, about {} at {}/s, {known}{runs}",
        size(plan.write_bytes),
        duration(seconds),
        size(plan.rate.bytes_per_second)
    )
}
