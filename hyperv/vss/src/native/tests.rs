//! A library of our own stands in for Windows': `tests/stand_in`, C++ against mingw-w64's headers,
//! so what arrives there was put into the right slot with the right arguments.

mod calls;
mod data;
mod failures;
mod restores;
mod stand_in;
mod waiting;

use super::*;
use crate::VssErrorKind;
use stand_in::StandIn;

#[test]
fn the_library_of_this_windows_is_used_or_says_what_it_lacks() {
    let options = stand_in::options(crate::SnapshotKind::Backup);
    let begun = WindowsVss::load().and_then(|vss| vss.begin(&options).map(drop));
    let Err(error) = begun else {
        return;
    };
    // Wine's has the function, which does nothing; a person may lack the rights.
    let kinds = [VssErrorKind::Absent, VssErrorKind::Denied];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("CreateVssBackupComponents"), "{text}");
}

#[test]
fn a_library_that_is_not_there_and_one_without_the_functions_are_named() {
    let error = Library::load(w!("no-such-vssapi.dll")).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Absent);
    assert!(error.to_string().contains("cannot be loaded"), "{error}");
    let error = Library::load(w!("ole32.dll")).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Absent);
    let text = error.to_string();
    assert!(text.contains("CreateVssBackupComponentsInternal"), "{text}");
}

#[test]
fn this_windows_volumes_are_found() {
    let cluster = Cluster::load(w!("resutils.dll"));
    let volume = volume::of_local_path(&cluster, r"C:\windows\no such file").unwrap();
    assert_eq!(volume.mount, r"C:\");
    assert_eq!(volume.kind, crate::VolumeKind::Local);
    assert!(volume.name.starts_with(r"\\?\Volume{"), "{volume:?}");
    assert!(volume.name.ends_with(r"}\"), "{volume:?}");
    let error = volume::of_local_path(&cluster, r"Q:\nowhere").unwrap_err();
    assert_eq!(error.step(), VssStep::VolumeOf);
    assert!(error.to_string().contains(r"Q:\"), "{error}");
}

#[test]
fn a_path_leads_to_a_disk_or_to_a_share() {
    use volume::Place::{self, Local, Share};
    let local = |path: &str| Ok(Local(path.to_owned()));
    let share = |path: &str| Ok(Share(path.to_owned()));
    assert_eq!(Place::of(r"C:\a"), local(r"C:\a"));
    assert_eq!(Place::of("d:/a"), local(r"d:\a"));
    let volume = r"\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\a";
    assert_eq!(Place::of(volume), local(volume));
    assert_eq!(Place::of(r"\\FS1\VMs\a"), share(r"\\FS1\VMs\a"));
    assert_eq!(Place::of(r"\\?\UNC\FS1\VMs\a"), share(r"\\FS1\VMs\a"));
    for path in [
        "",
        "a",
        r"a\b",
        "C:",
        "C:a",
        r"\a",
        r"\\.\PhysicalDrive0",
        "ü",
    ] {
        let error = Place::of(path).unwrap_err();
        assert_eq!(error.kind(), VssErrorKind::NotFound, "{path}");
    }
}
