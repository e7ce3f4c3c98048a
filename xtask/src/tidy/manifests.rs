//! What each crate and each layer must have: lints, no unsafe code, a README for the layer.

use super::finding::{Finding, Weight};
use super::project::{Crate, Project};

/// Lines that a layer's README may have: it says what the room is for, the crates say the rest.
const LAYER_README_LINES: usize = 15;

/// Names that say nothing of what is inside, so everything ends up inside.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "base", "core", "misc", "helper", "helpers", "types", "shared",
];

/// Checks manifests, crate roots, layer folders and names.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &project.crates {
        findings.extend(workspace_lints(project, member));
        findings.extend(forbids_unsafe(project, member));
        findings.extend(layer_readme(project, member));
    }
    findings.extend(empty_names(project));
    // Crates of one layer report the same missing README.
    findings.dedup_by(|a, b| a == b);
    findings
}

fn failure(
    rule: &'static str,
    path: String,
    what: String,
    why: &'static str,
    remedy: &'static str,
) -> Finding {
    Finding {
        rule,
        weight: Weight::Failure,
        path,
        line: 1,
        what,
        why,
        remedy,
    }
}

fn workspace_lints(project: &Project, member: &Crate) -> Option<Finding> {
    let path = format!("{}/Cargo.toml", member.folder);
    let manifest: Option<toml::Table> = project.file(&path).and_then(|file| file.text.parse().ok());
    let inherits = manifest
        .as_ref()
        .and_then(|table| table.get("lints")?.get("workspace")?.as_bool())
        .unwrap_or_default();
    (!inherits).then(|| {
        failure(
            "workspace-lints",
            path,
            format!("`{}` does not take the workspace's lints", member.name),
            "one set of lints holds for every crate",
            "add `[lints]` with `workspace = true`",
        )
    })
}

fn forbids_unsafe(project: &Project, member: &Crate) -> Option<Finding> {
    let roots = ["lib.rs", "main.rs"].map(|name| format!("{}/src/{name}", member.folder));
    let open = roots
        .into_iter()
        .filter_map(|path| project.file(&path))
        .find(|file| {
            !file
                .text
                .lines()
                .any(|line| line.trim() == "#![forbid(unsafe_code)]")
        })?;
    Some(failure(
        "unsafe-code",
        open.path.clone(),
        format!("`{}` does not forbid unsafe code", member.name),
        "bytes from files and hosts meet safe code only",
        "add `#![forbid(unsafe_code)]`, or an exception with the reason and who checked it",
    ))
}

fn layer_readme(project: &Project, member: &Crate) -> Option<Finding> {
    let layer = member.layer();
    if layer == member.folder {
        return None;
    }
    let path = format!("{layer}/README.md");
    let what = match project.file(&path).map(|file| file.text.lines().count()) {
        None => format!("the layer `{layer}` has no README.md"),
        Some(lines) if lines > LAYER_README_LINES => {
            format!("{lines} lines; {LAYER_README_LINES} is the limit")
        }
        Some(_) => return None,
    };
    Some(failure(
        "layer-readme",
        path,
        what,
        "who opens the folder wants to know what the room is for, and no more",
        "say in a few lines what belongs here and what does not; details go into the crate docs",
    ))
}

fn empty_names(project: &Project) -> Vec<Finding> {
    let crates = project
        .crates
        .iter()
        .map(|member| (member.name.as_str(), &member.folder));
    let modules = project
        .files
        .iter()
        .filter(|file| file.has_extension("rs"))
        .flat_map(|file| {
            let parts = file.path.trim_end_matches(".rs").split('/');
            parts.map(move |part| (part, &file.path))
        });
    let mut findings: Vec<Finding> = crates
        .chain(modules)
        .filter(|(name, _)| EMPTY_NAMES.contains(name))
        .map(|(name, path)| {
            failure(
                "empty-name",
                path.clone(),
                format!("`{name}` says nothing of what is inside"),
                "a room without a subject fills with everything",
                "name it after the one concept it holds, in the field's own word",
            )
        })
        .collect();
    findings.sort_by(|a, b| a.path.cmp(&b.path));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::project::fake;
    use super::*;

    const GOOD_MANIFEST: &str = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n";
    const GOOD_ROOT: &str = "//! A.\n\n#![forbid(unsafe_code)]\n";

    fn rules(manifest: &str, root: &str, readme: &str) -> Vec<&'static str> {
        let project = Project {
            crates: vec![fake::member("disk/a", &[])],
            files: vec![
                fake::file("disk/a/Cargo.toml", manifest),
                fake::file("disk/a/src/lib.rs", root),
                fake::file("disk/README.md", readme),
            ],
        };
        check(&project)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_complete_crate_passes() {
        assert!(rules(GOOD_MANIFEST, GOOD_ROOT, "# disk\n").is_empty());
    }

    #[test]
    fn a_crate_with_its_own_lints_is_found() {
        let manifest = "[package]\nname = \"a\"\n[lints]\nworkspace = false\n";
        assert_eq!(rules(manifest, GOOD_ROOT, ""), ["workspace-lints"]);
        assert_eq!(
            rules("[package]\nname = \"a\"\n", GOOD_ROOT, ""),
            ["workspace-lints"]
        );
    }

    #[test]
    fn a_crate_that_allows_unsafe_code_is_found() {
        assert_eq!(
            rules(GOOD_MANIFEST, "//! #![forbid(unsafe_code)]\n", ""),
            ["unsafe-code"]
        );
    }

    #[test]
    fn a_layer_readme_is_there_and_short() {
        assert_eq!(
            rules(GOOD_MANIFEST, GOOD_ROOT, &"line\n".repeat(16)),
            ["layer-readme"]
        );
        let project = fake::crates(vec![
            fake::member("disk/a", &[]),
            fake::member("disk/b", &[]),
        ]);
        let found = check(&project);
        assert_eq!(found.iter().filter(|f| f.rule == "layer-readme").count(), 2);
    }

    #[test]
    fn empty_names_of_crates_files_and_folders_are_found() {
        let mut project = fake::files(vec![
            fake::file("disk/a/src/utils.rs", ""),
            fake::file("disk/a/src/helpers/shape.rs", ""),
            fake::file("disk/a/src/base64_text.rs", ""),
        ]);
        project.crates.push(fake::member("disk/common", &[]));
        let found = check(&project);
        assert_eq!(found.iter().filter(|f| f.rule == "empty-name").count(), 3);
    }
}
