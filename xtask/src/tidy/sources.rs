//! What stands in the sources: length, leftovers, names that belong to the program alone, and paths
//! of the machine on which somebody wrote them.

use super::finding::{Finding, Weight};
use super::project::{Project, ProjectFile};

/// Production lines from which a file needs a reason, and from which it fails.
const LONG_FILE: usize = 400;
const TOO_LONG_FILE: usize = 800;

/// Text that no file of a kind may hold. The words are put together here so that this file passes.
struct Forbidden {
    rule: &'static str,
    text: &'static str,
    why: &'static str,
    remedy: &'static str,
}

/// Signs of work that is not done.
const LEFTOVERS: &[Forbidden] = &[
    leftover(concat!("FIX", "ME")),
    leftover(concat!("X", "XX")),
    leftover(concat!("todo", "!(")),
    leftover(concat!("unimplemented", "!(")),
    leftover(concat!("dbg", "!(")),
    leftover(concat!("#[ig", "nore")),
];

/// Where somebody's machine keeps things.
const MACHINE_PATHS: &[Forbidden] = &[
    machine_path(concat!("/wo", "rk/")),
    machine_path(concat!("/ro", "ot/")),
];

/// The folder beside the project that only its makers have.
const SHARED_FOLDER: Forbidden = Forbidden {
    rule: "machine-path",
    text: concat!("../sha", "red"),
    why: "who has the project alone does not have this folder",
    remedy: "say what is meant in the project itself; tests take LIFEBOAT_SAMPLES",
};

/// Types that are one choice among several, and the crate that defines each.
const IMPLEMENTATIONS: &[(&str, &str)] = &[
    ("FolderStore", "repository/object_store/"),
    ("S3Store", "repository/s3_store/"),
    ("CloudStore", "repository/cloud_store/"),
    ("FolderHost", "hyperv/folder_host/"),
];

const fn leftover(text: &'static str) -> Forbidden {
    Forbidden {
        rule: "leftover",
        text,
        why: "what is merged is finished, or says in words what is missing",
        remedy: "finish it, take it out, or write down the limit where a user finds it",
    }
}

const fn machine_path(text: &'static str) -> Forbidden {
    Forbidden {
        rule: "machine-path",
        text,
        why: "a path of the machine it was written on helps nobody else",
        remedy: "use a relative path, an environment variable or a temporary folder",
    }
}

/// Checks every file's text.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &project.files {
        if file.is_production_rust() {
            findings.extend(length(file));
            findings.extend(picked_implementation(file));
        }
        if file.has_extension("rs") {
            findings.extend(
                LEFTOVERS
                    .iter()
                    .flat_map(|forbidden| occurrences(file, forbidden)),
            );
        }
        findings.extend(
            MACHINE_PATHS
                .iter()
                .flat_map(|forbidden| occurrences(file, forbidden)),
        );
        if !looks_for_samples(file) {
            findings.extend(occurrences(file, &SHARED_FOLDER));
        }
    }
    findings
}

/// Tests may look for sample files beside the project; they skip where there are none.
fn looks_for_samples(file: &ProjectFile) -> bool {
    file.has_extension("rs") && (!file.is_production_rust() || file.text.contains("#[cfg(test)]"))
}

fn length(file: &ProjectFile) -> Option<Finding> {
    let lines = file.production_lines().len();
    let (weight, limit) = if lines <= LONG_FILE {
        return None;
    } else if lines <= TOO_LONG_FILE {
        (Weight::Warning, LONG_FILE)
    } else {
        (Weight::Failure, TOO_LONG_FILE)
    };
    Some(Finding {
        rule: "file-length",
        weight,
        path: file.path.clone(),
        line: limit + 1,
        what: format!("{lines} lines without tests; {limit} is the limit"),
        why: "one concept per file can be read at one sitting",
        remedy: "split it where one noun ends and the next begins",
    })
}

