//! The program and a simulated cluster.

use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines};

fn state(sandbox: &Sandbox) -> Value {
    let lines = json_lines(&sandbox.ok(&["sim", "state", "cluster", "--json"]));
    lines[0].clone()
}

fn names(sandbox: &Sandbox, node: usize) -> Vec<String> {
    let state = state(sandbox);
    let vms = state["nodes"][node]["host"]["vms"].as_array().unwrap();
    vms.iter()
        .map(|vm| vm["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_cluster_is_made_and_its_vms_move() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["sim", "new", "cluster", "--nodes", "3"]);
    let add = [
        "sim",
        "add-vm",
        "cluster",
        "SQL01",
        "--disk",
        "empty:4MiB",
        "--clustered",
        "--node",
        "HV2",
    ];
    sandbox.ok(&add);
    assert_eq!(names(&sandbox, 1), ["SQL01"]);
    sandbox.ok(&["sim", "move", "cluster", "SQL01", "HV3"]);
    assert!(names(&sandbox, 1).is_empty());
    // A VM is found on whichever node it is.
    sandbox.ok(&["sim", "write", "cluster", "SQL01", "--offset", "1MiB"]);
    sandbox.ok(&["sim", "node", "cluster", "HV3", "down"]);
    assert_eq!(names(&sandbox, 0), ["SQL01"]);
    sandbox.ok(&["sim", "save", "cluster", "SQL01"]);
    let shown = sandbox.ok(&["sim", "state", "cluster"]);
    assert!(shown.contains("surprises of the cluster: 1"), "{shown}");
    let output = sandbox.run(&["sim", "move", "cluster", "SQL01", "HV3"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn what_takes_one_host_names_the_folder_of_a_node() {
    let sandbox = Sandbox::empty();
    sandbox.ok(&["sim", "new", "cluster", "--nodes", "2", "--mixed"]);
    assert_eq!(state(&sandbox)["cluster"]["functional_level"], 8);
    let output = sandbox.run(&["sim", "crash", "cluster"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("HV1"), "{text}");
    let node = sandbox.path("cluster/nodes/HV2");
    sandbox.ok(&["sim", "crash", node.to_str().unwrap()]);
    let fault = "CreateSnapshot vm=SQL01 nth=1 moves=HV1";
    sandbox.ok(&["sim", "fault", node.to_str().unwrap(), fault]);
}
