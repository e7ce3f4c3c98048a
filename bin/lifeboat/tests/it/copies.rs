//! A second repository under another password.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, flat, json_lines};

/// Makes the second repository; its password is its own.
fn second(sandbox: &Sandbox) -> String {
    let place = sandbox.text("vault");
    let password = sandbox.path("second-password");
    fs::write(&password, "another horse").unwrap();
    let made = sandbox
        .command(&["repo", "init", "--repo", &place])
        .env("LIFEBOAT_PASSWORD_FILE", password)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    place
}

fn copy(sandbox: &Sandbox, place: &str, more: &[&str]) -> (i32, Vec<Value>) {
    let args = [&["repo", "copy", "--to", place, "--json"], more].concat();
    let output = sandbox
        .command(&args)
        .env("LIFEBOAT_TO_PASSWORD_FILE", sandbox.path("second-password"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), json_lines(&text))
}

#[test]
fn points_are_copied_once_and_restore_from_the_copy() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    sandbox.child("Web/web_2.avhdx", "Web/web_1.avhdx", "second");
    sandbox.vm("Web", 0xeb, "Web/web_2.avhdx");
    sandbox.back_up_all();
    let place = second(&sandbox);

    let (code, lines) = copy(&sandbox, &place, &["--dry-run"]);
    assert_eq!(code, 0, "{lines:?}");
    assert_eq!(lines.last().unwrap()["missing"], 2);
    let (code, lines) = copy(&sandbox, &place, &[]);
    assert_eq!(code, 0, "{lines:?}");
    assert_eq!(lines.last().unwrap()["copied"], 2);
    let (_, lines) = copy(&sandbox, &place, &[]);
    assert_eq!(lines.last().unwrap()["copied"], 0);
    assert_eq!(lines.last().unwrap()["there"], 2);

    let out = sandbox.text("from-copy.raw");
    let restored = sandbox
        .command(&[
            "restore",
            "disk",
            "Web@latest",
            "-o",
            &out,
            "--repo",
            &place,
        ])
        .env_remove("LIFEBOAT_RECOVERY_KEY_FILE")
        .env("LIFEBOAT_PASSWORD_FILE", sandbox.path("second-password"))
        .output()
        .unwrap();
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert!(fs::read(out).unwrap() == flat(&sandbox.path("host/Web/web_2.avhdx")));
}

#[test]
fn a_repository_is_not_copied_onto_itself_and_unknown_vms_are_refused() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let same = sandbox.text("repository");
    sandbox.fails(2, &["repo", "copy", "--to", &same]);
    let place = second(&sandbox);
    let (code, _) = copy(&sandbox, &place, &["--vm", "Mail"]);
    assert_eq!(code, 2);
}
