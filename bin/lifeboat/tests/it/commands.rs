//! Every command: it has an example, and its JSON parses line by line.

use std::collections::BTreeSet;

use crate::sandbox::{Sandbox, json_lines};

/// Finds every command by reading the help texts, as a person would.
fn leaves(sandbox: &Sandbox, path: &[String], found: &mut BTreeSet<String>) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = sandbox.ok(&args);
    let commands: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    if commands.is_empty() {
        assert!(help.contains("Examples:"), "{path:?} has no example");
        found.insert(path.join(" "));
    }
    for command in commands {
        let path: Vec<String> = path.iter().cloned().chain([command]).collect();
        leaves(sandbox, &path, found);
    }
}

/// Each command with arguments that succeed, in an order in which each finds what it needs; `HOST`
/// stands for the option that names the host.
const COMMANDS: &[(&str, &str)] = &[
    ("version", ""),
    ("repo init", "--repo other --recovery-key-file other-key"),
    ("vm list", "HOST"),
    ("vm plan", "HOST"),
    ("vm show", "Web HOST"),
    ("doctor guest", "--paste lsmod"),
    ("explain", "VM-PASS-THROUGH"),
    ("sim new", "sim"),
    ("sim add-vm", "sim VM --disk empty:4MiB"),
    ("sim write", "sim VM --offset 1MiB"),
    ("sim apply", "sim VM --disk 0 host/Web/web_1.avhdx"),
    ("sim checkpoint", "sim VM --name one"),
    ("sim pause", "sim VM"),
    ("sim stop", "sim VM"),
    ("sim start", "sim VM"),
    ("sim save", "sim VM"),
    ("sim fault", "sim --clear"),
    ("sim crash", "sim"),
    ("sim settle", "sim"),
    ("sim state", "sim"),
    ("host show", "--host=sim:sim"),
    ("host export", "--host=sim:sim --format=json"),
    ("sim ailing", "ailing"),
    ("sim new", "cluster --nodes 2"),
    ("sim node", "cluster HV2 paused"),
    (
        "sim add-vm",
        "cluster VM --disk empty:4MiB --clustered --node=HV1",
    ),
    ("sim move", "cluster VM HV2 --after 9"),
    ("sim offline", "cluster VM"),
    ("sim online", "cluster VM"),
    ("backup", "HOST --all --skip page-files,swap"),
    ("point list", ""),
    ("point show", "Web@latest"),
    ("point diff", "Web@latest Web@latest"),
    ("point churn", "Web@latest --since Web@latest"),
    ("point pin", "Web@latest"),
    ("point unpin", "Web@latest"),
    ("point hold", "Web@latest --name=audit"),
    ("point release", "Web@latest --name=audit"),
    ("point comment", "Web@latest before-the-update"),
    ("repo keep set", "--keep-daily=7"),
    ("repo keep show", ""),
    ("repo quota set", "1TiB"),
    ("repo quota show", ""),
    ("prune", "--dry-run"),
    ("restore disk", "Web@latest --disk 0 -o a.vhdx"),
    ("doctor restore", "Web@latest"),
    ("restore vm", "Web@latest --path vm"),
    ("restore vm", "Web@latest --path elsewhere --libvirt"),
    ("files volumes", "Fat@latest"),
    ("files ls", "Fat@latest:/1"),
    ("files tree", "Fat@latest:/1"),
    ("files find", "hello.* Fat@latest"),
    ("files versions", "Fat@latest:/1/hello.txt"),
    ("files diff", "Fat@latest Fat@latest"),
    ("files get", "Fat@latest:/1/hello.txt -o got"),
    ("files export", "Fat@latest:/1 -o fat.img"),
    ("verify", "Web@latest"),
    ("repo check", "--read-data"),
    ("repo check", "--without-key"),
    ("repo collect", "--dry-run"),
    ("repo repair", "--dry-run"),
    ("repo stats", ""),
    ("repo key list", ""),
    ("repo key add", "--key-file stick.key --label stick"),
    ("repo key change-password", ""),
    ("repo key recovery-key", "--print page.svg"),
    ("repo key new-data-key", ""),
    ("repo domain add", "finance"),
    ("repo domain list", ""),
    ("repo host add", "web01 --key-file web01.key"),
    ("repo host list", ""),
    ("repo host remove", "web01 --yes"),
    ("repo test", "--quick"),
    ("disk info", "host/Web/web_1.avhdx"),
    ("disk map", "host/Web/web_1.avhdx"),
    ("disk check", "host/Web/web_1.avhdx"),
    ("disk convert", "host/Web/web_1.avhdx -o a.vhd"),
    ("disk convert", "host/Web/web_1.avhdx -o a.qcow2"),
];

