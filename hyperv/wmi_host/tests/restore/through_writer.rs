//! Restores through the host's VSS writer: the VM goes, its files come, and it is registered again.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hyperv_host::{
    BackupMode, BackupRequest, HypervHost as _, RestoreHost as _, WriterOrder, WriterRecord,
    WriterRestore, WriterWay,
};
use hyperv_sim::{LedgerKind, PowerState, Profile};
use uuid::Uuid;
use wmi_host::{WmiHost, find_residue, fix_residue};

use crate::backup::{local, spec};
use crate::run::{Steps, request};
use crate::stage::Stage;

/// A VM that is off, with what a point of it has: the writer's record and all its files.
struct Kept {
    stage: Stage,
    vm: Uuid,
    order: WriterOrder,
    files: BTreeMap<String, Vec<u8>>,
}

fn request_of(profile: Profile) -> BackupRequest {
    let mut request = request("backup");
    if profile != Profile::Server2012R2 {
        request.mode = BackupMode::AllCheckpoints;
    }
    request
}

/// Backs a VM up through VSS, and keeps its files as they are once it is off.
fn kept(profile: Profile) -> Kept {
    let stage = Stage::new(profile);
    let vm = stage.add(&spec("web"));
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let frozen = host.begin_backup(&entry, &request_of(profile), None, &steps);
    let mut frozen = frozen.unwrap();
    let sealed = frozen.seal().unwrap();
    assert!(sealed.findings.is_empty(), "{:?}", sealed.findings);
    let record = sealed.writer.unwrap();
    frozen.commit();
    stage.sim.settle().unwrap();
    stage.sim.stop(vm).unwrap();
    let now = stage.sim.vm(vm).unwrap();
    let mut names: Vec<String> = now.files.keys().cloned().collect();
    names.push(format!("{}\\{}", now.config_root, now.config_file));
    let read = |name: String| {
        let bytes = fs::read(local(&host, &name)).unwrap();
        (name, bytes)
    };
    let files = names.into_iter().map(read).collect();
    let order = WriterOrder {
        record,
        vm: vm.to_string(),
        name: "web".to_owned(),
        moved: Vec::new(),
        configuration_folder: now.config_root.clone(),
        run: "restore-1".to_owned(),
    };
    Kept {
        stage,
        vm,
        order,
        files,
    }
}

impl Kept {
    fn host(&self) -> WmiHost {
        self.stage.connect().1
    }

