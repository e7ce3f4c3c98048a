//! VMs made beside what is on the host.

use hyperv_host::{AdapterOrder, HostSettings, Identity, NodeSettings, Severity};
use repository::StreamRole;
use vm_restore::{
    Destination, DiskMethod, HostRestoreRequest, NetworkPolicy, RestoreError, RestoreKind,
};

use crate::world::{DISK_BYTES, VM, World, configuration, slot};

fn ids(plan: &vm_restore::HostRestorePlan) -> Vec<&str> {
    plan.findings.iter().map(|finding| &*finding.id).collect()
}

fn without_vm() -> World {
    let world = World::new();
    world.host.forget_all();
    world
}

#[test]
fn a_vm_comes_back_on_a_host_that_has_nothing() {
    let world = without_vm();
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"C:\Restored\web".to_owned()),
        ..world.request()
    };
    let plan = world.plan(&request);
    assert_eq!(plan.kind, RestoreKind::NewVm);
    assert!(!plan.needs_confirmation());
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    let at_most: u64 = DISK_BYTES.iter().sum();
    assert!(plan.write_bytes <= at_most && !plan.write_is_exact);
    let report = plan.execute(&world.host, &()).unwrap();
    assert_eq!(report.identity, VM);
    assert!(report.written_bytes <= plan.write_bytes);
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(
        vm.disks[&slot(0)],
        r"C:\Restored\web\Virtual Hard Disks\web.vhdx"
    );
    assert_eq!(vm.folder, r"C:\Restored\web");
    assert_eq!(vm.configuration, configuration());
    let adapter = AdapterOrder {
        name: "Network Adapter".to_owned(),
        switch: Some("LAN".to_owned()),
        mac_address: Some("00155D010203".to_owned()),
        mac_is_static: true,
        vlan: None,
    };
    assert_eq!(vm.adapters, [adapter]);
    world.check_content(VM);
    world.check_nothing_left();
    // The same plan serialises, with a text for each step.
    let json = serde_json::to_value(&plan).unwrap();
    assert!(json["steps"].as_array().unwrap().len() >= 4, "{json}");
}

#[test]
fn the_identity_of_a_vm_that_is_there_blocks() {
    let world = World::new();
    let before = world.host.ledger();
    let failure = world.run(&world.request()).unwrap_err();
    let RestoreError::Blocked(finding) = failure.error else {
        panic!("{failure:?}");
    };
    assert_eq!(finding.id, "POINT-SAME-VM");
    assert_eq!(world.host.ledger(), before);
}

#[test]
fn a_new_identity_goes_beside_and_replaces_no_file() {
    let world = World::new();
    let before = world.host.ledger();
    let request = HostRestoreRequest {
        identity: Identity::New,
        name: Some("web 2".to_owned()),
        new_mac: true,
        ..world.request()
    };
    let report = world.run(&request).unwrap();
    assert_ne!(report.identity, VM);
    let vm = world.host.vm(&report.identity).unwrap();
    assert_eq!(vm.name, "web 2");
    assert_eq!(vm.adapters[0].mac_address, None);
    let path = &vm.disks[&slot(0)];
    assert!(
        path.ends_with(r"Virtual Hard Disks\web (restored 2026-01-01).vhdx"),
        "{path}"
    );
    world.check_content(&report.identity);
    world.check_nothing_left();
    let after = world.host.ledger();
    assert!(before.iter().all(|line| after.contains(line)));
}

#[test]
fn switches_are_mapped_matched_or_left_unconnected() {
    let world = without_vm();
    let switch = |request: &HostRestoreRequest| {
        let plan = world.plan(request);
        let missing = ids(&plan).contains(&"POINT-SWITCH-MISSING");
        (plan.adapters[0].switch.clone(), missing)
    };
    let mut request = world.request();
    assert_eq!(switch(&request), (Some("LAN".to_owned()), false));
    request.map_switch = vec![("lan".to_owned(), "lab".to_owned())];
    assert_eq!(switch(&request), (Some("Lab".to_owned()), false));
    request.map_switch = vec![("LAN".to_owned(), "gone".to_owned())];
    assert_eq!(switch(&request), (None, true));
    request.network = NetworkPolicy::Disconnected;
    assert_eq!(switch(&request), (None, false));
}

#[test]
fn what_the_host_does_not_bear_is_said_before() {
    let world = without_vm();
    let change = |change: &dyn Fn(&mut hyperv_host::TargetHost)| {
        change(&mut world.host.facts.lock().unwrap());
    };
    change(&|facts| facts.versions = vec!["8.0".to_owned()]);
    let plan = world.plan(&world.request());
    assert_eq!(plan.block().unwrap().id, "POINT-VERSION");
    let request = HostRestoreRequest {
        as_new_vm: true,
        ..world.request()
    };
    let plan = world.plan(&request);
    assert_eq!(
        (plan.kind, plan.block()),
        (RestoreKind::FromConfiguration, None)
    );
    let report = plan.execute(&world.host, &()).unwrap();
    world.check_content(&report.identity);
    world.check_nothing_left();
    world.host.forget_all();
    change(&|facts| {
        facts.versions = Vec::new();
        facts.volumes[0].free_bytes = 1 << 20;
        facts.logical_processors = 1;
        facts.memory_bytes = 256 << 20;
    });
    let plan = world.plan(&world.request());
    let found = ids(&plan);
    assert_eq!(plan.block().unwrap().id, "POINT-NO-ROOM");
    assert_eq!(
        found.iter().filter(|id| **id == "POINT-RESOURCES").count(),
        2,
        "{found:?}"
    );
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"Q:\VMs".to_owned()),
        ..world.request()
    };
    assert_eq!(
        world.plan(&request).block().unwrap().id,
        "POINT-PLACE-UNREACHABLE"
    );
}

