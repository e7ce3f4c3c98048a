//! Cures that name options which the command that was given does not have.

use hyperv_host::Finding;
use vm_restore::{HostRestorePlan, RestorePart};

/// Options that `restore vm` has, and which findings name.
const OF_RESTORE_VM: [&str; 7] = [
    "--as-new-vm",
    "--flatten",
    "--in-place",
    "--keep-old",
    "--name",
    "--new-identity",
    "--through",
];

/// Says of cures of a plan which only `restore vm` has the options for that they are that one's.
pub(super) fn fit_cures(plan: &mut HostRestorePlan, part: &RestorePart) {
    match part {
        RestorePart::Vm => {}
        RestorePart::Disks { .. } => fit(&mut plan.findings, true),
        RestorePart::Configuration | RestorePart::Network => fit(&mut plan.findings, false),
    }
}

/// The same for the plan of one of many VMs.
pub(super) fn fit_cures_of_many(plan: &mut HostRestorePlan) {
    fit(&mut plan.findings, true);
}

fn fit(findings: &mut [Finding], has_path: bool) {
    for cure in findings.iter_mut().filter_map(|own| own.cure.as_mut()) {
        let lacks = OF_RESTORE_VM.iter().any(|option| cure.contains(option));
        if lacks || !has_path && cure.contains("--path") {
            *cure = format!("with `lifeboat restore vm`: {cure}");
        }
    }
}

#[cfg(test)]
mod tests {
    use hyperv_host::Severity;

    use super::*;

    #[test]
    fn a_cure_with_an_option_of_restore_vm_says_so() {
        let finding = |cure: &str| Finding::new("POINT-X", Severity::Block, "x").cure(cure);
        let mut findings = [finding("use `--as-new-vm`"), finding("use `--stop`")];
        fit(&mut findings, true);
        let cures = findings.map(|finding| finding.cure.unwrap());
        let vm = "with `lifeboat restore vm`: use `--as-new-vm`";
        assert_eq!(cures, [vm, "use `--stop`"]);
    }
}
