//! A VM is made of its definition file and of disks that are in place.

use hyperv_host::{HostErrorKind, Identity, RestoreHost as _};
use hyperv_sim::{PowerState, Profile};

use crate::backup::{
    Copied, RESTORED, copy_files, ids, import, local, made, placed, plug_in, spec,
};
use crate::run::Steps;
use crate::stage::Stage;

fn prepared(profile: Profile) -> (Stage, uuid::Uuid) {
    let stage = Stage::new(profile);
    let vm = stage.add(&spec("web"));
    plug_in(&stage, vm, "Production");
    stage.sim.stop(vm).unwrap();
    (stage, vm)
}

#[test]
fn a_vm_comes_back_beside_the_old_one() {
    for profile in [
        Profile::Server2012R2,
        Profile::Server2016,
        Profile::Server2025,
    ] {
        let (stage, old) = prepared(profile);
        let (_, host) = stage.connect();
        let copied = copy_files(&stage, &host, old);
        let restored = import(&host, &copied.order);
        let vm = made(&stage, &restored);
        assert_ne!(vm.id, old);
        assert_eq!(vm.name, "web restored");
        assert_eq!(restored.name, "web restored");
        assert_eq!(vm.power, PowerState::Off);
        assert_eq!(vm.config_root, RESTORED);
        let paths: Vec<&str> = vm.disks.iter().map(|disk| disk.path.as_str()).collect();
        let wanted: Vec<String> = copied
            .vm
            .disks
            .iter()
            .map(|own| placed(&own.path))
            .collect();
        assert_eq!(paths, wanted);
        assert_eq!(vm.network_adapters, copied.vm.network_adapters);
        assert_eq!(
            (vm.generation, vm.processors),
            (copied.vm.generation, copied.vm.processors)
        );
        assert_eq!(vm.memory, copied.vm.memory);
        assert_eq!(vm.notes, copied.vm.notes);
        assert!(ids(&restored).is_empty(), "{:?}", restored.findings);
        assert_eq!(stage.journal_entries(), 0);
        assert_eq!(stage.sim.planned_vms().unwrap().len(), 0);
        stage.sim.start(vm.id).unwrap();
    }
}

#[test]
fn a_vm_keeps_its_identity_once_the_old_one_is_gone() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { mut order, .. } = copy_files(&stage, &host, old);
    order.identity = Identity::Keep;
    order.name = None;
    let before = stage.ledger();
    let error = host.import(&order, &Steps::default()).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    host.unregister(&old.to_string(), &Steps::default())
        .unwrap();
    let restored = import(&host, &order);
    assert_eq!(restored.identity, old.to_string());
    assert_eq!(made(&stage, &restored).name, "web");
}

#[test]
fn a_vm_that_runs_is_not_taken_away() {
    let (stage, vm) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    stage.sim.start(vm).unwrap();
    let before = stage.ledger();
    let error = host
        .unregister(&vm.to_string(), &Steps::default())
        .unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert_eq!(stage.differences(&before), []);
    let was = host.set_power(
        &vm.to_string(),
        hyperv_host::PowerState::Off,
        &Steps::default(),
    );
    assert_eq!(was.unwrap(), hyperv_host::PowerState::Running);
    host.unregister(&vm.to_string(), &Steps::default()).unwrap();
    assert!(stage.sim.vm(vm).is_err());
}

#[test]
fn a_switch_that_is_missing_is_told_and_leaves_the_adapter_unconnected() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { mut order, .. } = copy_files(&stage, &host, old);
    order.adapters[0].switch = Some("Elsewhere".to_owned());
    order.adapters[0].mac_address = None;
    let restored = import(&host, &order);
    assert_eq!(ids(&restored), ["POINT-SWITCH-MISSING"]);
    let adapter = &made(&stage, &restored).network_adapters[0];
    assert_eq!(adapter.switch_name, "");
    assert!(!adapter.mac_is_static);
    assert_ne!(adapter.mac_address, "00155D010203");
}

