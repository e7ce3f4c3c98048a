//! Checks of the repository.

use hyperv_host::{Finding, Severity, VmEntry};
use jiff::{SignedDuration, Timestamp};
use repository::{CatalogPoint, Repository, RepositoryErrorKind};

use super::report::Report;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::OpenHost;
use crate::invocation::Invocation;
use crate::ui::size;

/// A VM without a point for so long is told.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Free space below which a repository is in danger, whatever its volume's size.
const LOW_BYTES: u64 = 20 << 30;

/// Looks at the repository, where one is named.
pub(super) fn look(invocation: &Invocation, host: Option<&OpenHost>, report: &mut Report) {
    if !invocation.names_repository() {
        return;
    }
    if let Ok(place) = invocation.repository_place()
        && let Some(finding) = place.folder().and_then(room)
    {
        report.add(None, finding);
    }
    let points = match open(invocation) {
        Ok((points, findings)) => {
            findings.into_iter().for_each(|own| report.add(None, own));
            points
        }
        Err(finding) => return report.add(None, finding),
    };
    if points.is_empty() {
        let text = "the repository has no restore point yet";
        report.add(
            None,
            Finding::new("REPO-EMPTY", Severity::Info, text).cure("make one: lifeboat backup"),
        );
        return;
    }
    let listed = host.and_then(|host| host.as_host().inventory().ok());
    for vm in listed.into_iter().flat_map(|inventory| inventory.vms) {
        if let Some(finding) = stale(&vm, &points, Timestamp::now()) {
            report.add(Some(vm.name), finding);
        }
    }
}

/// Opens it and lists its points; what stands in the way of that is a finding.
fn open(invocation: &Invocation) -> Result<(Vec<CatalogPoint>, Vec<Finding>), Finding> {
    let repository = invocation
        .open_repository()
        .map_err(|error| of_error(&error))?;
    let catalog = repository
        .catalog()
        .map_err(|error| of_error(&error.into()))?;
    let mut findings: Vec<Finding> = catalog
        .unreadable
        .iter()
        .map(|error| damaged(&error.to_string()))
        .collect();
    findings.extend(missing_packs(&repository));
    Ok((catalog.points, findings))
}

fn of_error(error: &CliError) -> Finding {
    let text = error.to_lines().first().cloned().unwrap_or_default();
    let text = text.trim_start_matches("error: ");
    match error.exit_code() {
        ExitCode::WrongKey => Finding::new("REPO-KEY", Severity::Block, text)
            .cure("try the recovery key: LIFEBOAT_RECOVERY_KEY_FILE"),
        ExitCode::Damaged => damaged(text),
        _ => Finding::new("REPO-UNREACHABLE", Severity::Block, text)
            .cure("see that the share is mounted and the path is right"),
    }
}

fn damaged(text: &str) -> Finding {
    Finding::new("REPO-DAMAGED", Severity::Block, text)
        .cure("`lifeboat repo check` says which points are hit")
}

/// Adding sizes up reads the listing alone, and tells an index that does not fit it.
fn missing_packs(repository: &Repository) -> Option<Finding> {
    let error = repository.statistics().err()?;
    let severity = match error.kind() {
        RepositoryErrorKind::Damaged => Severity::Block,
        _ => Severity::Warn,
    };
    let text = format!("a quick look at the repository failed: {error}");
    Some(Finding::new("REPO-UNCHECKED", severity, text).cure("lifeboat repo check"))
}

/// Says that a VM has no point of late. One that says nobackup needs none.
fn stale(vm: &VmEntry, points: &[CatalogPoint], now: Timestamp) -> Option<Finding> {
    if vm.findings.iter().any(|own| own.id == "VM-NOBACKUP-TAG") {
        return None;
    }
    let own = points
        .iter()
        .filter(|point| point.summary.vm.identity == vm.identity);
    let text = match own.map(|point| point.summary.started).max() {
        None => "the repository has no point of the VM".to_owned(),
        Some(newest) if now.duration_since(newest) > STALE => format!(
            "the newest point of the VM is {} days old",
            now.duration_since(newest).as_hours() / 24
        ),
        Some(_) => return None,
    };
    Some(
        Finding::new("REPO-STALE", Severity::Warn, text)
            .cure("see that what starts its backups runs, and names the VM"),
    )
}

fn room(folder: &std::path::Path) -> Option<Finding> {
    let space = object_store::folder_space(folder).ok()?;
    low(space.free_bytes, space.total_bytes)
}

fn low(free: u64, all: u64) -> Option<Finding> {
    (free < LOW_BYTES.min(all / 10)).then(|| {
        let text = format!(
            "the repository's volume has {} free of {}",
            size(free),
            size(all)
        );
        Finding::new("REPO-LOW", Severity::Warn, text)
            .cure("make room, or move the repository: it may be copied file by file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_low_by_its_size_and_by_what_a_run_needs() {
        const GIB: u64 = 1 << 30;
        assert!(low(5 * GIB, 100 * GIB).is_some());
        assert!(low(15 * GIB, 100 * GIB).is_none());
        assert!(low(19 * GIB, 10_000 * GIB).is_some());
        assert!(low(30 * GIB, 10_000 * GIB).is_none());
        assert!(low(0, 0).is_none());
    }
}
