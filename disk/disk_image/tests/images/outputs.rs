//! When a new file gets its name, and what is left where it does not.

use std::fs;
use std::sync::Arc;

use block_io::{DiskErrorKind, DiskLayer as _, NewImage as _, OsFile};
use disk_image::{ImageFormat, NewImageOptions, OpenOptions, RawLayer, convert, create};

use crate::folder::{Folder, SIZE};

fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_gets_its_name_when_it_is_whole() {
    for format in ImageFormat::ALL {
        let folder = Folder::new();
        let path = folder.at("new.disk");
        let image = create(&path, &NewImageOptions::new(format, SIZE)).unwrap();
        image.write_at(0, &[1; 4096]).unwrap();
        assert_eq!(names(&folder), ["new.disk.lifeboat-partial"]);
        Box::new(image).finish().unwrap();
        assert_eq!(names(&folder), ["new.disk"]);
        match folder.open(&path) {
            Ok(image) => assert_eq!(image.format(), format),
            Err(error) => {
                assert!(!format.opens(), "{error}");
                assert_eq!(error.kind(), DiskErrorKind::Unsupported);
            }
        }
    }
}

#[test]
fn an_image_that_is_dropped_leaves_nothing() {
    for format in ImageFormat::ALL {
        let folder = Folder::new();
        let image = create(&folder.at("new"), &NewImageOptions::new(format, SIZE)).unwrap();
        image.write_at(0, &[1; 4096]).unwrap();
        drop(image);
        assert_eq!(names(&folder), Vec::<String>::new());
    }
}

#[test]
fn what_exists_is_not_replaced() {
    let folder = Folder::new();
    let path = folder.at("new.vhdx");
    fs::write(&path, b"precious").unwrap();
    let options = NewImageOptions::new(ImageFormat::Vhdx, SIZE);
    let error = create(&path, &options).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Exists);
    assert_eq!(names(&folder), ["new.vhdx"]);
    // It may also appear while the image is written.
    fs::remove_file(&path).unwrap();
    let image = create(&path, &options).unwrap();
    fs::write(&path, b"precious").unwrap();
    let error = Box::new(image).finish().unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::Exists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(names(&folder), ["new.vhdx"]);
}

#[test]
fn two_runs_do_not_write_one_file() {
    let folder = Folder::new();
    let options = NewImageOptions::new(ImageFormat::Raw, SIZE);
    let first = create(&folder.at("new.raw"), &options).unwrap();
    let error = create(&folder.at("new.raw"), &options).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::InUse);
    Box::new(first).finish().unwrap();
    assert_eq!(names(&folder), ["new.raw"]);
}

#[cfg(unix)]
#[test]
fn a_finished_file_is_free_also_while_programs_are_started() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = Folder::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // A change of folder makes the library fork, which copies our open files.
                    let _ = std::process::Command::new("true").current_dir("/").output();
                }
            });
        }
        let busy = (0..150).filter(|number| {
            let path = folder.at(&number.to_string());
            let image = create(&path, &NewImageOptions::new(ImageFormat::Raw, 512)).unwrap();
            Box::new(image).finish().unwrap();
            folder.open(&path).is_err()
        });
        let busy = busy.count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(busy, 0);
    });
}

#[test]
fn what_a_dead_run_left_is_taken_over() {
    for format in ImageFormat::ALL {
        let folder = Folder::new();
        fs::write(folder.at("new.disk.lifeboat-partial"), [7; 100_000]).unwrap();
        let path = folder.at("new.disk");
        let image = create(&path, &NewImageOptions::new(format, SIZE)).unwrap();
        Box::new(image).finish().unwrap();
        assert_eq!(names(&folder), ["new.disk"]);
        if !format.opens() {
            // All that was there is gone: what is new is far smaller.
            assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
            continue;
        }
        let bytes = crate::folder::read_all(&folder.open(&path).unwrap());
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_partial_file_of_another_program_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.at("new.raw.partial"), b"a download").unwrap();
    let options = NewImageOptions::new(ImageFormat::Raw, SIZE);
    let image = create(&folder.at("new.raw"), &options).unwrap();
    Box::new(image).finish().unwrap();
    assert_eq!(names(&folder), ["new.raw", "new.raw.partial"]);
    let kept = fs::read(folder.at("new.raw.partial")).unwrap();
    assert_eq!(kept, b"a download");
}

#[test]
fn an_empty_file_is_made_and_read_and_is_no_disk() {
    let folder = Folder::new();
    let path = folder.at("empty.raw");
    let image = create(&path, &NewImageOptions::new(ImageFormat::Raw, 0)).unwrap();
    image.write_at(0, &[]).unwrap();
    assert!(image.write_at(0, &[1]).is_err());
    Box::new(image).finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    let layer = RawLayer::open(Arc::new(OsFile::open(&path).unwrap())).unwrap();
    assert_eq!(layer.size_bytes(), 0);
    assert_eq!(folder.open_kind(&path), Some(DiskErrorKind::Corrupt));
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_partial_file_is_not_followed() {
    let folder = Folder::new();
    fs::write(folder.at("precious"), b"precious").unwrap();
    std::os::unix::fs::symlink(folder.at("precious"), folder.at("new.raw.lifeboat-partial"))
        .unwrap();
    let options = NewImageOptions::new(ImageFormat::Raw, SIZE);
    let error = create(&folder.at("new.raw"), &options).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Exists);
    assert_eq!(fs::read(folder.at("precious")).unwrap(), b"precious");
}

#[test]
fn impossible_images_leave_nothing() {
    let folder = Folder::new();
    for format in [
        ImageFormat::Vhd,
        ImageFormat::VhdFixed,
        ImageFormat::Vhdx,
        ImageFormat::Qcow2,
        ImageFormat::Vmdk,
    ] {
        let error = create(&folder.at("a"), &NewImageOptions::new(format, 1000)).err();
        assert_eq!(error.unwrap().kind(), DiskErrorKind::OutOfRange);
    }
    let mut options = NewImageOptions::new(ImageFormat::Vhd, SIZE);
    options.sector_bytes = 4096;
    let error = create(&folder.at("a"), &options).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Unsupported);
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn a_source_in_use_is_not_read() {
    let folder = Folder::new();
    let path = folder.base("a.vhdx", ImageFormat::Vhdx, 1);
    let held = OsFile::open_writable(&path).unwrap();
    assert!(held.try_lock_exclusive());
    assert_eq!(folder.open_kind(&path), Some(DiskErrorKind::InUse));
    let error = convert(
        &path,
        &OpenOptions::default(),
        &folder.at("b.raw"),
        ImageFormat::Raw,
        &(),
        1,
    );
    assert_eq!(error.unwrap_err().kind(), DiskErrorKind::InUse);
    assert_eq!(names(&folder), ["a.vhdx"]);
}
