//! What the format page claims of attackers is what tests show.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Returns the names of all functions in the Rust sources below a folder.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("fn "))
                .filter_map(|rest| rest.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_claim_about_threats_names_tests_that_exist() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(crate_folder.join("../../docs/format/repository.md")).unwrap();
    let (_, section) = page.split_once("\n## 14. Threats\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 6, "{rows:?}");
    let mut known = HashSet::new();
    functions(crate_folder, &mut known);
    for row in &rows {
        let [who, _, cannot, tests] = row[..] else {
            panic!("{row:?}")
        };
        let cited: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(
            cannot.is_empty() || !cited.is_empty(),
            "nothing shows what {who} cannot do"
        );
        for test in cited {
            assert!(known.contains(test), "{who}: there is no test {test}");
        }
    }
}