#[test]
fn disks_that_nobody_asked_for_do_not_come_back() {
    let world = without_vm();
    let request = HostRestoreRequest {
        disks: Some(vec![1]),
        ..world.request()
    };
    let plan = world.plan(&request);
    assert_eq!(plan.disks.len(), 1);
    assert_eq!(plan.disks[0].method, DiskMethod::NewFile);
    plan.execute(&world.host, &()).unwrap();
    let vm = world.host.vm(VM).unwrap();
    assert_eq!(vm.disks.keys().copied().collect::<Vec<_>>(), [slot(1)]);
    let request = HostRestoreRequest {
        disks: Some(vec![7]),
        identity: Identity::New,
        ..world.request()
    };
    assert_eq!(world.plan(&request).block().unwrap().id, "POINT-NO-DISK");
}

/// Plans a restore of a point whose memory was saved on an Intel processor, to a host with another;
/// returns what is found of that.
fn memory_finding(processor: Option<&str>, computer: &str) -> Option<(String, Severity)> {
    let mut world = without_vm();
    let mut state = world.point.streams[0].clone();
    state.role = StreamRole::RuntimeState;
    world.point.streams.push(state);
    let node = NodeSettings {
        computer: "HV1".to_owned(),
        processor: "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz".to_owned(),
        ..NodeSettings::default()
    };
    let settings = HostSettings::new("HV1", world.point.started, vec![node]);
    world.point.host_settings = Some(serde_json::to_value(settings).unwrap());
    {
        let mut facts = world.host.facts.lock().unwrap();
        facts.processor = processor.map(str::to_owned);
        computer.clone_into(&mut facts.computer);
    }
    let mut request = world.request();
    let of_memory = |plan: &vm_restore::HostRestorePlan| {
        let ids = ["POINT-MEMORY", "POINT-PROCESSOR"];
        let mut found = plan.findings.iter();
        let found = found.find(|finding| ids.contains(&&*finding.id));
        found.map(|finding| (finding.id.clone(), finding.severity))
    };
    assert_eq!(
        of_memory(&world.plan(&request)),
        None,
        "nobody asked for memory"
    );
    request.keep_memory = Some(true);
    of_memory(&world.plan(&request))
}

#[test]
fn saved_memory_goes_only_to_a_processor_that_can_resume_it() {
    let found = |id: &str, severity| Some((id.to_owned(), severity));
    let same = "GenuineIntel Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz";
    let older = "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz";
    let other = "AMD EPYC 7763 64-Core Processor";
    assert_eq!(memory_finding(Some(same), "HV2"), None);
    let warns = found("POINT-PROCESSOR", Severity::Warn);
    assert_eq!(memory_finding(Some(older), "HV2"), warns);
    let blocks = found("POINT-PROCESSOR", Severity::Block);
    assert_eq!(memory_finding(Some(other), "HV2"), blocks);
    // The host was given another one.
    assert_eq!(memory_finding(Some(other), "HV1"), blocks);
    let unknown = found("POINT-MEMORY", Severity::Warn);
    assert_eq!(memory_finding(None, "HV2"), unknown);
    assert_eq!(memory_finding(None, "HV1"), None);
}

#[test]
fn what_a_vm_that_is_made_anew_loses_is_named_before() {
    let mut world = without_vm();
    let request = HostRestoreRequest {
        as_new_vm: true,
        ..world.request()
    };
    let lost = |world: &World| {
        let plan = world.plan(&request);
        let mut found = plan.findings.into_iter();
        let found = found.find(|finding| finding.id == "POINT-AS-NEW-LOSES");
        found.unwrap().text
    };
    let text = lost(&world);
    assert!(text.contains("template of Secure Boot"), "{text}");
    assert!(!text.contains("TPM"), "{text}");
    let mut known = configuration();
    known.secure_boot_template = Some(uuid::Uuid::from_u128(1));
    known.guest_state_file = Some(r"C:\VMs\web\web.vmgs".to_owned());
    world.point.configuration = Some(serde_json::to_value(&known).unwrap());
    let text = lost(&world);
    assert!(!text.contains("template"), "it goes along: {text}");
    assert!(text.contains("TPM"), "{text}");
    let plan = world.plan(&world.request());
    assert!(!ids(&plan).contains(&"POINT-AS-NEW-LOSES"));
}
