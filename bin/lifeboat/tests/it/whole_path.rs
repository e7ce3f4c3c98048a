//! VMs in, a proven copy out.

use std::fs;

use crate::sandbox::{PASSWORD, Sandbox, flat, json_lines, noise};

#[test]
fn what_goes_in_comes_out_byte_for_byte() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.raw("loose.img", &noise("loose", 1 << 20));
    let before = sandbox.host_hashes();
    let source = flat(&sandbox.path("host/Web/web_1.avhdx"));

    let list = sandbox.ok(&["vm", "list", "--host", &sandbox.host()]);
    assert!(list.contains("Web") && list.contains("loose"), "{list}");
    let summary = sandbox.back_up_all();
    assert_eq!(summary["outcome"], "success", "{summary}");
    let points = sandbox.ok(&["point", "list"]);
    assert_eq!(points.lines().count(), 3, "{points}");

    for format in ["vhdx", "vhdx-fixed", "vhd", "raw"] {
        let out = sandbox.text(&format!("out/{format}.img"));
        let args = [
            "restore",
            "disk",
            "Web@latest",
            "--disk",
            "0",
            "-o",
            &out,
            "--format",
            format,
        ];
        sandbox.ok(&args);
        assert_eq!(flat(sandbox.path(&out).as_path()), source, "{format}");
    }
    let folder = sandbox.text("restored");
    sandbox.ok(&["restore", "vm", "web@latest", "--path", &folder]);
    let disk = sandbox.path("restored/Virtual Hard Disks/web.vhdx");
    assert_eq!(flat(&disk), source);
    let list = sandbox.ok(&["vm", "list", "--host", &format!("dir:{folder}")]);
    assert!(list.contains("Web") && list.contains("ok"), "{list}");

    sandbox.ok(&["verify", "Web@latest"]);
    sandbox.ok(&["repo", "check", "--read-data"]);
    assert_eq!(sandbox.host_hashes(), before);
}

#[test]
fn points_are_shown_and_compared() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    sandbox.child("Web/web_2.avhdx", "Web/web_1.avhdx", "second");
    sandbox.vm("Web", 0xeb, "Web/web_2.avhdx");
    sandbox.back_up_all();

    let shown = sandbox.ok(&["point", "show", "Web@latest~1"]);
    assert!(
        shown.contains("disk 0") && shown.contains("generation 2"),
        "{shown}"
    );
    let diff = sandbox.ok(&["point", "diff", "Web@latest~1", "Web@latest", "--json"]);
    let diff = json_lines(&diff);
    assert_eq!(diff[0]["type"], "difference");
    assert_eq!(diff[0]["offset"], 3 << 19);
    assert_eq!(diff.last().unwrap()["changed_bytes"], 64 << 10);

    let earlier = sandbox.text("earlier.raw");
    sandbox.ok(&["restore", "disk", "Web@latest~1", "-o", &earlier]);
    let expected = flat(&sandbox.path("host/Web/web_1.avhdx"));
    assert!(
        fs::read(&earlier).unwrap() == expected,
        "the first point changed"
    );
}

#[test]
fn a_dry_run_does_nothing() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    let plan = sandbox.ok(&["backup", "--host", &sandbox.host(), "--all", "-n"]);
    assert!(plan.contains("Web") && plan.contains("files"), "{plan}");
    assert!(
        !sandbox
            .objects()
            .keys()
            .any(|name| name.starts_with("points/"))
    );
    sandbox.back_up_all();
    sandbox.ok(&["restore", "disk", "Web@latest", "-o", "new.vhdx", "-n"]);
    sandbox.ok(&["restore", "vm", "Web@latest", "--path", "new", "-n"]);
    sandbox.ok(&[
        "disk",
        "convert",
        "host/Web/web.vhdx",
        "-o",
        "new.vhd",
        "-n",
    ]);
    for name in ["new.vhdx", "new", "new.vhd"] {
        assert!(!sandbox.path(name).exists(), "{name} was made");
    }
}

#[test]
fn the_password_comes_from_a_file_a_command_or_the_environment() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["repo", "init", "--recovery-key-file", "the-key"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(sandbox.path("the-key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    sandbox.ok(&["point", "list"]);
    let echo = format!("echo {PASSWORD}");
    let with = |name: &str, value: &str| {
        let mut command = sandbox.command(&["point", "list"]);
        command
            .env_remove("LIFEBOAT_PASSWORD_FILE")
            .env(name, value);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    assert_eq!(with("LIFEBOAT_PASSWORD_COMMAND", &echo).0, Some(0));
    let (code, text) = with("LIFEBOAT_PASSWORD", PASSWORD);
    assert_eq!(code, Some(0));
    assert!(
        text.contains("LIFEBOAT_PASSWORD_FILE"),
        "no warning: {text}"
    );
    assert_eq!(with("LIFEBOAT_PASSWORD", "wrong").0, Some(12));
    let key = sandbox.text("the-key");
    assert_eq!(with("LIFEBOAT_RECOVERY_KEY_FILE", &key).0, Some(0));
    assert_eq!(with("NOTHING", "").0, Some(2));
}

#[test]
fn a_recovery_key_that_is_not_put_in_a_file_is_shown_once() {
    let sandbox = Sandbox::empty();
    let output = sandbox.run(&["repo", "init", "--quiet"]);
    let shown = String::from_utf8(output.stderr).unwrap();
    let key = shown
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("LB1-"));
    fs::write(sandbox.path("key"), key.expect("no key was shown")).unwrap();
    sandbox.ok(&["point", "list"]);
}
