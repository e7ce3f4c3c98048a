//! Restores through the writer: the VM goes, its files come, and it is registered again.

use hyperv_sim::{Profile, SimErrorKind};
use uuid::Uuid;
use vss::{FileSet, VssErrorKind, VssRestore, VssService as _, WriterState};

use crate::stage::{Stage, component_of, never, plan};

/// Backs a VM up; returns the document.
fn document(stage: &Stage, vm: Uuid) -> String {
    let mut backup = stage.snapped(&[vm]);
    backup.set_succeeded(&component_of(vm), true).unwrap();
    let document = backup.document().unwrap();
    backup.complete(&never).unwrap();
    backup.delete_set().unwrap();
    drop(backup);
    stage.host.settle().unwrap();
    document
}

/// Copies all files of a folder below `C:\`, as a restore writes them.
fn copy(stage: &Stage, from: &str, to: &str) {
    let drive = stage.host.drives().unwrap().remove(0).1;
    let (from, to) = (drive.join(from), drive.join(to));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn status(restore: &mut dyn VssRestore) -> (WriterState, u32) {
    let statuses = restore.writer_statuses(&never).unwrap();
    let own = statuses.iter().find(|own| own.id == vss::HYPERV_WRITER);
    own.map(|own| (own.state, own.failure)).unwrap()
}

/// A VM that was backed up, its files in `C:\Kept`, and the restore begun.
fn begun(stage: &Stage) -> (Uuid, Box<dyn VssRestore>) {
    let vm = stage.vm("SQL01");
    let document = document(stage, vm);
    for folder in ["Virtual Machines", "Virtual Hard Disks"] {
        let from = format!("Hyper-V/SQL01/{folder}");
        copy(stage, &from, &format!("Kept/{folder}"));
    }
    let mut restore = stage.vss.begin_restore(&document).unwrap();
    restore.select(&component_of(vm)).unwrap();
    (vm, restore)
}

#[test]
fn a_vm_goes_and_comes_back_in_its_place() {
    for profile in [Profile::Server2012R2, Profile::Server2022] {
        let stage = Stage::new(profile);
        let (vm, mut restore) = begun(&stage);
        stage.host.clear_trace().unwrap();
        restore.pre_restore(&never).unwrap();
        let gone = stage.host.vm(vm).unwrap_err();
        assert_eq!(gone.kind(), SimErrorKind::NotFound);
        for folder in ["Virtual Machines", "Virtual Hard Disks"] {
            let to = format!("Hyper-V/SQL01/{folder}");
            copy(&stage, &format!("Kept/{folder}"), &to);
        }
        restore.set_restored(&component_of(vm), true).unwrap();
        restore.post_restore(&never).unwrap();
        assert_eq!(status(&mut *restore), (WriterState::Stable, 0));
        let back = stage.host.vm(vm).unwrap();
        assert_eq!(back.config_root, "C:\\Hyper-V\\SQL01");
        assert_eq!(back.network_adapters[0].switch_name, "External");
        stage.host.start(vm).unwrap();
        let events = stage.events();
        let place = |name: &str| events.iter().position(|own| *own == name).unwrap();
        assert!(place("pre-restore") < place("stopped"), "{events:?}");
        assert!(place("stopped") < place("post-restore"), "{events:?}");
    }
}

#[test]
fn paths_lead_to_where_files_went_and_a_lost_switch_is_let_go() {
    let stage = Stage::new(Profile::Server2022);
    let (vm, mut restore) = begun(&stage);
    for folder in ["Virtual Machines", "Virtual Hard Disks"] {
        let files = FileSet {
            path: format!("C:\\Hyper-V\\SQL01\\{folder}"),
            spec: "*".to_owned(),
            is_recursive: false,
        };
        let to = format!("C:\\Kept\\{folder}");
        let component = component_of(vm);
        restore.add_new_target(&component, &files, &to).unwrap();
    }
    restore.pre_restore(&never).unwrap();
    let drive = stage.host.drives().unwrap().remove(0).1;
    std::fs::remove_dir_all(drive.join("Hyper-V")).unwrap();
    stage.host.remove_switch("External").unwrap();
    restore.set_restored(&component_of(vm), true).unwrap();
    restore.post_restore(&never).unwrap();
    assert_eq!(status(&mut *restore), (WriterState::Stable, 0));
    let back = stage.host.vm(vm).unwrap();
    assert_eq!(back.config_root, "C:\\Kept");
    assert_eq!(
        back.disks[0].path,
        "C:\\Kept\\Virtual Hard Disks\\SQL01.vhdx"
    );
    assert_eq!(back.network_adapters[0].switch_name, "");
}

#[test]
fn what_goes_wrong_is_the_writer_s_and_order_is_kept() {
    let stage = Stage::new(Profile::Server2022);
    let (vm, mut restore) = begun(&stage);
    let early = restore.post_restore(&never).unwrap_err();
    assert_eq!(early.kind(), VssErrorKind::BadState);
    let other = component_of(Uuid::from_u128(7));
    let unknown = restore.select(&other).unwrap_err();
    assert_eq!(unknown.kind(), VssErrorKind::NotFound);
    plan(&stage, "vss:PreRestore nth=1 writer=0x800423F4");
    restore.pre_restore(&never).unwrap();
    let failed = (WriterState::FailedAtPreRestore, 0x8004_23F4);
    assert_eq!(status(&mut *restore), failed);
    assert!(stage.host.vm(vm).is_ok(), "nothing was taken");
    drop(restore);
    let document = document(&stage, vm);
    let mut again = stage.vss.begin_restore(&document).unwrap();
    again.select(&component_of(vm)).unwrap();
    again.pre_restore(&never).unwrap();
    again.set_restored(&component_of(vm), true).unwrap();
    again.post_restore(&never).unwrap();
    let failed = (WriterState::FailedAtPostRestore, 0x8004_23F4);
    assert_eq!(
        status(&mut *again),
        failed,
        "no definition file was put back"
    );
    assert!(stage.host.vms().unwrap().is_empty());
    assert!(stage.host.planned_vms().unwrap().is_empty());
}
