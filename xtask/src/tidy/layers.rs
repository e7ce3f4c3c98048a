//! Folders are layers: a crate depends on its own layer or on a lower one.

use super::finding::{Finding, Weight};
use super::project::{Crate, Dependency, Project};

/// The layers, lowest first. Those in one row stand beside each other and never know each other.
const LAYERS: &[&[&str]] = &[
    &["disk"],
    &["guest"],
    &["hyperv", "repository"],
    &["checks"],
    &["recovery"],
    &["engine"],
    &["service"],
    &["bin"],
];

/// The highest row that a crate under `testing/` may build upon.
const TESTING_REACHES: usize = 2;

/// Crates that are one choice among several: only the program picks.
const IMPLEMENTATIONS: &[&str] = &["folder_host", "hyperv_sim"];

/// Checks every dependency between members.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &project.crates {
        if place(member).is_none() {
            findings.push(unknown_layer(member));
        }
        for dependency in &member.dependencies {
            let Some(target) = project.member(&dependency.name) else {
                continue;
            };
            if let Some((why, remedy)) = objection(member, target, dependency) {
                findings.push(report(project, member, target, why, remedy));
            }
        }
    }
    findings
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A row of [`LAYERS`].
    Row(usize),
    Testing,
    Chores,
}

fn place(member: &Crate) -> Option<Place> {
    match member.layer() {
        "testing" => Some(Place::Testing),
        "xtask" => Some(Place::Chores),
        layer => LAYERS
            .iter()
            .position(|row| row.contains(&layer))
            .map(Place::Row),
    }
}

/// Why `member` must not use `target`, and what to do instead.
fn objection(
    member: &Crate,
    target: &Crate,
    dependency: &Dependency,
) -> Option<(&'static str, &'static str)> {
    let (from, to) = (place(member)?, place(target)?);
    match (from, to) {
        (Place::Chores, _) => None,
        (_, Place::Chores) => Some((
            "xtask is a chore, not a part of the product",
            "move what is needed into a crate of the lowest layer that can hold it",
        )),
        (Place::Testing, Place::Testing) => None,
        (Place::Row(_), Place::Testing) if dependency.dev => None,
        (Place::Row(_), Place::Testing) => Some((
            "what ships must not hold test doubles",
            "make it a dev-dependency",
        )),
        (Place::Testing, Place::Row(row)) if row <= TESTING_REACHES => None,
        (Place::Testing, Place::Row(_)) => Some((
            "crates under testing/ serve the lower layers' tests, so they build upon those alone",
            "put the test into the higher crate's own tests/",
        )),
        (Place::Row(high), Place::Row(low)) if low > high => Some((
            "a crate depends on its own layer or on a lower one",
            "turn the need into a trait of the lower layer, or move the code up",
        )),
        (Place::Row(high), Place::Row(low)) if low == high && member.layer() != target.layer() => {
            Some((
                "hyperv and repository never know each other; only recovery and engine join them",
                "pass what is needed through the crate that joins them",
            ))
        }
        (Place::Row(row), Place::Row(_)) => picks_implementation(row, target, dependency),
    }
}

fn picks_implementation(
    row: usize,
    target: &Crate,
    dependency: &Dependency,
) -> Option<(&'static str, &'static str)> {
    let is_program = row + 1 == LAYERS.len();
    let is_choice = IMPLEMENTATIONS.contains(&target.name.as_str());
    (is_choice && !is_program && !dependency.dev).then_some((
        "only the program picks implementations",
        "take the trait as a parameter; tests may use the crate as a dev-dependency",
    ))
}

fn report(
    project: &Project,
    member: &Crate,
    target: &Crate,
    why: &'static str,
    remedy: &'static str,
) -> Finding {
    let path = format!("{}/Cargo.toml", member.folder);
    let line = project.file(&path).and_then(|manifest| {
        manifest
            .text
            .lines()
            .position(|line| line.split(['=', '.', ' ']).next() == Some(target.name.as_str()))
    });
    Finding {
        rule: "layers",
        weight: Weight::Failure,
        path,
        line: line.map_or(1, |index| index + 1),
        what: format!(
            "`{}` ({}) uses `{}` ({})",
            member.name,
            member.layer(),
            target.name,
            target.layer()
        ),
        why,
        remedy,
    }
}

