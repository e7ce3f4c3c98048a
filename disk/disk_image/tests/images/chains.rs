//! Which parents are found, and which are refused.

use std::fs;
use std::sync::Arc;

use block_io::{BlockDevice as _, DiskErrorKind, ImageFile, MemoryFile, NewImage as _, OsFile};
use disk_image::{
    DifferencingOptions, ImageFormat, OpenOptions, Severity, check, open, open_files,
};
use uuid::Uuid;

use crate::folder::{Folder, SIZE, read_all};

const BOTH: [(ImageFormat, &str); 2] = [(ImageFormat::Vhdx, "vhdx"), (ImageFormat::Vhd, "vhd")];

/// A path that a host's locator may hold, so that the absolute path is of no help.
fn elsewhere(path: &str) -> DifferencingOptions {
    DifferencingOptions {
        absolute_path: Some(path.to_owned()),
        ..DifferencingOptions::default()
    }
}

#[test]
fn a_chain_of_three_is_one_disk() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("base.{ext}"), format, 1);
        let middle = folder.child(&format!("middle.a{ext}"), &base, 4096, 2);
        let leaf = folder.child(&format!("leaf.a{ext}"), &middle, 0, 3);
        let image = folder.open(&leaf).unwrap();
        let paths: Vec<_> = image.chain().iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths, [leaf, middle, base.clone()]);
        let bytes = read_all(&image);
        assert_eq!(bytes.len() as u64, SIZE);
        assert!(bytes[..4096].iter().all(|byte| *byte == 3));
        assert!(bytes[4096..8192].iter().all(|byte| *byte == 2));
        assert!(bytes[8192..].iter().all(|byte| *byte == 0));
        // The disk keeps its identity over checkpoints, its content does not.
        let base = folder.open(&base).unwrap();
        assert_eq!(image.disk_id(), base.disk_id());
        assert_ne!(image.content_id(), base.content_id());
        image.check_unchanged().unwrap();
        let json = serde_json::to_value(image.describe()).unwrap();
        assert_eq!(json["chain"].as_array().unwrap().len(), 3);
        assert_eq!(json["format"], ext);
    }
}

#[test]
fn a_missing_parent_is_named() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("base.{ext}"), format, 1);
        let leaf = folder.child(&format!("leaf.a{ext}"), &base, 0, 3);
        fs::remove_file(&base).unwrap();
        let error = folder.open(&leaf).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::ParentMissing);
        assert_eq!(error.file(), leaf.to_str());
        assert!(
            error.to_string().contains(&format!(".\\base.{ext}")),
            "{error}"
        );
        let report = check(&leaf, &OpenOptions::default()).unwrap();
        assert_eq!(report.worst(), Some(Severity::Error));
    }
}

#[test]
fn a_wrong_parent_is_refused_with_what_was_expected_and_found() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("base.{ext}"), format, 1);
        let expected = folder.open(&base).unwrap().content_id().unwrap();
        let leaf = folder.child(&format!("leaf.a{ext}"), &base, 0, 3);
        fs::remove_file(&base).unwrap();
        folder.base(&format!("base.{ext}"), format, 1);
        let found = folder.open(&base).unwrap().content_id().unwrap();
        let error = folder.open(&leaf).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::ParentMismatch);
        let text = error.to_string();
        assert!(text.contains(&expected.to_string()), "{text}");
        assert!(text.contains(&found.to_string()), "{text}");
        assert!(text.contains(&format!("base.{ext}")), "{text}");
    }
}

#[test]
fn a_damaged_parent_is_an_error_of_its_own() {
    let folder = Folder::new();
    let base = folder.base("base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("leaf.avhdx", &base, 0, 3);
    fs::write(&base, b"nothing").unwrap();
    let error = folder.open(&leaf).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    assert_eq!(error.file(), base.to_str());
}

#[test]
fn vhd_and_vhdx_are_never_mixed() {
    let folder = Folder::new();
    let base = folder.base("base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("leaf.avhdx", &base, 0, 3);
    fs::remove_file(&base).unwrap();
    let other = folder.base("other.vhd", ImageFormat::Vhd, 1);
    fs::rename(other, &base).unwrap();
    assert_eq!(folder.open_kind(&leaf), Some(DiskErrorKind::ParentMismatch));
}

#[test]
fn a_moved_folder_still_opens() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("host/base/base.{ext}"), format, 1);
        let options = elsewhere(&format!("D:\\VMs\\base\\base.{ext}"));
        let leaf = folder.child_with(&format!("host/vm/leaf.a{ext}"), &base, 0, 3, &options);
        // Moved together: the relative path holds.
        fs::rename(folder.at("host"), folder.path().join("backup")).unwrap();
        let leaf = folder
            .path()
            .join("backup/vm")
            .join(leaf.file_name().unwrap());
        assert!(folder.open(&leaf).is_ok());
        // Moved apart: the absolute path's tail holds.
        fs::rename(folder.path().join("backup/base"), folder.at("x/y/base")).unwrap();
        assert!(folder.open(&leaf).is_ok());
        // Laid side by side: the name alone holds, also without a root.
        let beside = leaf.with_file_name(format!("base.{ext}"));
        fs::rename(folder.at(&format!("x/y/base/base.{ext}")), beside).unwrap();
        let image = open(&leaf, &OpenOptions::default()).unwrap();
        assert_eq!(read_all(&image)[0], 3);
    }
}