fn occurrences(file: &ProjectFile, forbidden: &Forbidden) -> Vec<Finding> {
    if !file.text.contains(forbidden.text) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    let hits = lines.filter(|(_, line)| contains_word(line, forbidden.text));
    hits.map(|(index, _)| Finding {
        rule: forbidden.rule,
        weight: Weight::Failure,
        path: file.path.clone(),
        line: index + 1,
        what: format!("`{}`", forbidden.text),
        why: forbidden.why,
        remedy: forbidden.remedy,
    })
    .collect()
}

/// Whether `text` stands in `line` and is not the tail of a longer word: `/network/` is not a
/// machine's path.
fn contains_word(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn picked_implementation(file: &ProjectFile) -> Vec<Finding> {
    if file.path.starts_with("bin/") || file.path.starts_with("xtask/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (name, home) in IMPLEMENTATIONS {
        if file.path.starts_with(home) {
            continue;
        }
        for (index, line) in file.production_lines().iter().enumerate() {
            let is_code = !line.trim_start().starts_with("//");
            if is_code && contains_word(line, name) {
                findings.push(Finding {
                    rule: "implementation",
                    weight: Weight::Failure,
                    path: file.path.clone(),
                    line: index + 1,
                    what: format!("`{name}` outside of the program and its own crate"),
                    why: "only the program picks implementations",
                    remedy: "take the trait as a parameter",
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::project::fake;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        let project = fake::files(vec![fake::file(path, text)]);
        check(&project)
            .into_iter()
            .map(|finding| (finding.rule, finding.line))
            .collect()
    }

    #[test]
    fn long_files_warn_and_very_long_files_fail() {
        let weight = |lines: usize| {
            let file = fake::file("disk/a/src/lib.rs", &"//\n".repeat(lines));
            length(&file).map(|finding| finding.weight)
        };
        assert_eq!(weight(400), None);
        assert_eq!(weight(401), Some(Weight::Warning));
        assert_eq!(weight(801), Some(Weight::Failure));
    }

    #[test]
    fn tests_do_not_count_towards_the_length() {
        let text = format!("one\n#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(900));
        assert!(found("disk/a/src/lib.rs", &text).is_empty());
        assert!(found("disk/a/tests/x.rs", &"x\n".repeat(900)).is_empty());
    }

    #[test]
    fn leftovers_are_found_in_tests_too() {
        for leftover in LEFTOVERS {
            let text = format!("fn a() {{}}\n    {}\n", leftover.text);
            assert_eq!(
                found("disk/a/tests/x.rs", &text),
                [("leftover", 2)],
                "{}",
                leftover.text
            );
        }
    }

    #[test]
    fn machine_paths_are_found_in_any_file() {
        let text = format!("see {}notes", MACHINE_PATHS[0].text);
        assert_eq!(found("docs/a.md", &text), [("machine-path", 1)]);
        assert_eq!(found(".ci/run", &text), [("machine-path", 1)]);
        assert!(found("docs/a.md", concat!("/net", "work/")).is_empty());
    }

    #[test]
    fn only_tests_may_look_beside_the_project() {
        let text = SHARED_FOLDER.text;
        assert_eq!(found("README.md", text), [("machine-path", 1)]);
        assert_eq!(found("disk/a/src/lib.rs", text), [("machine-path", 1)]);
        assert!(found("disk/a/tests/samples.rs", text).is_empty());
    }

    #[test]
    fn implementations_belong_to_the_program() {
        let text = "//! See `FolderStore`.\nuse object_store::FolderStore;\n";
        assert_eq!(found("engine/a/src/lib.rs", text), [("implementation", 2)]);
        for path in ["bin/lifeboat/src/main.rs", "engine/a/tests/x.rs"] {
            assert!(found(path, text).is_empty(), "{path}");
        }
        assert!(found("repository/object_store/src/lib.rs", text).is_empty());
    }
}
