//! What the compiler cannot check: layers, sizes, names, documents.
//!
//! Every rule is a function from a [`Project`] to [`Finding`]s, so each is tested on a small made-up
//! project. Exceptions stand in one list, each with its reason ([`exceptions`]); one that no longer
//! matches anything is a finding too.

mod documents;
mod exceptions;
mod finding;
mod guesses;
mod layers;
mod manifests;
mod project;
mod sources;

use std::path::Path;
use std::time::Instant;

use finding::{Finding, Weight};
use project::Project;

/// Checks the project under `root` and prints what it finds. `Ok(true)` when nothing fails.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let started = Instant::now();
    let project = Project::read(root)?;
    let findings = exceptions::apply(exceptions::LIST, check(&project));
    for finding in &findings {
        println!("{finding}");
    }
    let failures = findings
        .iter()
        .filter(|f| f.weight == Weight::Failure)
        .count();
    println!(
        "tidy: {} crates, {} files, {failures} failures, {} warnings in {:.1} s",
        project.crates.len(),
        project.files.len(),
        findings.len() - failures,
        started.elapsed().as_secs_f64(),
    );
    Ok(failures == 0)
}

/// Every rule's findings, in the order of files.
fn check(project: &Project) -> Vec<Finding> {
    let rules: [fn(&Project) -> Vec<Finding>; 5] = [
        layers::check,
        manifests::check,
        sources::check,
        documents::check,
        guesses::check,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(project)).collect();
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}