#[test]
fn case_does_not_matter() {
    let folder = Folder::new();
    let base = folder.base("Disks/Base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("vm/leaf.avhdx", &base, 0, 3);
    fs::rename(folder.at("Disks"), folder.path().join("DISKS")).unwrap();
    fs::rename(folder.at("DISKS/Base.vhdx"), folder.at("DISKS/bASE.VHDX")).unwrap();
    let image = folder.open(&leaf).unwrap();
    assert!(image.chain()[1].path.ends_with("DISKS/bASE.VHDX"));
}

#[test]
fn of_files_of_one_name_the_right_one_is_taken() {
    let folder = Folder::new();
    let base = folder.base("old/base.vhdx", ImageFormat::Vhdx, 1);
    let options = elsewhere("E:\\else\\base.vhdx");
    let leaf = folder.child_with("vm/leaf.avhdx", &base, 0, 3, &options);
    fs::create_dir_all(folder.path().join("a")).unwrap();
    fs::rename(&base, folder.at("a/base.vhdx")).unwrap();
    folder.base("b/base.vhdx", ImageFormat::Vhdx, 9);
    let image = folder.open(&leaf).unwrap();
    assert!(image.chain()[1].path.ends_with("a/base.vhdx"));
    // Two that are both right: choosing would be a guess.
    fs::copy(folder.at("a/base.vhdx"), folder.at("c/base.vhdx")).unwrap();
    let error = folder.open(&leaf).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Ambiguous);
    assert!(error.to_string().contains("c/base.vhdx"), "{error}");
}

#[test]
fn shares_and_devices_are_matched_below_the_root_and_never_opened() {
    for path in [
        "\\\\evil\\share\\base.vhdx",
        "\\\\?\\UNC\\evil\\share\\base.vhdx",
        "\\\\.\\PhysicalDrive0",
        "\\\\?\\Volume{0eba351e-0000-0000-0000-100000000000}\\base.vhdx",
        "C:\\base.vhdx:stream",
        "/etc/passwd",
        "",
    ] {
        let folder = Folder::new();
        let base = folder.base("base/base.vhdx", ImageFormat::Vhdx, 1);
        let leaf = folder.child_with("vm/leaf.avhdx", &base, 0, 3, &elsewhere(path));
        fs::remove_file(&base).unwrap();
        assert_eq!(
            folder.open_kind(&leaf),
            Some(DiskErrorKind::ParentMissing),
            "{path}"
        );
    }
}

#[test]
fn a_relative_path_that_leaves_the_root_is_refused() {
    let folder = Folder::new();
    let base = folder.base("outside/base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("vm/leaf.avhdx", &base, 0, 3);
    // The root of a single file is its folder, and the parent lies beside that folder.
    let error = open(&leaf, &OpenOptions::default()).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::OutsideRoot);
    assert_eq!(folder.open_kind(&leaf), None);
}

#[cfg(unix)]
#[test]
fn a_link_that_leaves_the_root_is_refused() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let outside = Folder::new();
    let base = outside.base("base.vhdx", ImageFormat::Vhdx, 1);
    let inside = folder.base("base.vhdx", ImageFormat::Vhdx, 1);
    let leaf = folder.child("leaf.avhdx", &inside, 0, 3);
    fs::remove_file(&inside).unwrap();
    symlink(&base, &inside).unwrap();
    let error = folder.open(&leaf).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::OutsideRoot);
    // The image itself, and a folder on the way.
    assert_eq!(folder.open_kind(&inside), Some(DiskErrorKind::OutsideRoot));
    symlink(outside.path(), folder.path().join("linked")).unwrap();
    let linked = folder.path().join("linked/base.vhdx");
    assert_eq!(folder.open_kind(&linked), Some(DiskErrorKind::OutsideRoot));
    // A link that stays inside is fine.
    let real = folder.base("real/disk.vhdx", ImageFormat::Vhdx, 1);
    symlink(&real, folder.path().join("link.vhdx")).unwrap();
    let image = folder.open(&folder.path().join("link.vhdx")).unwrap();
    assert_eq!(image.chain()[0].path, real);
}

