//! Clients that other people wrote: pywinrm and pypsrp, with NTLM and sealed messages.
//!
//! pywinrm sends NTLM's messages bare, pypsrp inside SPNEGO with codes over the mechanisms.

use std::path::Path;
use std::process::{Command, Stdio};

use super::tiny_host::{PASSWORD, USER, options, start};

/// Returns a Python that has a module. Without one the test is skipped, or fails where tools are
/// required.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen")]
fn python_with(module: &str, candidates: &[String], is_required: bool) -> Option<String> {
    let found = candidates.iter().find(|python| {
        let asked = Command::new(python)
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        let required = std::env::var("LIFEBOAT_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(
            !(required && is_required),
            "no Python has the module {module}"
        );
        eprintln!("skipped: no Python has the module {module}");
    }
    found.cloned()
}

/// Runs a script against a service of its own; returns what it printed.
fn run(python: &str, script: &str, what: &str) -> String {
    let server = start(options());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wsman");
    let output = Command::new(python)
        .arg("-B")
        .arg(folder.join(script))
        .args([&server.local_addr().port().to_string(), USER, what])
        .env("SERVICE_PASSWORD", PASSWORD)
        .env("PYTHONIOENCODING", "utf-8")
        .env("OPENSSL_CONF", folder.join("openssl_legacy.cnf"))
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script} {what}: {out}{err}");
    out.trim().to_owned()
}

fn all(python: &str, script: &str) {
    assert_eq!(run(python, script, "checks"), "all checks passed");
    assert_eq!(run(python, script, "wrong-password"), "refused");
    assert_eq!(run(python, script, "clear-text"), "refused with 500");
}

#[test]
fn pywinrm_enumerates_gets_and_invokes_over_sealed_messages() {
    // Debian's module belongs to Debian's Python, which need not be the first one.
    let candidates = ["python3".to_owned(), "/usr/bin/python3".to_owned()];
    if let Some(python) = python_with("winrm", &candidates, true) {
        all(&python, "pywinrm_client.py");
    }
}

#[test]
fn pypsrp_enumerates_gets_and_invokes_over_spnego() {
    // No system has a package of it: whoever installed it says in which Python.
    let named = std::env::var("LIFEBOAT_PYPSRP_PYTHON").ok();
    let is_required = named.is_some();
    let candidates: Vec<String> = named.into_iter().chain(["python3".to_owned()]).collect();
    if let Some(python) = python_with("pypsrp", &candidates, is_required) {
        all(&python, "pypsrp_client.py");
    }
}
