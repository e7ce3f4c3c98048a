//! Whether a run fits into the repository.

use backup_run::{Foreseen, PlannedVm, foresee};
use capacity::{Basis, Limit, Shortfall};
use repository::Repository;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::ui::{Ui, size};

/// Shows what the run will add, and returns it.
pub(crate) fn show_room(
    ui: &Ui,
    repository: &Repository,
    planned: &[PlannedVm],
) -> Result<Foreseen, CliError> {
    let foreseen = foresee(repository, planned)?;
    for vm in &foreseen.vms {
        ui.record("estimate", vm);
        let how = match vm.estimate.basis {
            Basis::OwnPast => "as its last backups did",
            Basis::OtherVms => "told from other VMs",
            Basis::Usual => "as is usual",
        };
        let bytes = size(vm.estimate.bytes);
        ui.message(format!("{}: adds about {bytes}, {how}", vm.vm));
    }
    if let (Some(used), Some(quota)) = (foreseen.used_bytes, foreseen.quota_bytes) {
        ui.message(format!(
            "the repository has {} of its quota of {}",
            size(used),
            size(quota)
        ));
    }
    for shortfall in &foreseen.shortfalls {
        ui.warning(&text(&foreseen, shortfall));
    }
    Ok(foreseen)
}

/// Fails where the run does not fit.
pub(crate) fn refuse_shortfall(foreseen: &Foreseen) -> Result<(), CliError> {
    let Some(shortfall) = foreseen.shortfalls.first() else {
        return Ok(());
    };
    let message = format!("nothing was begun: {}", text(foreseen, shortfall));
    Err(CliError::new(ExitCode::NoSpace, "quota", message).hint(
        "remove restore points with `lifeboat prune`, raise the quota with `lifeboat repo quota \
             set`, or go on with --ignore-quota",
    ))
}

fn text(foreseen: &Foreseen, shortfall: &Shortfall) -> String {
    let added = size(shortfall.added_bytes);
    let (used, limit) = (size(shortfall.used_bytes), size(shortfall.limit_bytes));
    match &shortfall.limit {
        Limit::Quota => format!(
            "the repository has {used} of its quota of {limit}, and the run would add about {added}"
        ),
        Limit::FreeSpace => {
            format!("the store has {limit} left, and the run would add about {added}")
        }
        Limit::VmQuota { vm } => {
            let known = foreseen.vms.iter().find(|own| own.identity == *vm);
            let name = known.map_or(vm.as_str(), |own| own.vm.as_str());
            format!("{name} has {used} of its quota of {limit}, and would add about {added}")
        }
    }
}
