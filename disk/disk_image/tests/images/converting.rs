//! Any image into any other, compared with qemu-img.

use std::fs;
use std::path::Path;

use block_io::{BlockDevice as _, DiskErrorKind, NewImage as _};
use disk_image::{
    CopyObserver, ImageFormat, NewImageOptions, OpenOptions, Severity, check, convert, create,
};

use crate::folder::{Folder, SIZE, read_all};
use disk_model::independent_tools::run;

fn to(source: &Path, target: &Path, format: ImageFormat) -> Result<(), block_io::DiskError> {
    convert(source, &OpenOptions::default(), target, format, &(), 2).map(|_| ())
}

/// Makes a chain of two whose disk has data in its first two 4 KiB pieces and at its end.
fn chain(folder: &Folder) -> (std::path::PathBuf, Vec<u8>) {
    let base = folder.base("base.vhdx", ImageFormat::Vhdx, 1);
    let middle = folder.child("middle.avhdx", &base, 4096, 2);
    let leaf = folder.child("leaf.avhdx", &middle, SIZE - 4096, 3);
    let model = read_all(&folder.open(&leaf).unwrap());
    (leaf, model)
}

/// The formats that are opened as well as made.
fn opened() -> impl Iterator<Item = ImageFormat> {
    ImageFormat::ALL.into_iter().filter(|format| format.opens())
}

#[test]
fn every_format_converts_into_every_other() {
    let folder = Folder::new();
    let (leaf, model) = chain(&folder);
    for first in opened() {
        let middle = folder.at(&format!("from-{first}.disk"));
        to(&leaf, &middle, first).unwrap();
        let report = check(&middle, &OpenOptions::default()).unwrap();
        assert!(report.worst() < Some(Severity::Warning), "{report:?}");
        for second in opened() {
            let last = folder.at(&format!("{first}-{second}.disk"));
            to(&middle, &last, second).unwrap();
            let image = folder.open(&last).unwrap();
            assert_eq!(image.format(), second);
            assert!(read_all(&image) == model, "{first} to {second}");
        }
    }
    let vhdx = folder.open(&folder.at("from-vhdx.disk")).unwrap();
    let leaf = folder.open(&leaf).unwrap();
    assert_eq!(vhdx.disk_id(), leaf.disk_id());
    assert_ne!(vhdx.content_id(), leaf.content_id());
}

#[test]
fn qemu_img_agrees() {
    let folder = Folder::new();
    let (leaf, model) = chain(&folder);
    for (format, name) in [
        (ImageFormat::Vhdx, "vhdx"),
        (ImageFormat::VhdxFixed, "vhdx"),
        (ImageFormat::Vhd, "vpc"),
        (ImageFormat::VhdFixed, "vpc"),
        (ImageFormat::Raw, "raw"),
        (ImageFormat::Qcow2, "qcow2"),
        (ImageFormat::Vmdk, "vmdk"),
    ] {
        let ours = folder.at(&format!("{format}.disk"));
        to(&leaf, &ours, format).unwrap();
        let raw = folder.at(&format!("{format}.raw"));
        let arguments = ["convert", "-f", name, "-O", "raw"].map(AsRef::as_ref);
        let arguments = [&arguments[..], &[ours.as_ref(), raw.as_ref()]].concat();
        if run("qemu-img", &arguments).is_none() {
            return;
        }
        assert!(fs::read(&raw).unwrap() == model, "{format}");
    }
}

#[test]
fn what_can_only_be_made_is_refused_as_a_source_with_the_way_round_it() {
    let folder = Folder::new();
    let (leaf, _) = chain(&folder);
    for format in [ImageFormat::Qcow2, ImageFormat::Vmdk] {
        let made = folder.at(&format!("made.{format}"));
        to(&leaf, &made, format).unwrap();
        let error = to(&made, &folder.at("back.raw"), ImageFormat::Raw).unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::Unsupported);
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("can be made, not read"), "{hint}");
    }
}