/// Makes a VHD with this unique id, and a parent with that one.
fn linked_vhd(folder: &Folder, name: &str, id: u128, parent: u128, parent_name: &str) {
    // In memory first: hundreds of these would wait for the disk at each flush.
    let file = Arc::new(MemoryFile::new(name, Vec::new()));
    let link = vhd_format::ParentLink {
        unique_id: Uuid::from_u128(parent),
        relative_path: Some(format!(".\\{parent_name}")),
        absolute_path: None,
    };
    let kind = vhd_format::CreateKind::Differencing(link);
    let mut options = vhd_format::CreateOptions::new(SIZE, kind);
    options.unique_id = Some(Uuid::from_u128(id));
    let image = vhd_format::create(file.clone(), options).unwrap();
    image.finish().unwrap();
    fs::write(folder.at(name), file.to_vec()).unwrap();
}

#[test]
fn loops_end() {
    let folder = Folder::new();
    // Itself; two each other's parent; a copy under another name.
    linked_vhd(&folder, "self.vhd", 1, 1, "self.vhd");
    linked_vhd(&folder, "a.vhd", 2, 3, "b.vhd");
    linked_vhd(&folder, "b.vhd", 3, 2, "a.vhd");
    linked_vhd(&folder, "c.vhd", 4, 5, "d.vhd");
    linked_vhd(&folder, "d.vhd", 5, 4, "e.vhd");
    linked_vhd(&folder, "e.vhd", 4, 5, "d.vhd");
    for name in ["self.vhd", "a.vhd", "b.vhd", "c.vhd"] {
        let kind = folder.open_kind(&folder.at(name));
        assert_eq!(kind, Some(DiskErrorKind::ParentLoop), "{name}");
        let report = check(&folder.at(name), &OpenOptions::default()).unwrap();
        assert_eq!(report.worst(), Some(Severity::Error));
    }
}

#[test]
fn a_chain_that_is_too_deep_is_refused() {
    let folder = Folder::new();
    for id in 0..258 {
        let parent_name = format!("{}.vhd", id + 1);
        linked_vhd(&folder, &format!("{id}.vhd"), id, id + 1, &parent_name);
    }
    let kind = folder.open_kind(&folder.at("0.vhd"));
    assert_eq!(kind, Some(DiskErrorKind::ParentLoop));
}

#[test]
fn sector_sizes_must_be_equal() {
    let folder = Folder::new();
    let base = folder.base("base.vhdx", ImageFormat::Vhdx, 1);
    let id = folder.open(&base).unwrap().content_id().unwrap();
    let link = vhdx_format::ParentLink {
        data_write_guid: id,
        relative_path: Some(".\\base.vhdx".to_owned()),
        absolute_path: None,
        volume_path: None,
    };
    let options = vhdx_format::CreateOptions {
        sector_bytes: 4096,
        ..vhdx_format::CreateOptions::new(SIZE, vhdx_format::CreateKind::Differencing(link))
    };
    let leaf = folder.at("leaf.avhdx");
    let file = Arc::new(OsFile::create_new(&leaf).unwrap());
    Box::new(vhdx_format::create(file, &options).unwrap())
        .finish()
        .unwrap();
    let error = folder.open(&leaf).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::ParentMismatch);
    let report = check(&leaf, &OpenOptions::default()).unwrap();
    assert_eq!(report.worst(), Some(Severity::Error));
}

#[test]
fn a_child_may_be_larger_than_its_parent() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("base.{ext}"), format, 1);
        let options = DifferencingOptions {
            size_bytes: Some(SIZE + (4 << 20)),
            ..DifferencingOptions::default()
        };
        let leaf = folder.child_with(&format!("leaf.a{ext}"), &base, 4096, 3, &options);
        let image = folder.open(&leaf).unwrap();
        assert_eq!(image.size_bytes(), SIZE + (4 << 20));
        let bytes = read_all(&image);
        assert_eq!((bytes[0], bytes[4096]), (1, 3));
        assert!(bytes[8192..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn files_that_somebody_else_found_are_a_chain_by_their_linkage_alone() {
    for (format, ext) in BOTH {
        let folder = Folder::new();
        let base = folder.base(&format!("base.{ext}"), format, 1);
        let leaf = folder.child(&format!("leaf.a{ext}"), &base, 4096, 2);
        let other = folder.base(&format!("other.{ext}"), format, 9);
        let expected = read_all(&folder.open(&leaf).unwrap());
        let bytes = |path: &std::path::Path| -> Arc<dyn ImageFile> {
            // Nothing of the folder is in the name.
            let name = path.file_name().unwrap().to_str().unwrap();
            Arc::new(MemoryFile::new(name, fs::read(path).unwrap()))
        };
        let image = open_files(vec![bytes(&leaf), bytes(&base)]).unwrap();
        assert!(read_all(&image) == expected);
        assert_eq!(image.files().count(), 2);
        let kind = |files| open_files(files).err().unwrap().kind();
        let wrong = vec![bytes(&leaf), bytes(&other)];
        assert_eq!(kind(wrong), DiskErrorKind::ParentMismatch);
        assert_eq!(kind(vec![bytes(&leaf)]), DiskErrorKind::ParentMissing);
        assert!(open_files(Vec::new()).is_err());
    }
}
