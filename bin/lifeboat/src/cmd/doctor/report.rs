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
    residue: u64,
    nodes: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Row {
    area: Area,
    vm: Option<String>,
    finding: Finding,
    is_fixable: bool,
}

impl Report {
    /// Takes notice of where VMs are.
    pub(super) fn know_nodes(&mut self, vms: &[VmEntry]) {
        for vm in vms {
            if let Some(node) = &vm.node {
                self.nodes.insert(vm.name.clone(), node.clone());
            }
        }
    }

    /// Adds a finding; what was told already is not told again.
    pub(super) fn add(&mut self, vm: Option<String>, finding: Finding) {
        let page = find(&finding.id);
        let usual = match vm {
            Some(_) => Area::Vm,
            None => Area::Host,
        };
        let row = Row {
            area: page.map_or(usual, finding_catalog::Explanation::area),
            vm,
            is_fixable: page.is_some_and(|page| !page.fix.is_empty()),
            finding,
        };
        let is_told = |own: &Row| own.vm == row.vm && own.finding == row.finding;
        if !self.rows.iter().any(is_told) {
            self.rows.push(row);
        }
    }

    pub(super) fn add_residue(&mut self, left: Residue) {
        // What belongs to others is told, and is nobody's mistake here.
        self.residue += u64::from(left.fixable);
        let fixable = left.fixable;
        self.add(left.vm, left.finding);
        if let Some(row) = self.rows.last_mut() {
            row.is_fixable = fixable;
        }
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
        let (code, outcome) = match (blocks, self.residue) {
            (0, 0) => (ExitCode::Success, "success"),
            (0, _) => (ExitCode::Residue, "findings"),
            _ => (ExitCode::Blocked, "findings"),
        };
        let fields = json!({ "blocks": blocks, "warnings": warnings, "notes": notes,
                             "residue": self.residue });
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
