//! Keys, hosts and domains, as people use them.

use std::fs;
use std::process::Command;

use crate::sandbox::{PASSWORD, Sandbox, json_lines};

/// A command that is opened by what `variable` names, and by nothing else.
fn opened_by(sandbox: &Sandbox, variable: &str, value: &str, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    for name in ["LIFEBOAT_RECOVERY_KEY_FILE", "LIFEBOAT_PASSWORD_FILE"] {
        command.env_remove(name);
    }
    command.env(variable, value).arg("--no-input");
    command
}

fn code(command: &mut Command) -> i32 {
    command.output().unwrap().status.code().unwrap()
}

fn slots(sandbox: &Sandbox) -> Vec<(String, String)> {
    let lines = json_lines(&sandbox.ok(&["repo", "key", "list", "--json"]));
    let keys = lines.iter().filter(|line| line["type"] == "key");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    keys.map(|key| (text(&key["slot"]), text(&key["kind"])))
        .collect()
}

#[test]
fn a_key_file_is_made_opens_and_is_removed() {
    let sandbox = Sandbox::with_repository();
    let file = sandbox.text("stick.key");
    sandbox.ok(&["repo", "key", "add", "--key-file", &file]);
    let list = ["point", "list"];
    assert_eq!(
        code(&mut opened_by(&sandbox, "LIFEBOAT_KEY_FILE", &file, &list)),
        0
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let (slot, _) = slots(&sandbox)
        .into_iter()
        .find(|(_, kind)| kind == "key-file")
        .unwrap();
    // Nobody can be asked here, and what nobody agreed to is not done.
    let planned = sandbox.ok(&["repo", "key", "remove", &slot[..6], "--dry-run"]);
    assert!(planned.contains(&slot), "{planned}");
    sandbox.fails(2, &["repo", "key", "remove", &slot[..6]]);
    assert!(slots(&sandbox).iter().any(|(listed, _)| *listed == slot));
    sandbox.ok(&["repo", "key", "remove", &slot[..6], "--yes"]);
    assert_eq!(
        code(&mut opened_by(&sandbox, "LIFEBOAT_KEY_FILE", &file, &list)),
        12
    );
    // The one that everything is opened with stays.
    let (slot, _) = slots(&sandbox)
        .into_iter()
        .find(|(_, kind)| kind == "recovery-key")
        .unwrap();
    sandbox.fails(20, &["repo", "key", "remove", &slot, "--dry-run"]);
    sandbox.fails(20, &["repo", "key", "remove", &slot, "--yes"]);
    sandbox.fails(2, &["repo", "key", "remove", "0000"]);
    let inside = sandbox.text("repository/stick.key");
    sandbox.fails(2, &["repo", "key", "add", "--key-file", &inside]);
    fs::write(sandbox.path("short"), "short").unwrap();
    sandbox.fails(12, &["repo", "key", "add", "--key-file", "short"]);
}

#[test]
fn a_password_is_changed_and_the_old_one_opens_nothing_any_more() {
    let sandbox = Sandbox::with_repository();
    let (old, new) = (sandbox.text("password"), sandbox.text("new-password"));
    let open = |file: &str| {
        let list = ["point", "list"];
        code(&mut opened_by(
            &sandbox,
            "LIFEBOAT_PASSWORD_FILE",
            file,
            &list,
        ))
    };
    assert_eq!((open(&old), open(&new)), (0, 12));
    sandbox.ok(&["repo", "key", "change-password"]);
    assert_eq!((open(&old), open(&new)), (12, 0));
    // A second password, which a script hands over without a file.
    fs::write(&new, PASSWORD).unwrap();
    sandbox.ok(&["repo", "key", "add", "--password", "--label", "script"]);
    #[cfg(unix)]
    {
        let mut command = opened_by(&sandbox, "LIFEBOAT_PASSWORD_FD", "0", &["point", "list"]);
        command.stdin(fs::File::open(&new).unwrap());
        assert_eq!(code(&mut command), 0);
    }
    let error = sandbox.fails(20, &["repo", "key", "change-password"]);
    assert!(error.contains("--slot"), "{error}");
}

#[test]
fn the_page_with_the_recovery_key_opens_the_repository() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["repo", "init", "--recovery-key-page", "page.svg"]);
    sandbox.fails(
        2,
        &[
            "repo",
            "key",
            "recovery-key",
            "--print",
            "repository/page.svg",
        ],
    );
    sandbox.ok(&[
        "repo",
        "key",
        "recovery-key",
        "--print",
        "second.svg",
        "--label",
        "safe",
    ]);
    for page in ["page.svg", "second.svg"] {
        let page = fs::read_to_string(sandbox.path(page)).unwrap();
        let lines = page.lines().filter(|line| line.contains("monospace"));
        let groups = lines.map(|line| line.split(['>', '<']).nth(2).unwrap());
        let key = groups.collect::<Vec<_>>().join("-");
        fs::write(sandbox.path("typed"), &key).unwrap();
        let typed = sandbox.text("typed");
        let variable = "LIFEBOAT_RECOVERY_KEY_FILE";
        assert_eq!(
            code(&mut opened_by(
                &sandbox,
                variable,
                &typed,
                &["point", "list"]
            )),
            0
        );
    }
    let from = [
        "repo",
        "key",
        "recovery-key",
        "--terminal",
        "--from",
        "typed",
    ];
    let before = slots(&sandbox);
    let output = sandbox.run(&from);
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && shown.contains("LB1-") && shown.contains('█'));
    assert_eq!(slots(&sandbox), before);
}

