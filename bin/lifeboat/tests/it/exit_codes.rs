//! Bad input: one clear error, the documented code, and nothing that looks whole.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use crate::sandbox::{Sandbox, files, json_lines, noise};

#[test]
fn names_that_do_not_fit_are_usage_errors() {
    let sandbox = Sandbox::with_repository();
    sandbox.raw("a/disk.img", &noise("a", 4096));
    sandbox.raw("b/disk.img", &noise("b", 4096));
    let host = sandbox.host();
    let text = sandbox.fails(2, &["backup", "--host", &host, "disk"]);
    assert!(
        text.contains("a/disk.img") && text.contains("b/disk.img"),
        "{text}"
    );
    sandbox.fails(2, &["backup", "--host", &host, "nobody"]);
    sandbox.fails(2, &["backup", "--host", &host]);
    sandbox.fails(2, &["backup", "--host", "somewhere", "--all"]);
    sandbox.back_up_all();
    sandbox.fails(2, &["verify", "disk@latest"]);
    sandbox.fails(2, &["verify", "nobody@latest"]);
    sandbox.fails(2, &["verify", "what"]);
    sandbox.fails(
        2,
        &[
            "restore",
            "disk",
            "file:a@latest",
            "--disk",
            "7",
            "-o",
            "x.raw",
        ],
    );
    sandbox.fails(2, &["point", "list", "nobody"]);
    let key = sandbox.text("repository/key.txt");
    let text = sandbox.fails(2, &["repo", "init", "--recovery-key-file", &key]);
    assert!(text.contains("inside the repository"), "{text}");
}

#[test]
fn places_that_are_not_there_have_their_codes() {
    let sandbox = Sandbox::empty();
    sandbox.fails(10, &["point", "list"]);
    fs::create_dir(sandbox.path("repository")).unwrap();
    let text = sandbox.fails(10, &["point", "list"]);
    assert!(text.contains("  do: "), "{text}");
    sandbox.fails(21, &["vm", "list", "--host", "dir:nowhere"]);
    sandbox.fails(1, &["disk", "info", "nothing.vhdx"]);
    fs::write(sandbox.path("repository/something"), "else").unwrap();
    sandbox.fails(30, &["repo", "init", "--recovery-key-file", "new-key"]);
    assert!(
        !sandbox.path("new-key").exists(),
        "a key to nothing was left"
    );
}

#[test]
fn an_output_that_exists_is_left_as_it_is() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    fs::write(sandbox.path("out.vhdx"), "mine").unwrap();
    sandbox.fails(30, &["restore", "disk", "Web@latest", "-o", "out.vhdx"]);
    sandbox.fails(
        30,
        &["disk", "convert", "host/Web/web.vhdx", "-o", "out.vhdx"],
    );
    fs::create_dir_all(sandbox.path("vm/Virtual Hard Disks")).unwrap();
    fs::write(sandbox.path("vm/Virtual Hard Disks/web.vhdx"), "mine").unwrap();
    sandbox.fails(30, &["restore", "vm", "Web@latest", "--path", "vm"]);
    assert_eq!(fs::read(sandbox.path("out.vhdx")).unwrap(), b"mine");
    assert_eq!(files(&sandbox.path("vm")).len(), 1);
    sandbox.fails(30, &["demo", "--dir", "vm"]);
}

