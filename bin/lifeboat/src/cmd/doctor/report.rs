//! What was found, in groups.

use std::collections::BTreeMap;

use finding_catalog::{Area, find};
use hyperv_host::{Finding, Severity, VmEntry};
use serde_json::json;
use wmi_host::Residue;

use crate::exit_code::ExitCode;
use crate::ui::{Ui, count};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    /// Names of VMs by identity.
    names: BTreeMap<String, String>,
    nodes: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Row {
    area: Area,
    vm: Option<String>,
    finding: Finding,
    is_fixable: bool,
    /// It is something that a run left, and that can be removed.
    is_residue: bool,
}

impl Report {
    /// Takes notice of what VMs are called and where they are.
    pub(super) fn know_vms(&mut self, vms: &[VmEntry]) {
        for vm in vms {
            self.names
                .insert(vm.identity.to_lowercase(), vm.name.clone());
            if let Some(node) = &vm.node {
                self.nodes.insert(vm.name.clone(), node.clone());
            }
        }
    }

    /// Adds a finding; what was told already is not told again.
    pub(super) fn add(&mut self, vm: Option<String>, finding: Finding) {
        self.row_of(vm, finding);
    }

    /// Returns the row of a finding, which is made where it is not there yet.
    fn row_of(&mut self, vm: Option<String>, finding: Finding) -> Option<&mut Row> {
        let page = find(&finding.id);
        let usual = match vm {
            Some(_) => Area::Vm,
            None => Area::Host,
        };
        let row = Row {
            area: page.map_or(usual, finding_catalog::Explanation::area),
            vm,
            is_fixable: page.is_some_and(|page| !page.fix.is_empty()),
            is_residue: false,
            finding,
        };
        let is_told = |own: &Row| own.vm == row.vm && own.finding == row.finding;
        let place = self.rows.iter().position(is_told).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        self.rows.get_mut(place)
    }

    pub(super) fn add_residue(&mut self, left: Residue) {
        let fixable = left.fixable;
        let vm = left.vm.map(|vm| self.name_of(vm));
        if let Some(row) = self.row_of(vm, left.finding) {
            // What belongs to others is told, and is nobody's mistake here.
            row.is_fixable = fixable;
            row.is_residue = fixable;
        }
    }

    /// Returns what a VM is called; one that is gone has its identity alone.
    fn name_of(&self, identity: String) -> String {
        let name = self.names.get(&identity.to_lowercase());
        name.cloned().unwrap_or(identity)
    }

    fn count(&self, severity: Severity) -> u64 {
        let rows = self.rows.iter();
        rows.map(|row| u64::from(row.finding.severity == severity))
            .sum()
    }

    /// Shows all of it, what stands in the way first in each group.
    pub(super) fn show(mut self, ui: &Ui) -> ExitCode {
        self.rows
            .sort_by_key(|row| (row.area, std::cmp::Reverse(row.finding.severity)));
        let mut area = None;
        for row in &self.rows {
            if area != Some(row.area) {
                ui.data(row.area.heading());
                area = Some(row.area);
            }
            self.show_row(ui, row);
        }
        let (blocks, warnings) = (self.count(Severity::Block), self.count(Severity::Warn));
        let notes = self.count(Severity::Info);
        ui.data(format!(
            "{} in the way, {}, {}",
            count(blocks, "finding"),
            count(warnings, "warning"),
            count(notes, "note")
        ));
        let residue = self.rows.iter().map(|row| u64::from(row.is_residue)).sum();
        let (code, outcome) = match (blocks, residue) {
            (0, 0) => (ExitCode::Success, "success"),
            (0, _) => (ExitCode::Residue, "findings"),
            _ => (ExitCode::Blocked, "findings"),
        };
        let fields = json!({ "blocks": blocks, "warnings": warnings, "notes": notes,
                             "residue": residue });
        ui.summary(outcome, code, fields);
        code
    }

    fn show_row(&self, ui: &Ui, row: &Row) {
        let finding = &row.finding;
        let code = find(&finding.id).map(|page| page.code);
        let node = row.vm.as_ref().and_then(|vm| self.nodes.get(vm));
        ui.record(
            "finding",
            json!({ "code": code, "id": finding.id, "severity": finding.severity,
                    "area": row.area, "vm": row.vm, "node": node, "text": finding.text,
                    "cure": finding.cure, "fix": row.is_fixable }),
        );
        let sign = match finding.severity {
            Severity::Info => "i",
            Severity::Warn => "!",
            Severity::Block => "x",
        };
        let vm = row.vm.as_ref().map_or_else(String::new, |vm| match node {
            Some(node) => format!("{vm} ({node}): "),
            None => format!("{vm}: "),
        });
        let code = code.map_or_else(String::new, |code| format!("{code} "));
        ui.data(format!(
            "  {sign} {vm}{} ({code}{})",
            finding.text, finding.id
        ));
        if let Some(cure) = &finding.cure {
            ui.data(format!("      do: {cure}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_already_is_marked_and_no_other_row() {
        let mut report = Report::default();
        let vm = VmEntry {
            identity: "0b6f".to_owned(),
            name: "web".to_owned(),
            state: None,
            node: None,
            generation: None,
            version: None,
            disks: Vec::new(),
            checkpoints: 0,
            findings: Vec::new(),
        };
        report.know_vms(&[vm]);
        let left = Finding::new("RESIDUE-CHECKPOINT", Severity::Warn, "it is there");
        report.add(Some("web".to_owned()), left.clone());
        report.add(None, Finding::new("HOST-OLD", Severity::Block, "it is old"));
        let residue = |vm: &str| Residue {
            vm: Some(vm.to_owned()),
            finding: left.clone(),
            fixable: true,
        };
        report.add_residue(residue("0B6F"));
        report.add_residue(residue("gone"));
        let rows: Vec<_> = report
            .rows
            .iter()
            .map(|row| (row.vm.as_deref(), row.is_residue, row.is_fixable))
            .collect();
        assert_eq!(
            rows,
            [
                (Some("web"), true, true),
                (None, false, false),
                (Some("gone"), true, true)
            ]
        );
    }
}
