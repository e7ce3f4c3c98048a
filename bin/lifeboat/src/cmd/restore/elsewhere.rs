//! `lifeboat restore vm` for another hypervisor.

use std::path::Path;

use hyperv_host::Severity;
use repository::{Repository, RestorePoint};
use serde_json::json;
use vm_restore::{ElsewhereOrder, ElsewherePlan, plan_elsewhere};

use super::say_skipped;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, size};

pub(super) fn run(
    invocation: &Invocation,
    repository: &Repository,
    point: &RestorePoint,
    folder: &Path,
    order: &ElsewhereOrder,
    dry_run: bool,
) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let plan = plan_elsewhere(repository, point, folder, order)?;
    if dry_run || ui.is_verbose() {
        show_files(ui, &plan);
    }
    ui.record("plan", &plan);
    show_findings(ui, &plan);
    let disks = count(plan.disks.len() as u64, "disk");
    if dry_run {
        let vm = &point.vm.name;
        ui.message(format!(
            "would restore {vm} with {disks} as {}",
            plan.format
        ));
        let fields = json!({ "point": point.id, "path": folder, "dry_run": true });
        ui.summary("success", ExitCode::Success, fields);
        return Ok(ExitCode::Success);
    }
    let total = plan.disks.iter().map(|disk| disk.size_bytes).sum();
    let progress = ui.progress("restore", Some(&point.vm.name), total);
    let report = plan.execute(&progress)?;
    progress.finish();
    ui.data(format!(
        "restored {} {} to {}: {disks} as {}, {} written",
        point.vm.name,
        point.id,
        folder.display(),
        plan.format,
        size(report.written_bytes)
    ));
    if let Some(domain) = &plan.domain {
        ui.message(format!("what to do with it: {}", domain.note.display()));
    }
    say_skipped(ui, point.disks());
    let fields = json!({ "point": point.id, "vm": point.vm.name, "report": report });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn show_files(ui: &Ui, plan: &ElsewherePlan) {
    let mut table = Table::new(&[("SIZE", Align::Right), ("FILE", Align::Left)]);
    for path in plan.files() {
        let disk = plan.disks.iter().find(|disk| disk.path == path);
        let bytes = disk.map_or_else(String::new, |disk| size(disk.size_bytes));
        table.row(vec![bytes, path.display().to_string()]);
    }
    ui.table(&table);
}

fn show_findings(ui: &Ui, plan: &ElsewherePlan) {
    for finding in &plan.findings {
        let text = format!("{}: {}", finding.id, finding.text);
        if finding.severity == Severity::Info {
            ui.message(text);
        } else {
            ui.warning(&text);
        }
        if let Some(cure) = &finding.cure {
            ui.message(format!("  do: {cure}"));
        }
    }
}
