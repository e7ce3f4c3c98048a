//! Files that Windows compressed by itself, made of what wimlib compressed: the pieces are the same.

use std::collections::BTreeMap;
use std::fs;

use disk_model::{VolumeImage, noise};
use guest_files::FileErrorKind;
use volume_map::Content;

use crate::images::{ImageFiles as _, MIB, text};
use crate::mounted::Mounted;
use crate::ntfs::{WRITABLE, set};
use crate::walk::find;

/// Where a WIM has each file's pieces, by the file's length.
fn resources(image: &VolumeImage) -> BTreeMap<u64, (u64, u64)> {
    let told = image
        .run("wiminfo", &["DIR/wim", "--lookup-table"])
        .unwrap();
    let mut found = BTreeMap::new();
    let mut numbers = Vec::new();
    for line in told.lines() {
        let number = |name: &str| {
            let rest = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        };
        let names = ["Uncompressed size", "Compressed size", "Offset in WIM"];
        numbers.extend(names.iter().find_map(|name| number(name)));
        if let [size, stored, offset] = numbers[..] {
            found.insert(size, (offset, stored));
            numbers.clear();
        }
    }
    found
}

#[test]
fn files_that_windows_compressed_are_read() {
    for (number, method, chunk) in [
        (0_u8, "XPRESS", "4096"),
        (1, "LZX", "32768"),
        (2, "XPRESS", "8192"),
        (3, "XPRESS", "16384"),
    ] {
        let image = VolumeImage::new(64 * MIB);
        let from = image.folder().join("from");
        fs::create_dir(&from).unwrap();
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut put = |name: &str, bytes: Vec<u8>| {
            fs::write(from.join(name), &bytes).unwrap();
            files.insert(name.to_owned(), bytes);
        };
        put("short text", text(20));
        put("long text", text(30_000));
        put(
            "program",
            fs::read(std::env::current_exe().unwrap())
                .unwrap()
                .split_off(4097)[..3_000_001]
                .to_vec(),
        );
        let mut mixed = text(1500);
        mixed.extend(noise(3, 100_000));
        mixed.extend(vec![0; 200_000]);
        mixed.extend(text(700));
        put("mixed", mixed);
        let method = format!("--compress={method}");
        let chunk = format!("--chunk-size={chunk}");
        let made = image.run("wimcapture", &["DIR/from", "DIR/wim", &method, &chunk]);
        let made = made.and_then(|_| image.run("mkntfs", &["-F", "-Q", "-q", "IMAGE"]));
        let Some(mounted) = made.and_then(|_| Mounted::new(&image, "ntfs-3g", WRITABLE)) else {
            return;
        };
        let wim = fs::read(image.folder().join("wim")).unwrap();
        let resources = resources(&image);
        for (name, bytes) in &files {
            let (offset, stored) = resources[&(bytes.len() as u64)];
            assert!(stored < bytes.len() as u64);
            let pieces =
                &wim[usize::try_from(offset).unwrap()..][..usize::try_from(stored).unwrap()];
            let path = mounted.path.join(name);
            fs::File::create(&path)
                .unwrap()
                .set_len(bytes.len() as u64)
                .unwrap();
            fs::write(
                mounted.path.join(format!("{name}:WofCompressedData")),
                pieces,
            )
            .unwrap();
            fs::write(mounted.path.join(format!("{name}:note")), "kept").unwrap();
            let mut point = vec![0x17, 0, 0, 0x80, 16, 0, 0, 0];
            point.extend([1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, number, 0, 0, 0]);
            set(&mounted, name, "system.ntfs_reparse_data", &point);
        }
        // In an image file, which is not here.
        fs::write(mounted.path.join("in an image"), "").unwrap();
        let mut point = vec![0x17, 0, 0, 0x80, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        point.resize(48, 0);
        set(&mounted, "in an image", "system.ntfs_reparse_data", &point);
        drop(mounted);
        let opened = image.open(Content::Ntfs);
        let id = find(&*opened, "in an image").unwrap();
        assert_eq!(
            opened.open(id, None).err().unwrap().kind(),
            FileErrorKind::Unreadable
        );
        for (name, bytes) in &files {
            let id = find(&*opened, name).unwrap();
            let file = opened.open(id, None).unwrap();
            assert_eq!(file.size_bytes(), bytes.len() as u64);
            assert!(
                crate::walk::all(&*file).unwrap() == *bytes,
                "{method} {chunk} {name}"
            );
            assert_eq!(
                opened.streams(id).unwrap().len(),
                1,
                "the pieces are no stream of the guest's"
            );
            let has_places = !file.extents(10).unwrap().is_empty();
            assert!(has_places || name == "short text");
            // From the end to the begin, and across pieces.
            let mut part = vec![0; 50_000];
            for at in (0..bytes.len()).step_by(33_333).rev() {
                let read = file.read_at(at as u64, &mut part).unwrap();
                assert!(part[..read] == bytes[at..at + read]);
            }
        }
    }
}