#[test]
fn a_raw_file_that_ends_inside_a_sector_is_padded() {
    let folder = Folder::new();
    let raw = folder.at("odd.img");
    fs::write(&raw, vec![7; 100_001]).unwrap();
    to(&raw, &folder.at("odd.vhdx"), ImageFormat::Vhdx).unwrap();
    let bytes = read_all(&folder.open(&folder.at("odd.vhdx")).unwrap());
    assert_eq!(bytes.len(), 100_352);
    assert!(bytes[..100_001].iter().all(|byte| *byte == 7));
    assert!(bytes[100_001..].iter().all(|byte| *byte == 0));
}

#[test]
fn sectors_of_4096_bytes_stay_and_do_not_fit_a_vhd() {
    let folder = Folder::new();
    let path = folder.at("4k.vhdx");
    let options = NewImageOptions {
        sector_bytes: 4096,
        ..NewImageOptions::new(ImageFormat::Vhdx, SIZE)
    };
    Box::new(create(&path, &options).unwrap()).finish().unwrap();
    to(&path, &folder.at("copy.vhdx"), ImageFormat::VhdxFixed).unwrap();
    let copy = folder.open(&folder.at("copy.vhdx")).unwrap();
    assert_eq!(copy.sector_bytes(), 4096);
    for format in [ImageFormat::Vhd, ImageFormat::Vmdk] {
        let error = to(&path, &folder.at("copy"), format).unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::Unsupported);
    }
}

/// Changes the source while it is copied.
struct Meddler<F: Fn() + Sync>(F);

impl<F: Fn() + Sync> CopyObserver for Meddler<F> {
    fn advanced(&self, _: u64) {
        (self.0)();
    }
}

#[test]
fn a_source_that_changes_gives_no_output() {
    use std::io::Write as _;
    let folder = Folder::new();
    let (leaf, _) = chain(&folder);
    let base = folder.at("base.vhdx");
    let grow = || {
        let mut file = fs::OpenOptions::new().append(true).open(&base).unwrap();
        file.write_all(&[0; 512]).unwrap();
    };
    let replace = || {
        fs::copy(&base, folder.at("copy")).unwrap();
        fs::rename(folder.at("copy"), &base).unwrap();
    };
    // Only the time of the last write tells, as after a write within the file.
    let touch = || {
        let file = fs::OpenOptions::new().write(true).open(&base).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    let meddlers: [&(dyn Fn() + Sync); 3] = [&grow, &replace, &touch];
    for meddler in meddlers {
        let target = folder.at("out.raw");
        let error = convert(
            &leaf,
            &OpenOptions::default(),
            &target,
            ImageFormat::Raw,
            &Meddler(meddler),
            1,
        )
        .unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::Changed);
        assert_eq!(error.file(), base.to_str());
        assert!(!target.exists() && !folder.at("out.raw.lifeboat-partial").exists());
    }
}

#[test]
fn a_cancelled_conversion_leaves_nothing() {
    struct Stop;
    impl CopyObserver for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let folder = Folder::new();
    let (leaf, _) = chain(&folder);
    let target = folder.at("out.vhdx");
    let options = OpenOptions::default();
    let error = convert(&leaf, &options, &target, ImageFormat::Vhdx, &Stop, 2).unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::Cancelled);
    assert!(!target.exists() && !folder.at("out.vhdx.lifeboat-partial").exists());
}

#[test]
fn sources_are_not_changed() {
    let folder = Folder::new();
    let (leaf, _) = chain(&folder);
    let names = ["base.vhdx", "middle.avhdx", "leaf.avhdx"];
    let before = names.map(|name| fs::read(folder.at(name)).unwrap());
    to(&leaf, &folder.at("out.raw"), ImageFormat::Raw).unwrap();
    check(&leaf, &OpenOptions::default()).unwrap();
    assert!(names.map(|name| fs::read(folder.at(name)).unwrap()) == before);
}
