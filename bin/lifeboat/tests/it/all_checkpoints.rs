//! Mode all-checkpoints and commands around a run, by the built program.

use std::fs;

use vm_config::{VmConfiguration, write_vmcx};

use crate::sandbox::{Sandbox, files, flat, json_lines};

const VM: &str = "00000000-0000-0000-0000-0000000000eb";
const CHECKPOINT: &str = "00000000-0000-0000-0000-00000000000a";

/// A VM that goes on from a checkpoint.
fn with_checkpoint() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    let path = sandbox.path(&format!("host/Web/Virtual Machines/{VM}.vmcx"));
    let mut vm = VmConfiguration::from_bytes("vm", &fs::read(path).unwrap()).unwrap();
    vm.id = CHECKPOINT.parse().unwrap();
    vm.name = "before the update".to_owned();
    vm.disks[0].path = "C:\\VMs\\Web\\web.vhdx".to_owned();
    let bytes = write_vmcx(&vm.to_tree()).unwrap();
    sandbox.raw(&format!("Web/Snapshots/{CHECKPOINT}.vmcx"), &bytes);
    let state = sandbox.path(&format!("host/Web/Snapshots/{CHECKPOINT}.vmrs"));
    fs::File::create(state).unwrap().set_len(32 << 20).unwrap();
    sandbox
}

fn back_up(sandbox: &Sandbox, args: &[&str]) -> Vec<serde_json::Value> {
    let host = sandbox.host();
    let mut all = vec!["backup", "--host", &host, "--all", "--json"];
    all.extend(args);
    json_lines(&sandbox.ok(&all))
}

