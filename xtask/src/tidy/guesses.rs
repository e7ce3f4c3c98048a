//! Guesses about Hyper-V: each function that holds one is on the page for the first real host.
//!
//! A fact that no real host has confirmed is held by one function, whose documentation says so in a
//! line of its own: `Contract: 2.1 [M]` (from memory) or `Contract: 0.3 [V?]` (sources disagree).

use super::finding::{Finding, Weight};
use super::project::{Project, ProjectFile};

/// Where somebody with a real host looks.
const PAGE: &str = "docs/operate/first-real-host.md";

/// Checks every marked function against the page.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let page = project.file(PAGE).map_or("", |file| file.text.as_str());
    let rust = project
        .files
        .iter()
        .filter(|file| file.is_production_rust() && file.path.starts_with("hyperv/"));
    let guesses = rust.flat_map(|file| guesses(file).map(move |guess| (file, guess)));
    guesses
        .filter_map(|(file, guess)| {
            let (what, remedy) = match &guess.holder {
                None => (
                    "a guess is marked, and no function follows".to_owned(),
                    "mark the function that holds the guess",
                ),
                Some(name) if !listed(page, name, &file.path) => (
                    format!("`{name}` holds a guess and is not listed in {PAGE}"),
                    "add a row to the page that names the function and its file",
                ),
                Some(_) => return None,
            };
            Some(Finding {
                rule: "guesses",
                weight: Weight::Failure,
                path: file.path.clone(),
                line: guess.line,
                what,
                why: "a guess that nobody knows of is not checked when the first real host is there",
                remedy,
            })
        })
        .collect()
}

struct Guess {
    line: usize,
    /// The function, constant or type that the comment belongs to.
    holder: Option<String>,
}

/// Finds the marked functions of a file.
fn guesses(file: &ProjectFile) -> impl Iterator<Item = Guess> {
    let lines = file.production_lines();
    let marked = |line: &str| {
        let text = line.trim_start();
        text.starts_with("///")
            && text.contains("Contract:")
            && ["[M]", "\\[M\\]", "[V?]", "\\[V?\\]"]
                .iter()
                .any(|mark| text.contains(mark))
    };
    (0..lines.len())
        .filter(|index| marked(lines[*index]))
        .map(|index| Guess {
            line: index + 1,
            holder: lines[index..].iter().find_map(|line| holder(line)),
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Returns the name that a line declares.
fn holder(line: &str) -> Option<String> {
    let text = line.trim_start();
    if text.starts_with("//") || text.starts_with("#[") {
        return None;
    }
    // `pub(crate)` is no name.
    let text = text
        .strip_prefix("pub")
        .and_then(|rest| rest.split_once(' '))
        .map_or(text, |(_, declared)| declared);
    let words: Vec<&str> = text
        .split([' ', '(', '<', ':', '{', ';', ',', '='])
        .collect();
    let keyword = ["fn", "const", "struct", "enum", "static", "mod", "type"];
    let position = words.iter().position(|word| keyword.contains(word));
    // A variant or a field of something stands alone.
    let name = position.map_or(words.first(), |at| {
        let name = words.get(at + 1);
        if name == Some(&"fn") {
            words.get(at + 2)
        } else {
            name
        }
    })?;
    (!name.is_empty()).then(|| (*name).to_owned())
}

/// Returns whether one line of the page names both the function and its file.
fn listed(page: &str, name: &str, path: &str) -> bool {
    let (quoted, end) = (format!("`{name}`"), format!("::{name}`"));
    page.lines()
        .any(|line| line.contains(path) && (line.contains(&quoted) || line.contains(&end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(page: &str, source: &str) -> Project {
        let file = |path: &str, text: &str| ProjectFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Project {
            crates: Vec::new(),
            files: vec![file(PAGE, page), file("hyperv/a/src/b.rs", source)],
        }
    }

    #[test]
    fn a_guess_must_be_on_the_page() {
        let source = "/// Text.\n///\n/// Contract: 2.1 [M]\n#[must_use]\npub(crate) const fn frozen(a: u8) {}\n";
        let missing = check(&project("", source));
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].line, 3);
        assert!(missing[0].what.contains("frozen"));
        let page = "| x | `frozen` in `hyperv/a/src/b.rs` |";
        assert!(check(&project(page, source)).is_empty());
        let elsewhere = "| x | `frozen` in `hyperv/a/src/c.rs` |";
        assert_eq!(check(&project(elsewhere, source)).len(), 1);
    }

    #[test]
    fn what_is_verified_needs_no_row() {
        let source = "/// Contract: 2.1 [V:D]\nfn sure() {}\n";
        assert!(check(&project("", source)).is_empty());
    }
}