/// These have tests of their own.
const TESTED_ELSEWHERE: [&str; 13] = [
    "demo",
    "files cat",
    "files mount",
    "files serve",
    "host switches",
    "point serve",
    "repo copy",
    "repo key remove",
    "repo lock extend",
    "restore all-latest",
    "restore config",
    "restore network",
    "sim serve",
];

#[test]
fn every_command_speaks_json() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.fat_volume("Fat.raw");
    let host = format!("--host={}", sandbox.host());
    let lsmod = "Module Size Used by\nhv_vmbus 1 0\nhv_utils 1 0\n";
    std::fs::write(sandbox.path("lsmod"), lsmod).unwrap();
    let mut covered = BTreeSet::from(TESTED_ELSEWHERE.map(str::to_owned));
    for (name, args) in COMMANDS {
        let words: Vec<&str> = name
            .split(' ')
            .chain(args.split_whitespace())
            .map(|word| if word == "HOST" { &host } else { word })
            .chain(["--json"])
            .collect();
        let lines = json_lines(&sandbox.ok(&words));
        let last = lines
            .last()
            .unwrap_or_else(|| panic!("{name} says nothing"));
        assert_eq!(last["type"], "summary", "{name}: {last}");
        assert_eq!(last["outcome"], "success", "{name}: {last}");
        assert_eq!(last["exit"], 0, "{name}: {last}");
        covered.insert((*name).to_owned());
    }
    let mut found = BTreeSet::new();
    leaves(&sandbox, &[], &mut found);
    assert_eq!(found, covered);
}

#[test]
fn errors_are_json_too() {
    let sandbox = Sandbox::empty();
    for (code, args) in [
        (2, &["backup", "--json"][..]),
        (2, &["nonsense", "--json"]),
        (10, &["repo", "stats", "--json"]),
        (1, &["disk", "info", "nothing.vhdx", "--json"]),
    ] {
        let output = sandbox.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
        let error = lines.last().unwrap();
        assert_eq!(error["type"], "error", "{args:?}");
        assert_eq!(error["exit"], code, "{args:?}");
        assert!(!error["text"].as_str().unwrap().is_empty(), "{args:?}");
    }
}

#[test]
fn data_goes_to_stdout_and_messages_to_stderr() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    let output = sandbox.run(&["backup", "--host", &sandbox.host(), "Web", "--quiet"]);
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(!output.stdout.is_empty());
    let plain = sandbox.ok(&["point", "list", "--plain"]);
    assert_eq!(plain.lines().count(), 1);
    assert_eq!(plain.split('\t').nth(1), Some("Web"));
}

#[test]
fn the_demonstration_proves_itself() {
    let sandbox = Sandbox::empty();
    let lines = json_lines(&sandbox.ok(&["demo", "--dir", "demo", "--json"]));
    let summary = lines.last().unwrap();
    assert_eq!(summary["outcome"], "success", "{summary}");
    let item = |run: &str, name: &str| {
        let items = summary[run]["items"].as_array().unwrap();
        items
            .iter()
            .find(|item| item["vm"] == name)
            .unwrap()
            .clone()
    };
    let read = |run: &str, name: &str| {
        item(run, name)["statistics"]["read_bytes"]
            .as_u64()
            .unwrap()
    };
    assert!(
        read("second", "DC01") * 3 < read("first", "DC01"),
        "{summary}"
    );
    let legacy = item("second", "LEGACY");
    assert_eq!(legacy["disks"][0]["full"], "old-configuration-version");
    assert_eq!(
        item("first", "FILE01")["left_out"][0]["reason"],
        "pass-through"
    );
    assert_eq!(
        item("second", "WEB01")["consistency"]["level"],
        "file-system"
    );
    let steps: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["step"].as_str())
        .collect();
    assert!(
        steps.contains(&"restored-vm") && steps.contains(&"nothing-left"),
        "{steps:?}"
    );
}