#[test]
fn a_damaged_repository_is_found_and_nothing_whole_looking_is_left() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let packs = files(&sandbox.path("repository/packs"));
    let largest = packs
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let pack = largest.unwrap();
    let mut bytes = fs::read(pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(pack, &bytes).unwrap();
    let name = pack.file_name().unwrap().to_str().unwrap();

    for args in [
        &["verify", "Web@latest"][..],
        &["repo", "check", "--read-data"],
    ] {
        let output = sandbox.run(args);
        assert_eq!(output.status.code(), Some(13), "{args:?}: {output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(name) && text.contains("offset"), "{text}");
    }
    let text = sandbox.fails(13, &["restore", "disk", "Web@latest", "-o", "out.vhdx"]);
    assert!(text.contains(name), "{text}");
    sandbox.fails(13, &["restore", "vm", "Web@latest", "--path", "vm"]);
    assert!(!sandbox.path("out.vhdx").exists());
    assert!(!sandbox.path("vm").exists());
    fs::remove_file(pack).unwrap();
    sandbox.fails(13, &["repo", "check"]);
}

#[test]
fn one_bad_vm_does_not_keep_the_others_from_their_points() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.vm("Gone", 0x60, "Gone/gone.vhdx");
    let host = sandbox.host();
    let text = sandbox.fails(20, &["backup", "--host", &host, "Gone"]);
    assert!(
        text.contains("gone.vhdx") && text.contains("  do: "),
        "{text}"
    );
    let output = sandbox.run(&["backup", "--host", &host, "--all", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let error = lines.iter().find(|line| line["type"] == "error").unwrap();
    assert_eq!(error["vm"], "Gone", "{error}");
    assert_eq!(error["exit"], 20, "{error}");
    let summary = lines.last().unwrap();
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(summary["exit"], 3);
    sandbox.ok(&["verify", "Web@latest"]);
    let listed = sandbox.ok(&["vm", "list", "--host", &host]);
    assert!(listed.contains("blocked"), "{listed}");
}

#[cfg(unix)]
#[test]
fn a_link_that_leaves_the_folder_is_not_followed() {
    let sandbox = Sandbox::with_repository();
    fs::write(sandbox.path("outside/secret.img"), noise("secret", 4096)).unwrap();
    let link = sandbox.path("host/Link/link.img");
    std::os::unix::fs::symlink(sandbox.path("outside/secret.img"), link).unwrap();
    sandbox.vm("Link", 0x11, "Link/link.img");
    let text = sandbox.fails(20, &["backup", "--host", &sandbox.host(), "Link"]);
    assert!(text.contains("link.img"), "{text}");
}

#[test]
fn broken_images_are_named_with_the_offset_and_what_was_expected() {
    let sandbox = Sandbox::empty();
    sandbox.web();
    let base = sandbox.path("host/Web/web.vhdx");
    fs::write(sandbox.path("cut.vhdx"), &fs::read(&base).unwrap()[..100]).unwrap();
    let output = sandbox.run(&["disk", "info", "cut.vhdx", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let error = json_lines(&String::from_utf8(output.stdout).unwrap())
        .pop()
        .unwrap();
    assert_eq!(error["type"], "error");
    assert!(
        error["file"].as_str().unwrap().ends_with("cut.vhdx"),
        "{error}"
    );
    assert!(error["offset"].is_u64(), "{error}");
    sandbox.fails(1, &["disk", "check", "cut.vhdx"]);
    sandbox.ok(&["disk", "check", "host/Web/web_1.avhdx"]);

    let away = sandbox.path("away.vhdx");
    fs::rename(&base, &away).unwrap();
    let text = sandbox.fails(1, &["disk", "info", "host/Web/web_1.avhdx"]);
    assert!(text.contains("web.vhdx"), "{text}");
    // Another disk in the parent's place is not taken for it.
    sandbox.base("Web/web.vhdx", "other");
    sandbox.fails(
        1,
        &["disk", "convert", "host/Web/web_1.avhdx", "-o", "out.raw"],
    );
    assert!(!sandbox.path("out.raw").exists());
}

#[test]
fn a_wrong_password_is_told_from_damage() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["repo", "init", "--recovery-key-file", "the-key"]);
    let mut file = OpenOptions::new()
        .append(true)
        .open(sandbox.path("password"))
        .unwrap();
    file.write_all(b" with more\n").unwrap();
    let text = sandbox.fails(12, &["point", "list"]);
    assert!(
        text.starts_with("error: ") && text.contains("  do: "),
        "{text}"
    );
    let output = sandbox.run(&["point", "list", "--json"]);
    let error = json_lines(&String::from_utf8(output.stdout).unwrap())
        .pop()
        .unwrap();
    assert_eq!(error["exit"], 12);
    assert_eq!(error["kind"], "wrong-key");
}

#[cfg(target_os = "linux")]
#[test]
fn data_that_could_not_be_written_is_a_failure() {
    let sandbox = Sandbox::empty();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["version"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}