    fn begin<'a>(&self, host: &'a WmiHost) -> Box<dyn WriterRestore + 'a> {
        let writer = host.as_writer_restore().unwrap();
        writer.begin(&self.order, &Steps::default()).unwrap()
    }

    fn put_files(&self, host: &WmiHost) {
        for (name, bytes) in &self.files {
            let path: PathBuf = local(host, name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    fn is_there(&self) -> bool {
        self.stage.sim.vm(self.vm).is_ok()
    }

    fn plan(&self, fault: &str) {
        let fault = fault.parse().unwrap();
        self.stage.sim.plan_fault(fault).unwrap();
    }

    fn told(&self, host: &WmiHost) -> Vec<(String, bool)> {
        let found = find_residue(host).unwrap().into_iter();
        found.map(|own| (own.finding.id, own.fixable)).collect()
    }
}

#[test]
fn a_vm_goes_and_comes_back_in_this_order() {
    for profile in [Profile::Server2012R2, Profile::Server2022] {
        let kept = kept(profile);
        let before = kept.stage.ledger();
        let host = kept.host();
        let way = host.as_writer_restore().unwrap().way().unwrap();
        assert_eq!(way, WriterWay::Possible);
        kept.stage.sim.clear_trace().unwrap();
        let mut restore = kept.begin(&host);
        assert!(kept.is_there(), "nothing is touched");
        restore.pre_restore(&Steps::default()).unwrap();
        assert!(!kept.is_there());
        kept.put_files(&host);
        let made = restore.post_restore(&Steps::default()).unwrap();
        assert_eq!(
            (made.identity, made.name),
            (kept.vm.to_string(), "web".to_owned())
        );
        assert!(made.findings.is_empty(), "{:?}", made.findings);
        drop(restore);
        assert!(kept.is_there());
        let back = kept.stage.sim.vm(kept.vm).unwrap();
        assert_eq!(back.power, PowerState::Off);
        // A VM that is registered anew has controllers with ids of their own.
        let mut differences = kept.stage.differences(&before);
        differences.retain(|own| own.kind != LedgerKind::DiskPath);
        assert_eq!(differences, []);
        assert_eq!(kept.stage.journal_entries(), 0);
        let trace = kept.stage.sim.trace().unwrap();
        let names: Vec<&str> = trace.iter().map(|own| own.kind.name()).collect();
        let place = |name: &str| names.iter().position(|own| *own == name).unwrap();
        assert!(place("pre-restore") < place("post-restore"), "{names:?}");
    }
}

#[test]
fn a_record_has_the_document_and_where_files_were() {
    let kept = kept(Profile::Server2012R2);
    let WriterRecord {
        version,
        writer,
        component,
        files,
        document,
        ..
    } = &kept.order.record;
    assert_eq!(*version, 1);
    assert_eq!(writer, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    assert!(component.eq_ignore_ascii_case(&kept.vm.to_string()));
    assert!(document.contains("backupSucceeded=\"yes\""), "{document}");
    let machines = files.iter().find(|own| {
        let stem = own.spec.to_lowercase();
        stem.starts_with(&kept.vm.to_string())
    });
    assert!(machines.unwrap().folder.ends_with("Virtual Machines"));
    assert!(
        files
            .iter()
            .any(|own| own.spec.to_lowercase().ends_with("vhdx")),
        "{files:?}"
    );
}

#[test]
fn a_writer_that_does_not_make_room_leaves_the_vm() {
    let kept = kept(Profile::Server2012R2);
    let before = kept.stage.ledger();
    let host = kept.host();
    kept.plan("vss:PreRestore nth=1 writer=0x800423F4");
    let mut restore = kept.begin(&host);
    let error = restore.pre_restore(&Steps::default()).unwrap_err();
    assert!(error.to_string().contains("FailedAtPreRestore"), "{error}");
    assert!(kept.is_there());
    assert_eq!(restore.give_up(), []);
    assert_eq!(kept.stage.differences(&before), []);
    assert_eq!(kept.stage.journal_entries(), 0);
}

#[test]
fn what_died_between_is_told_and_goes_on() {
    let kept = kept(Profile::Server2012R2);
    {
        let host = kept.host();
        let mut restore = kept.begin(&host);
        restore.pre_restore(&Steps::default()).unwrap();
    }
    let host = kept.host();
    let expected = [("RESIDUE-WRITER-RESTORE".to_owned(), false)];
    assert_eq!(kept.told(&host), expected);
    assert_eq!(
        fix_residue(&host).unwrap().len(),
        1,
        "nobody can put it back but its restore"
    );
    let left = host.settle_restores().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(kept.stage.journal_entries(), 1);
    let mut restore = kept.begin(&host);
    assert_eq!(
        kept.stage.journal_entries(),
        1,
        "the other's was taken over"
    );
    restore.pre_restore(&Steps::default()).unwrap();
    kept.put_files(&host);
    restore.post_restore(&Steps::default()).unwrap();
    assert!(kept.is_there());
    assert_eq!(kept.stage.journal_entries(), 0);
    assert_eq!(kept.told(&kept.host()), []);
}

#[test]
fn what_died_before_room_was_made_is_forgotten() {
    let kept = kept(Profile::Server2012R2);
    let host = kept.host();
    drop(kept.begin(&host));
    assert_eq!(kept.stage.journal_entries(), 1);
    assert_eq!(fix_residue(&kept.host()).unwrap().len(), 0);
    assert_eq!(kept.stage.journal_entries(), 0);
    assert!(kept.is_there());
}

#[test]
fn a_vm_that_was_put_back_otherwise_ends_it() {
    let kept = kept(Profile::Server2012R2);
    let vm = kept.stage.sim.vm(kept.vm).unwrap();
    let host = kept.host();
    let mut restore = kept.begin(&host);
    restore.pre_restore(&Steps::default()).unwrap();
    // No definition was put back.
    let error = restore.post_restore(&Steps::default()).unwrap_err();
    assert!(error.to_string().contains("FailedAtPostRestore"), "{error}");
    assert!(!kept.is_there());
    let left = restore.give_up();
    assert_eq!(left[0].id, "RESIDUE-WRITER-RESTORE", "{left:?}");
    kept.put_files(&host);
    let mut again = kept.begin(&host);
    again.pre_restore(&Steps::default()).unwrap();
    kept.put_files(&host);
    again.post_restore(&Steps::default()).unwrap();
    assert_eq!(kept.stage.sim.vm(kept.vm).unwrap().disks, vm.disks);
    assert_eq!(kept.stage.journal_entries(), 0);
}

#[test]
fn what_is_no_document_of_this_writer_is_refused_before_anything_is_written_down() {
    let mut kept = kept(Profile::Server2012R2);
    let host = kept.host();
    let begin = |order: &WriterOrder| {
        let writer = host.as_writer_restore().unwrap();
        writer.begin(order, &Steps::default()).err().unwrap()
    };
    let mut other = kept.order.clone();
    other.record.writer = Uuid::from_u128(1).to_string();
    assert!(begin(&other).to_string().contains("another writer"));
    let mut other = kept.order.clone();
    other.record.document = "<broken".to_owned();
    begin(&other);
    kept.order.record.component = Uuid::from_u128(7).to_string();
    begin(&kept.order);
    assert_eq!(kept.stage.journal_entries(), 0);
    assert!(kept.is_there());
}

#[test]
fn a_host_that_is_only_reached_over_the_network_has_no_writer_for_us() {
    let stage = Stage::new(Profile::Server2022);
    let host = stage.connect_without_bytes();
    assert!(host.as_writer_restore().is_none());
}