#[test]
fn a_write_only_host_backs_up_and_every_other_command_is_refused_by_name() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.ok(&["repo", "host", "add", "web01", "--key-file", "web01.key"]);
    sandbox.fails(
        30,
        &["repo", "host", "add", "web01", "--key-file", "again.key"],
    );
    let key = sandbox.text("web01.key");
    let host = format!("--host={}", sandbox.host());
    let at_host = |args: &[&str]| opened_by(&sandbox, "LIFEBOAT_HOST_KEY_FILE", &key, args);
    for _ in 0..2 {
        let output = at_host(&["backup", &host, "--all"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for allowed in [
        &["point", "list"][..],
        &["vm", "plan", &host],
        &["point", "show", "Web@latest"],
    ] {
        assert_eq!(code(&mut at_host(allowed)), 0, "{allowed:?}");
    }
    let refused: &[&[&str]] = &[
        &["repo", "check"],
        &["repo", "stats"],
        &["repo", "key", "list"],
        &["repo", "key", "new-data-key"],
        &["repo", "host", "list"],
        &["repo", "domain", "add", "other"],
        &["verify", "Web@latest"],
        &["restore", "vm", "Web@latest", "--path", "vm"],
    ];
    for args in refused {
        let output = at_host(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(22), "{args:?}: {text}");
        assert!(text.contains("LIFEBOAT_HOST_KEY_FILE"), "{args:?}: {text}");
    }
    // Whoever has the whole key restores what the host backed up.
    sandbox.ok(&["restore", "vm", "Web@latest", "--path", "vm"]);
    sandbox.ok(&["repo", "host", "remove", "web01", "--dry-run"]);
    sandbox.fails(2, &["repo", "host", "remove", "web01"]);
    assert_eq!(code(&mut at_host(&["point", "list"])), 0);
    sandbox.ok(&["repo", "host", "remove", "web01", "--yes"]);
    assert_eq!(code(&mut at_host(&["point", "list"])), 12);
}

#[test]
fn a_vm_in_a_domain_of_its_own_is_backed_up_and_restored() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    let host = format!("--host={}", sandbox.host());
    sandbox.fails(2, &["backup", &host, "--all", "--domain", "finance"]);
    sandbox.ok(&["repo", "domain", "add", "finance"]);
    sandbox.ok(&["backup", &host, "--all", "--domain", "finance"]);
    sandbox.ok(&["restore", "vm", "Web@latest", "--path", "vm"]);
    sandbox.ok(&["repo", "check", "--read-data"]);
}
