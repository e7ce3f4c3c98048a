//! What is stored once is not stored again.

use crate::sandbox::{Sandbox, json_lines, noise};

#[test]
fn a_backup_of_an_unchanged_vm_stores_the_point_alone() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let before = sandbox.objects();
    sandbox.back_up_all();
    let after = sandbox.objects();
    let new: Vec<&String> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .collect();
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(new[0].starts_with("points/"), "{new:?}");
    assert!(
        before
            .iter()
            .all(|(name, size)| after.get(name) == Some(size))
    );
}

#[test]
fn two_vms_with_the_same_blocks_store_them_once() {
    let sandbox = Sandbox::with_repository();
    let content = noise("shared", 2 << 20);
    sandbox.raw("one.img", &content);
    sandbox.raw("two.img", &content);
    let summary = sandbox.back_up_all();
    // Both are read at once; which of them comes first is not said.
    let new = |item: usize| summary["items"][item]["statistics"]["new_bytes"].as_u64();
    assert_eq!(new(0).unwrap() + new(1).unwrap(), 2 << 20, "{summary}");
    let stored: u64 = sandbox.objects().values().sum();
    assert!(stored < 3 << 20, "{stored} bytes for 2 MiB of content");
}

#[test]
fn two_backups_at_the_same_time_both_succeed() {
    let sandbox = Sandbox::with_repository();
    let (shared, host) = (noise("shared", 1 << 20), sandbox.host());
    for vm in ["one", "two"] {
        let own = noise(vm, 3 << 20);
        sandbox.raw(&format!("{vm}.img"), &[shared.clone(), own].concat());
    }
    let children: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|vm| {
            let mut command = sandbox.command(&["backup", "--host", &host, vm, "--quiet"]);
            command.spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let points = json_lines(&sandbox.ok(&["point", "list", "--json"]));
    assert_eq!(points.last().unwrap()["points"], 2);
    sandbox.ok(&["repo", "check", "--read-data"]);
    for vm in ["one", "two"] {
        let out = sandbox.text(&format!("{vm}.raw"));
        sandbox.ok(&["restore", "disk", &format!("{vm}@latest"), "-o", &out]);
        let source = sandbox.path(&format!("host/{vm}.img"));
        assert!(std::fs::read(out).unwrap() == std::fs::read(source).unwrap());
    }
}