fn unknown_layer(member: &Crate) -> Finding {
    Finding {
        rule: "layers",
        weight: Weight::Failure,
        path: format!("{}/Cargo.toml", member.folder),
        line: 1,
        what: format!(
            "`{}` lies in `{}`, which is no layer",
            member.name,
            member.layer()
        ),
        why: "folders are layers, and a crate outside of them has no rules",
        remedy: "move the crate, or add the layer to xtask/src/tidy/layers.rs",
    }
}

#[cfg(test)]
mod tests {
    use super::super::project::fake;
    use super::*;

    /// What tidy says of one crate that uses others, all others being there.
    fn said(folder: &str, dependencies: &[&str]) -> Vec<String> {
        let mut crates: Vec<Crate> = [
            "disk/block_io",
            "guest/volume_map",
            "hyperv/vm_config",
            "hyperv/folder_host",
            "repository/object_store",
            "checks/findings",
            "recovery/vm_restore",
            "engine/backup_run",
            "testing/disk_model",
            "xtask",
        ]
        .iter()
        .map(|folder| fake::member(folder, &[]))
        .collect();
        crates.push(fake::member(folder, dependencies));
        check(&fake::crates(crates))
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn lower_layers_and_the_own_layer_are_open() {
        assert!(said("disk/vhdx_format", &["block_io"]).is_empty());
        assert!(said("guest/guest_files", &["block_io", "volume_map"]).is_empty());
        assert!(
            said(
                "engine/catalog",
                &["vm_config", "object_store", "vm_restore"]
            )
            .is_empty()
        );
        assert!(said("recovery/run_direct", &["findings", "block_io"]).is_empty());
    }

    #[test]
    fn a_higher_layer_is_closed() {
        let found = said("disk/vhdx_format", &["object_store"]);
        assert_eq!(
            found,
            ["`vhdx_format` (disk) uses `object_store` (repository)"]
        );
        assert_eq!(said("disk/vhdx_format", &["volume_map"]).len(), 1);
        assert_eq!(said("checks/more", &["vm_restore"]).len(), 1);
        assert_eq!(said("recovery/more", &["dev:backup_run"]).len(), 1);
    }

    #[test]
    fn hyperv_and_repository_never_know_each_other() {
        assert_eq!(said("hyperv/wmi", &["object_store"]).len(), 1);
        assert_eq!(said("repository/repository", &["vm_config"]).len(), 1);
        assert_eq!(said("repository/repository", &["dev:vm_config"]).len(), 1);
    }

    #[test]
    fn test_doubles_are_for_tests() {
        assert!(said("disk/vhdx_format", &["dev:disk_model"]).is_empty());
        assert_eq!(said("disk/vhdx_format", &["disk_model"]).len(), 1);
    }

    #[test]
    fn test_doubles_build_upon_the_lower_layers() {
        assert!(said("testing/store_faults", &["object_store", "disk_model"]).is_empty());
        assert_eq!(said("testing/store_faults", &["backup_run"]).len(), 1);
    }

    #[test]
    fn only_the_program_picks_implementations() {
        assert!(said("bin/lifeboat", &["folder_host", "backup_run"]).is_empty());
        assert!(said("engine/catalog", &["dev:folder_host"]).is_empty());
        assert_eq!(said("engine/catalog", &["folder_host"]).len(), 1);
        assert_eq!(said("hyperv/hyperv_host", &["folder_host"]).len(), 1);
    }

    #[test]
    fn chores_may_use_all_and_nothing_uses_chores() {
        assert!(said("testing/x", &["block_io"]).is_empty());
        assert_eq!(said("bin/lifeboat", &["xtask"]).len(), 1);
    }

    #[test]
    fn a_crate_outside_of_the_layers_is_named() {
        assert_eq!(
            said("tools/thing", &[]),
            ["`thing` lies in `tools`, which is no layer"]
        );
    }

    #[test]
    fn the_finding_points_at_the_line_of_the_manifest() {
        let mut project = fake::crates(vec![
            fake::member("disk/a", &["b"]),
            fake::member("engine/b", &[]),
        ]);
        project.files.push(fake::file(
            "disk/a/Cargo.toml",
            "[dependencies]\nb = { path = \"…\" }\n",
        ));
        assert_eq!(check(&project)[0].line, 2);
    }
}
