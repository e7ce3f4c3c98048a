//! All VMs of a host that is lost, or some of them, on another one.

use serde_json::Value;

use crate::restoring::{back_up, last, new_host, state, vm, vm_names, words};
use crate::sandbox::{Sandbox, json_lines};

#[test]
fn all_vms_come_back_to_an_empty_host() {
    let sandbox = Sandbox::with_repository();
    for name in ["DC01", "SQL01", "WEB01"] {
        vm(&sandbox, "a", name);
    }
    back_up(&sandbox, "a", &["--all"]);
    new_host(&sandbox, "b");
    let all = words(r"restore all-latest --to sim:b --path C:\VMs");
    let planned = last(&sandbox.ok(&[&all[..], &["-n", "--json"]].concat()));
    assert_eq!(planned["restored"], 0, "{planned}");
    assert_eq!(planned["items"].as_array().unwrap().len(), 3, "{planned}");
    assert_eq!(vm_names(&sandbox, "b"), [""; 0]);

    let done = last(&sandbox.ok(&[&all[..], &["--start", "--json"]].concat()));
    assert_eq!(done["restored"], 3, "{done}");
    // There is no switch External on it.
    assert_eq!(done["outcome"], "warning", "{done}");
    assert_eq!(vm_names(&sandbox, "b"), ["DC01", "SQL01", "WEB01"]);
    let again = sandbox.ok(&all);
    assert!(again.contains("3 there already, 0 not"), "{again}");
}

#[test]
fn vms_of_several_hosts_come_back_only_where_that_is_asked_for() {
    let sandbox = Sandbox::with_repository();
    for (host, name) in [("a", "DC01"), ("a", "SQL01"), ("b", "SQL01")] {
        vm(&sandbox, host, name);
    }
    back_up(&sandbox, "a", &["--all"]);
    back_up(&sandbox, "b", &["--all"]);
    new_host(&sandbox, "c");
    let to_c = words(r"restore all-latest --to sim:c --path C:\VMs");
    let with = |more: &[&'static str]| [&to_c[..], more].concat();
    for unclear in [&[][..], &["--dry-run"]] {
        let text = sandbox.fails(2, &with(unclear));
        assert!(text.contains("HV-a (2 VMs), HV-b (1 VM)"), "{text}");
        assert!(text.contains("--from-host"), "{text}");
        assert!(text.contains("--all-hosts"), "{text}");
    }
    let text = sandbox.fails(2, &with(&["--from-host", "HV-x"]));
    assert!(text.contains("HV-a (2 VMs)"), "{text}");
    sandbox.fails(2, &with(&["--vm", "SQL02"]));
    let names = |more: &[&'static str]| {
        let planned = last(&sandbox.ok(&with(&[more, &["-n", "--json"]].concat())));
        let items = planned["items"].as_array().unwrap().iter();
        let names = items.map(|item| item["vm"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&["--from-host", "hv-A"]), ["DC01", "SQL01"]);
    assert_eq!(names(&["--vm", "DC01"]), ["DC01"]);
    assert_eq!(names(&["--vm", "SQL01", "--from-host", "HV-b"]), ["SQL01"]);
    let text = sandbox.fails(2, &with(&["--vm", "SQL01"]));
    assert!(
        text.contains("SQL01 of HV-a") && text.contains("SQL01 of HV-b"),
        "{text}"
    );
    assert!(text.contains("--from-host NAME"), "{text}");
    assert_eq!(names(&["--vm", "SQL01", "--all-hosts"]), ["SQL01", "SQL01"]);

    // Two of one name: each has a folder of its own, in the plan as on the host.
    let planned = sandbox.ok(&with(&["--all-hosts", "-n", "--json"]));
    let planned = disk_paths(json_lines(&planned).iter().map(|line| &line["plan"]));
    assert_eq!(planned.len(), 3, "{planned:?}");
    assert!(
        planned
            .iter()
            .any(|path| path.starts_with(r"C:\VMs\SQL01 ("))
    );
    sandbox.ok(&with(&["--all-hosts"]));
    let there = state(&sandbox, "c");
    assert_eq!(disk_paths(there["vms"].as_array().unwrap().iter()), planned);
}

/// Returns the paths of the disks of plans, or of a simulated host's VMs, in order.
fn disk_paths<'a>(of: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let disks = of.filter_map(|one| one["disks"].as_array()).flatten();
    let mut paths: Vec<String> = disks
        .map(|disk| disk["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort_unstable();
    paths
}
