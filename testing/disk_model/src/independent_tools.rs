//! Programs and files that a machine may lack, which formats are proved against.
#![expect(clippy::print_stderr, reason = "a test that is skipped must be seen")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn required() -> bool {
    std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_some_and(|value| value == "1")
}

/// Says, visibly, that a test is skipped; fails where tools are required.
pub fn skip(what: &str) {
    assert!(!required(), "{what}, and LIFEBOAT_REQUIRE_TOOLS=1");
    eprintln!("skipped: {what}");
}

/// Runs a program that must succeed. `None`: it is not installed, and the test is skipped.
pub fn run(program: &str, arguments: &[&OsStr]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(_) => {
            skip(&format!("{program} is not installed"));
            None
        }
    }
}

/// Says whether a program can be run; where not, the test is skipped.
pub fn have_tool(program: &str, probe: &[&str]) -> bool {
    let found = Command::new(program)
        .args(probe)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Returns the path of a sample, which `LIFEBOAT_SAMPLES` or a folder beside the project holds.
/// `None`: it is not here, and the test is skipped, also where tools are required.
pub fn sample(name: &str) -> Option<PathBuf> {
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