#[test]
fn a_tree_comes_back_whole_under_either_identity() {
    for identity in [Identity::New, Identity::Keep] {
        let (stage, old) = prepared(Profile::Server2022);
        stage.sim.start(old).unwrap();
        let first = stage.sim.checkpoint(old, "first").unwrap();
        stage.write(old, 2);
        stage.sim.checkpoint(old, "second").unwrap();
        stage.write(old, 3);
        stage.sim.apply_checkpoint(first).unwrap();
        stage.sim.stop(old).unwrap();
        let (_, host) = stage.connect();
        let Copied { vm, mut order } = copy_files(&stage, &host, old);
        order.checkpoint_folder = Some(r"C:\Staging\Snapshots".to_owned());
        order.identity = identity;
        if identity == Identity::Keep {
            host.unregister(&old.to_string(), &Steps::default())
                .unwrap();
        }
        let restored = import(&host, &order);
        assert!(ids(&restored).is_empty(), "{:?}", restored.findings);
        let now = made(&stage, &restored);
        let names = |vm: &hyperv_sim::Vm| {
            let own = vm.snapshots.iter().map(|own| own.name.clone());
            own.collect::<Vec<_>>()
        };
        assert_eq!(names(&now), names(&vm));
        for (was, now) in vm.snapshots.iter().zip(&now.snapshots) {
            let wanted: Vec<String> = was.disks.iter().map(|own| placed(&own.path)).collect();
            let paths: Vec<String> = now.disks.iter().map(|own| own.path.clone()).collect();
            assert_eq!(paths, wanted, "{}", was.name);
        }
        stage.sim.start(now.id).unwrap();
    }
}

#[test]
fn without_a_folder_of_checkpoints_there_are_none() {
    let (stage, old) = prepared(Profile::Server2022);
    stage.sim.start(old).unwrap();
    stage.sim.checkpoint(old, "first").unwrap();
    stage.sim.stop(old).unwrap();
    let (_, host) = stage.connect();
    let Copied { mut order, .. } = copy_files(&stage, &host, old);
    order.disks.retain(|disk| disk.checkpoint.is_none());
    let restored = import(&host, &order);
    assert!(made(&stage, &restored).snapshots.is_empty());
}

#[test]
fn disks_that_are_not_in_place_are_taken_out() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { mut order, .. } = copy_files(&stage, &host, old);
    let left = order.disks.pop().unwrap();
    std::fs::remove_file(local(&host, &left.path)).unwrap();
    let restored = import(&host, &order);
    assert!(ids(&restored).is_empty(), "{:?}", restored.findings);
    assert_eq!(made(&stage, &restored).disks.len(), 1);
}

#[test]
fn memory_comes_back_where_it_is_asked_for() {
    for keep in [true, false] {
        let stage = Stage::new(Profile::Server2022);
        let old = stage.add(&spec("web"));
        stage.sim.save(old).unwrap();
        let (_, host) = stage.connect();
        let Copied { mut order, .. } = copy_files(&stage, &host, old);
        order.keep_memory = keep;
        let restored = import(&host, &order);
        let power = made(&stage, &restored).power;
        let wanted = if keep {
            PowerState::Saved
        } else {
            PowerState::Off
        };
        assert_eq!(power, wanted);
    }
}

#[test]
fn what_is_not_valid_is_refused_with_the_host_s_own_words_and_leaves_nothing() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { order, .. } = copy_files(&stage, &host, old);
    std::fs::remove_file(local(&host, &order.disks[0].path)).unwrap();
    let before = stage.ledger();
    let error = host.import(&order, &Steps::default()).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Refused, "{error}");
    assert!(error.to_string().contains(&order.disks[0].path), "{error}");
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    assert_eq!(stage.sim.planned_vms().unwrap().len(), 0);
}

#[test]
fn a_person_who_stops_leaves_nothing() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { order, .. } = copy_files(&stage, &host, old);
    let before = stage.ledger();
    let steps = Steps::default();
    steps
        .cancelled
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let error = host.import(&order, &steps).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Cancelled, "{error}");
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn without_a_journal_nothing_is_made() {
    let (stage, old) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let Copied { order, .. } = copy_files(&stage, &host, old);
    let (_, host) = stage.connect_with_journal(None);
    let before = stage.ledger();
    let error = host.import(&order, &Steps::default()).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert_eq!(stage.differences(&before), []);
}

#[test]
fn a_target_tells_what_it_has() {
    let (stage, vm) = prepared(Profile::Server2022);
    let (_, host) = stage.connect();
    let target = host.target().unwrap();
    assert_eq!(target.computer, "HV1");
    assert!(
        target.versions.contains(&"9.0".to_owned()),
        "{:?}",
        target.versions
    );
    assert_eq!(target.default_version.as_deref(), Some("10.0"));
    assert!(target.memory_bytes > 0 && target.logical_processors > 0);
    assert!(!target.disk_folder.is_empty() && !target.configuration_folder.is_empty());
    let switches: Vec<&str> = target
        .switches
        .iter()
        .map(|own| own.name.as_str())
        .collect();
    assert_eq!(switches, ["Production"]);
    let own = target
        .vms
        .iter()
        .find(|own| own.identity == vm.to_string())
        .unwrap();
    assert_eq!(own.state, hyperv_host::PowerState::Off);
    assert_eq!(own.disks.len(), 2);
}
