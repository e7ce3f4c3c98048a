//! Programs and files that a machine may lack.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

fn required() -> bool {
    std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

/// Says, visibly, that a test is skipped; fails where tools are required.
pub(crate) fn skip(what: &str) {
    assert!(!required(), "{what}, and LIFEBOAT_REQUIRE_TOOLS=1");
    eprintln!("skipped: {what}");
}

/// Runs a program that must succeed. `None`: it is not installed, and the test is skipped.
pub(crate) fn run(program: &str, arguments: &[&OsStr]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(_) => {
            skip(&format!("{program} is not installed"));
            None
        }
    }
}

/// Returns the path of a sample. `None`: there are no samples here, and the test is skipped.
pub(crate) fn sample(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("LIFEBOAT_SAMPLES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
    };
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: the sample {name} is not here");
    None
}
