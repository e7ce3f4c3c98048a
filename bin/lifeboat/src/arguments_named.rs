//! What cures, pages and help texts name has to exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::Cli;

/// Where texts for people are: findings, cures, pages, examples.
const TEXTS: [&str; 8] = [
    "bin/lifeboat/src",
    "checks",
    "engine",
    "hyperv/folder_host/src",
    "hyperv/hyperv_host/src",
    "hyperv/wmi_host/src",
    "recovery",
    "docs/operate",
];

/// Options of other programs: systemctl, cargo, aws, dracut.
const OTHERS: [&str; 5] = [
    "now",
    "lib",
    "bucket",
    "object-lock-enabled-for-bucket",
    "no-hostonly",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "target") {
            files(&path, found);
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// Finds options by their two dashes, where nothing but a blank, a quote or a bracket stands before it.
fn options_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text.get(..at).and_then(|own| own.chars().next_back());
        if before.is_some_and(|own| !own.is_whitespace() && !"\"'`([<|".contains(own)) {
            continue;
        }
        let rest = text.get(at + 2..).unwrap_or_default();
        let is_part = |own: char| own.is_ascii_lowercase() || own.is_ascii_digit() || own == '-';
        let end = rest.find(|own| !is_part(own)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim_end_matches('-');
        if word.starts_with(|own: char| own.is_ascii_lowercase()) {
            found.insert(word.to_owned());
        }
    }
    found
}

fn options_of(command: &clap::Command, found: &mut BTreeSet<String>) {
    let own = command.get_arguments();
    found.extend(own.filter_map(|own| own.get_long().map(str::to_owned)));
    for own in command.get_subcommands() {
        options_of(own, found);
    }
}

#[test]
fn every_option_that_is_named_exists() {
    let mut known: BTreeSet<String> = ["help", "version"].map(str::to_owned).into();
    options_of(&Cli::shape(), &mut known);
    known.extend(OTHERS.map(str::to_owned));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    for folder in TEXTS {
        files(&root.join(folder), &mut sources);
    }
    assert!(sources.len() > 150, "{}", sources.len());
    let mut named = 0;
    let mut unknown = Vec::new();
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        let options = options_in(text.split("#[cfg(test)]").next().unwrap_or_default());
        named += options.len();
        let missing = options.difference(&known);
        unknown.extend(missing.map(|own| format!("--{own} in {}", source.display())));
    }
    assert!(named > 100, "{named}");
    assert!(unknown.is_empty(), "no such option: {unknown:#?}");
}

#[test]
fn options_are_told_from_other_dashes() {
    let text = "run `--fix ID` (--yes), a -- b, x--y, ---, |--|, \"--host-files 'C:\\=/mnt'\"";
    let found = options_in(text);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["fix", "host-files", "yes"]);
}
