//! Rules, pins, holds, pruning, quotas and estimates, as a person uses them.

use crate::sandbox::{Sandbox, json_lines, noise};

fn last(text: &str) -> serde_json::Value {
    json_lines(text).pop().unwrap()
}

fn backed_up(times: u8) -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for time in 0..times {
        sandbox.raw("Raw/disk.img", &noise(&time.to_string(), 1 << 20));
        sandbox.back_up_all();
    }
    sandbox
}

#[test]
fn pruning_shows_its_plan_and_spares_what_is_pinned_or_held() {
    let sandbox = backed_up(4);
    sandbox.fails(2, &["prune"]);
    sandbox.ok(&["point", "pin", "disk@latest~3"]);
    sandbox.ok(&[
        "point",
        "hold",
        "disk@latest~2",
        "--name",
        "audit",
        "--until",
        "2099-12-31",
    ]);
    sandbox.ok(&["point", "comment", "disk@latest", "the last one"]);
    let listed = sandbox.ok(&["point", "list"]);
    assert!(
        listed.contains("pinned") && listed.contains("the last one"),
        "{listed}"
    );
    sandbox.ok(&["repo", "keep", "set", "--keep-last", "1"]);
    let plan = sandbox.ok(&["prune", "--dry-run"]);
    for why in [
        "pin",
        "hold \"audit\" until",
        "the newest point, last 1",
        "remove",
    ] {
        assert!(plan.contains(why), "{why}: {plan}");
    }
    assert_eq!(sandbox.ok(&["point", "list", "--plain"]).lines().count(), 4);
    let done = last(&sandbox.ok(&["prune", "--json"]));
    assert_eq!(
        (&done["removed"], &done["points"]),
        (&1.into(), &4.into()),
        "{done}"
    );
    assert_eq!(sandbox.ok(&["point", "list", "--plain"]).lines().count(), 3);
    sandbox.ok(&["point", "unpin", "disk@latest~2"]);
    sandbox.fails(2, &["point", "release", "disk@latest~1", "--name", "other"]);
    sandbox.ok(&["point", "release", "disk@latest~1", "--name", "audit"]);
    sandbox.ok(&["prune"]);
    assert_eq!(sandbox.ok(&["point", "list", "--plain"]).lines().count(), 1);
    sandbox.ok(&["verify", "disk@latest"]);
    let shown = sandbox.ok(&["point", "show", "disk@latest"]);
    assert!(shown.contains("verified, the last one"), "{shown}");
    sandbox.fails(
        2,
        &["prune", "--keep-daily", "1", "--time-zone", "Moon/Sea"],
    );
}

#[test]
fn a_run_that_would_pass_the_quota_says_so_and_does_not_begin() {
    let sandbox = backed_up(1);
    let (host, points) = (sandbox.host(), || sandbox.ok(&["point", "list", "--plain"]));
    sandbox.raw("New/new.img", &noise("new", 4 << 20));
    sandbox.ok(&["repo", "quota", "set", "2MiB"]);
    let text = sandbox.fails(14, &["backup", "--host", &host, "--all"]);
    assert!(
        text.contains("quota of 2.0 MiB") && text.contains("--ignore-quota"),
        "{text}"
    );
    assert_eq!(points().lines().count(), 1);
    sandbox.ok(&["vm", "plan", "--host", &host]);
    sandbox.ok(&["backup", "--host", &host, "--all", "--ignore-quota"]);
    assert_eq!(points().lines().count(), 3);
    sandbox.ok(&["repo", "quota", "set", "none"]);
    sandbox.ok(&["repo", "quota", "set", "1MiB", "--vm", "new"]);
    sandbox.fails(14, &["backup", "--host", &host, "new"]);
    let stats = sandbox.ok(&["repo", "stats"]);
    assert!(stats.contains("full") && stats.contains("new"), "{stats}");
}

#[test]
fn what_a_backup_adds_is_told_to_a_tenth() {
    let sandbox = backed_up(3);
    let host = sandbox.host();
    // The disk changes as it did before, and another one like it comes.
    sandbox.raw("Raw/disk.img", &noise("once more", 1 << 20));
    sandbox.raw("Like/like.img", &noise("like", 1 << 20));
    let plan = json_lines(&sandbox.ok(&["vm", "plan", "--host", &host, "--json"]));
    let estimates = plan.iter().filter(|line| line["type"] == "estimate");
    let told: u64 = estimates.map(|line| line["bytes"].as_u64().unwrap()).sum();
    let run = sandbox.back_up_all();
    let items = run["items"].as_array().unwrap();
    let stored = |item: &serde_json::Value| item["statistics"]["stored_bytes"].as_u64().unwrap();
    let actual: u64 = items.iter().map(stored).sum();
    assert_eq!(items.len(), 2);
    assert!(
        told.abs_diff(actual) * 10 <= actual,
        "told {told}, stored {actual}"
    );
}
