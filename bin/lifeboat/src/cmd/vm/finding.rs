//! Findings as people read them.

use hyperv_host::{Finding, Severity};
use serde_json::json;

use crate::ui::Ui;

/// Shows a finding: what was found, and what to do.
pub(crate) fn show_finding(ui: &Ui, vm: Option<&str>, finding: &Finding) {
    let code = finding_catalog::find(&finding.id).map(|page| page.code);
    ui.record(
        "finding",
        json!({ "vm": vm, "id": finding.id, "code": code, "severity": finding.severity,
                "text": finding.text, "cure": finding.cure }),
    );
    let sign = match finding.severity {
        Severity::Info => "i",
        Severity::Warn => "!",
        Severity::Block => "x",
    };
    let vm = vm.map_or_else(String::new, |vm| format!("{vm}: "));
    let name = code.map_or_else(
        || finding.id.clone(),
        |code| format!("{code} {}", finding.id),
    );
    let mut lines = vec![format!("{sign} {vm}{} ({name})", finding.text)];
    lines.extend(finding.cure.iter().map(|cure| format!("    do: {cure}")));
    for line in lines {
        match finding.severity {
            Severity::Info => ui.message(line),
            Severity::Warn | Severity::Block => ui.trouble(line),
        }
    }
}
