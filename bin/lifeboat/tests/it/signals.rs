//! Ctrl-C: what was finished is kept.

use crate::running::Running;
use crate::sandbox::{Sandbox, json_lines, noise};

/// So many that the run is far from its end when the first is done.
const VMS: usize = 48;
const VM_BYTES: usize = 1 << 20;

#[test]
fn an_interrupted_run_keeps_what_it_finished() {
    let sandbox = Sandbox::with_repository();
    for vm in 0..VMS {
        sandbox.raw(&format!("vm{vm:02}.img"), &noise(&vm.to_string(), VM_BYTES));
    }
    let host = sandbox.host();
    let args = ["backup", "--host", &host, "--all", "--json"];
    let mut running = Running::start(&sandbox, &args);
    running.hear(|said| said["type"] == "item");
    running.signal("-INT");
    let (code, summary) = running.wait();
    assert_eq!(code, Some(130));
    assert_eq!(summary["outcome"], "cancelled", "{summary}");
    assert_eq!(summary["exit"], 130);

    let finished = json_lines(&sandbox.ok(&["point", "list", "--json"])).len() - 1;
    assert!((1..VMS).contains(&finished), "{finished} points");
    sandbox.ok(&["repo", "check"]);
    let second = sandbox.back_up_all();
    assert_eq!(second["outcome"], "success", "{second}");
    let items = second["items"].as_array().unwrap();
    let new: u64 = items
        .iter()
        .map(|item| item["statistics"]["new_bytes"].as_u64().unwrap())
        .sum();
    assert!(
        new <= ((VMS - finished) * VM_BYTES) as u64,
        "{new} bytes were stored again"
    );
    sandbox.ok(&["repo", "check", "--read-data"]);
}
