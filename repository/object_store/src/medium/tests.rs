//! Media that come back elsewhere.

use std::io;

use super::*;
use crate::Mount;

struct Mounted(Vec<Mount>);

impl Mounts for Mounted {
    fn mounts(&self) -> io::Result<Vec<Mount>> {
        Ok(self.0.clone())
    }
}

fn mount(folder: &Path, label: &str) -> Mount {
    Mount {
        folder: folder.to_owned(),
        labels: vec![label.to_owned()],
    }
}

/// The id is what the file says.
fn id_of(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("lifeboat-repository")).ok()
}

fn path(text: &str) -> MediumPath {
    text.parse().unwrap()
}

#[test]
fn a_label_leads_to_wherever_the_medium_is_mounted() {
    let found = |mounts: &Mounted, text: &str| path(text).find(mounts, &id_of);
    let before = Mounted(vec![mount(Path::new("/media/OFFSITE"), "OFFSITE")]);
    let after = Mounted(vec![
        mount(Path::new("/media/OTHER"), "OTHER"),
        mount(Path::new("/mnt/usb"), "OFFSITE"),
    ]);
    let expect = |path: &str| PathBuf::from(path);
    assert_eq!(
        found(&before, "label:OFFSITE/a/b").unwrap(),
        expect("/media/OFFSITE/a/b")
    );
    assert_eq!(
        found(&after, "label:OFFSITE/a/b").unwrap(),
        expect("/mnt/usb/a/b")
    );
    assert_eq!(found(&after, "label:OFFSITE").unwrap(), expect("/mnt/usb"));
    let error = found(&after, "label:GONE/a").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::MediumAbsent);
    assert!(
        error.to_string().contains("waiting for medium GONE"),
        "{error}"
    );
}

#[test]
fn two_media_of_one_label_are_not_guessed_between() {
    let mounts = Mounted(vec![
        mount(Path::new("/media/one"), "BACKUP"),
        mount(Path::new("/media/two"), "BACKUP"),
    ]);
    let error = path("label:BACKUP/x").find(&mounts, &id_of).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert!(error.to_string().contains("/media/two"), "{error}");
}

#[test]
fn a_repository_is_found_by_its_id_up_to_two_folders_deep() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path();
    let put = |below: &str, id: &str| {
        fs::create_dir_all(disk.join(below)).unwrap();
        fs::write(disk.join(below).join("lifeboat-repository"), id).unwrap();
    };
    put("a/lifeboat", "0123ABCD");
    put("b", "9999abcd");
    put("a/too/deep", "7777abcd");
    let mounts = Mounted(vec![
        mount(disk, "any"),
        mount(&disk.join("not there"), "x"),
    ]);
    let found = |text: &str| path(text).find(&mounts, &id_of);
    assert_eq!(found("id:0123ab").unwrap(), disk.join("a/lifeboat"));
    assert_eq!(found("id:9999").unwrap(), disk.join("b"));
    for absent in ["id:7777", "id:5555"] {
        assert_eq!(
            found(absent).unwrap_err().kind(),
            StoreErrorKind::MediumAbsent
        );
    }
    // A copy of the medium is in as well.
    put("copy", "0123abcd");
    assert_eq!(
        found("id:0123").unwrap_err().kind(),
        StoreErrorKind::Unsupported
    );
}

#[test]
fn the_search_of_a_large_medium_ends() {
    let folder = tempfile::tempdir().unwrap();
    for outer in 0..40 {
        for inner in 0..40 {
            fs::create_dir_all(folder.path().join(format!("{outer}/{inner}"))).unwrap();
        }
    }
    let asked = std::cell::Cell::new(0);
    let mounts = Mounted(vec![mount(folder.path(), "x")]);
    let count = |_: &Path| {
        asked.set(asked.get() + 1);
        None
    };
    path("id:0123").find(&mounts, &count).unwrap_err();
    assert!(
        (500..=MOST_FOLDERS).contains(&asked.get()),
        "{}",
        asked.get()
    );
}

#[test]
fn what_leaves_the_medium_is_refused() {
    for text in [
        "label:",
        "label:/x",
        "id:",
        "id:12",
        "id:xyzw",
        "/media/x",
        "label:A/../b",
        "label:A/c:",
    ] {
        assert!(text.parse::<MediumPath>().is_err(), "{text}");
    }
    assert_eq!(path("label:A B//c/").to_string(), "label:A B/c");
    assert!(MediumPath::is_meant("id:x") && !MediumPath::is_meant("/a"));
}