#[test]
fn a_tree_is_backed_up_shown_verified_and_brought_back() {
    let sandbox = with_checkpoint();
    let before = sandbox.host_hashes();
    let lines = back_up(&sandbox, &["--mode", "all-checkpoints"]);
    let item = lines.iter().find(|line| line["type"] == "item").unwrap();
    assert_eq!(item["method"], "files");
    assert_eq!(item["images"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.host_hashes(), before, "a source is only read");

    let shown = sandbox.ok(&["point", "show", "Web@latest"]);
    for text in [
        "before the update",
        "memory: yes (32.0 MiB)",
        "(now)",
        "image 1",
        "first full",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let shown = json_lines(&sandbox.ok(&["point", "show", "Web@latest", "--json"]));
    assert_eq!(shown[0]["checkpoints"]["current"], CHECKPOINT);
    let verified = sandbox.ok(&["verify", "Web@latest"]);
    assert!(verified.contains("good"), "{verified}");

    let target = sandbox.text("restored");
    sandbox.ok(&["restore", "vm", "Web@latest", "--path", &target]);
    let root = sandbox.path("host/Web");
    for path in files(&root) {
        let below = path.strip_prefix(&root).unwrap();
        let name = below.to_str().unwrap();
        // Disks that lay in no folder of the VM's go into the one that an import looks in.
        let below = match path.extension().unwrap().to_str() {
            Some("vhdx" | "avhdx") => format!("Virtual Hard Disks/{name}"),
            _ => name.to_owned(),
        };
        let restored = sandbox.path(&format!("restored/{below}"));
        assert!(
            fs::read(restored).unwrap() == fs::read(&path).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_disk_comes_back_as_it_was_at_a_checkpoint() {
    let sandbox = with_checkpoint();
    back_up(&sandbox, &["--mode", "all-checkpoints"]);
    let out = sandbox.text("now.vhdx");
    sandbox.ok(&["restore", "disk", "Web@latest", "-o", &out]);
    let now = flat(&sandbox.path("host/Web/web_1.avhdx"));
    assert!(flat(&sandbox.path("now.vhdx")) == now);
    let out = sandbox.text("then.raw");
    let checkpoint = ["--checkpoint", "Before The Update", "-o", &out];
    sandbox.ok(&[&["restore", "disk", "Web@latest"], &checkpoint[..]].concat());
    let then = flat(&sandbox.path("host/Web/web.vhdx"));
    assert!(fs::read(sandbox.path("then.raw")).unwrap() == then);
    assert!(then != now);
    let wrong = [
        "restore",
        "disk",
        "Web@latest",
        "--checkpoint",
        "nope",
        "-o",
        "x.vhdx",
    ];
    let error = sandbox.fails(2, &wrong);
    assert!(error.contains("before the update"), "{error}");
}

#[test]
fn the_list_tells_first_fulls_later_fulls_and_modes_apart() {
    let sandbox = with_checkpoint();
    for mode in ["standard", "standard", "all-checkpoints"] {
        back_up(&sandbox, &["--mode", mode]);
    }
    let lines = json_lines(&sandbox.ok(&["point", "list", "--json"]));
    let points: Vec<_> = lines
        .iter()
        .filter(|line| line["type"] == "point")
        .collect();
    let runs: Vec<_> = points
        .iter()
        .map(|point| point["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs, ["first-full", "full", "first-full"]);
    let trees: Vec<_> = points
        .iter()
        .map(|point| point["all_checkpoints"] == true)
        .collect();
    assert_eq!(trees, [false, false, true]);
    let table = sandbox.ok(&["point", "list"]);
    assert!(table.contains("first full"), "{table}");
    // Only the files that differ are compared, by their names.
    sandbox.ok(&["point", "diff", "Web@latest~1", "Web@latest"]);
}

#[test]
fn a_vm_that_may_be_saved_must_be_part_of_the_run() {
    let sandbox = with_checkpoint();
    let host = sandbox.host();
    let allowed = |name| {
        [
            "backup",
            "--host",
            &host,
            "--all",
            "-n",
            "--allow-saved-state",
            name,
        ]
        .map(str::to_owned)
    };
    for name in ["all", "web", VM] {
        let args = allowed(name);
        sandbox.ok(&args.each_ref().map(String::as_str));
    }
    let args = allowed("Wbe");
    let error = sandbox.fails(2, &args.each_ref().map(String::as_str));
    assert!(error.contains("Wbe"), "{error}");
}

#[test]
#[cfg(unix)]
fn commands_run_around_the_run_and_a_failure_ends_it() {
    let sandbox = with_checkpoint();
    let lines = back_up(
        &sandbox,
        &[
            "--before",
            "echo stop the database",
            "--after",
            "echo $LIFEBOAT_OUTCOME; env | grep -c LIFEBOAT_R",
            "--after-vm",
            "echo $LIFEBOAT_VM $LIFEBOAT_POINT",
        ],
    );
    let commands: Vec<_> = lines
        .iter()
        .filter(|line| line["type"] == "command")
        .collect();
    assert_eq!(commands.len(), 3);
    assert_eq!(commands[0]["output"], "stop the database");
    let item = lines.iter().find(|line| line["type"] == "item").unwrap();
    let expected = format!("Web {}", item["point"].as_str().unwrap());
    assert_eq!(commands[1]["output"], expected);
    // Of what opens the repository the command sees nothing; LIFEBOAT_RUN is its own.
    assert_eq!(commands[2]["output"], "success\n1");

    let host = sandbox.host();
    let failing = [
        "backup",
        "--host",
        &host,
        "--all",
        "--before",
        "echo oh; exit 7",
    ];
    let error = sandbox.fails(1, &failing);
    assert!(
        error.contains("exit code 7") && error.contains("| oh"),
        "{error}"
    );
    let points = json_lines(&sandbox.ok(&["point", "list", "--json"]));
    assert_eq!(points.last().unwrap()["points"], 1);
    sandbox.ok(&[&failing[..], &["--on-before-failure", "warn"]].concat());
    sandbox.fails(
        4,
        &[&failing[..], &["--on-before-failure", "warn", "--strict"]].concat(),
    );
    let wrong = [
        "backup",
        "--host",
        &host,
        "--all",
        "--command-timeout",
        "soon",
    ];
    sandbox.fails(2, &wrong);
}
