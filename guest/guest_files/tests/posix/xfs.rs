//! XFS.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use disk_model::{CountedDisk, noise};
use guest_files::{OpenOptions, State, open_file_system};
use volume_map::Content;

use crate::compare::{Compared, Judge, check, compare, entries, judged_by_the_kernel};
use crate::image::Image;
use crate::tree::{Can, fill};

fn filled_by_the_kernel(command: &[&str], can: Can) -> Option<Compared> {
    let image = Image::make(320, command)?;
    {
        let mounted = image.mount("noatime")?;
        fill(mounted.path(), can);
    }
    judged_by_the_kernel(&image, Content::Xfs, &State::Clean, Judge::KERNEL)
}

#[test]
fn volumes_with_and_without_each_feature_are_shown_as_the_kernel_shows_them() {
    let all = Can {
        value_bytes: 65_000,
        ..Can::ALL
    };
    let old_times = Can {
        late_times: false,
        ..all
    };
    let cases: &[(&[&str], Can)] = &[
        (&["mkfs.xfs", "-q", "-L", "xfs"], all),
        (&["mkfs.xfs", "-q", "-b", "size=1024"], all),
        (
            &["mkfs.xfs", "-q", "-n", "size=16384", "-i", "size=2048"],
            all,
        ),
        (
            &[
                "mkfs.xfs",
                "-q",
                "-m",
                "bigtime=0,reflink=0,finobt=0,inobtcount=0",
            ],
            old_times,
        ),
        (
            &["mkfs.xfs", "-q", "-m", "rmapbt=1", "-i", "nrext64=1"],
            all,
        ),
        (
            &["mkfs.xfs", "-q", "-s", "size=4096", "-d", "agcount=2"],
            all,
        ),
    ];
    for (command, can) in cases {
        check(&command.join(" "), filled_by_the_kernel(command, *can));
    }
}

/// Version 4 is made, not mounted, by today's tools and kernels.
#[test]
fn volumes_that_mkfs_filled_hold_what_they_were_filled_from() {
    let source = tempfile::tempdir().unwrap();
    let mut list = "dummy\n0 0\nd--755 0 0\n".to_owned();
    fs::create_dir(source.path().join("folder")).unwrap();
    list.push_str("folder d--755 0 0\n");
    for (seed, size) in (0..).zip([0_usize, 1, 100, 4096, 70_000, 3_000_017]) {
        let path = source.path().join(format!("folder/{size}"));
        fs::write(&path, noise(seed, size)).unwrap();
        list.push_str(&format!("{size} ---644 0 0 {}\n", path.display()));
    }
    for number in 0..2000 {
        let path = source.path().join(format!("folder/number{number}"));
        fs::write(&path, number.to_string()).unwrap();
        list.push_str(&format!("number{number} ---644 0 0 {}\n", path.display()));
    }
    list.push_str("$\nlink l--777 0 0 folder/100\n$\n");
    std::os::unix::fs::symlink("folder/100", source.path().join("link")).unwrap();
    let prototype = tempfile::NamedTempFile::new().unwrap();
    fs::write(prototype.path(), list).unwrap();
    let prototype = prototype.path().to_str().unwrap();
    for version in [
        &["crc=1"][..],
        &["crc=0"],
        &["crc=0", "-i", "attr=1"],
        &["crc=0", "-n", "ftype=1"],
    ] {
        let command = [&["mkfs.xfs", "-q", "-p", prototype, "-m"], version].concat();
        let Some(image) = Image::make(320, &command) else {
            return;
        };
        let ours = image.open(Content::Xfs);
        let compared = compare(
            ours.as_ref(),
            image.disk().as_ref(),
            source.path(),
            Judge::SOURCE,
        );
        eprintln!("{version:?}: {compared:?}");
        assert_eq!(compared.nodes, 2008);
    }
}

#[test]
fn a_volume_in_use_is_shown_as_after_its_log_was_replayed() {
    let cases: &[&[&str]] = &[
        &["mkfs.xfs", "-q"],
        &["mkfs.xfs", "-q", "-m", "rmapbt=1", "-n", "size=8192"],
        &[
            "mkfs.xfs",
            "-q",
            "-b",
            "size=1024",
            "-l",
            "version=2,su=32k",
        ],
    ];
    for command in cases {
        dirty(command);
    }
}

fn dirty(command: &[&str]) -> Option<()> {
    let image = Image::make(320, command)?;
    let mounted = image.mount("noatime")?;
    let root = mounted.path();
    fill(root, Can::ALL);
    fs::File::open(root.join("sizes/1"))
        .unwrap()
        .sync_all()
        .unwrap();
    fs::remove_dir_all(root.join("many")).unwrap();
    fs::rename(root.join("links"), root.join("renamed")).unwrap();
    for number in 0..500 {
        fs::write(root.join(format!("new {number}")), noise(number, 5000)).unwrap();
    }
    let file = fs::File::create(root.join("synced")).unwrap();
    file.write_all_at(&noise(1, 300_000), 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::write(root.join("not synced"), noise(2, 300_000)).unwrap();
    let copy = image.copy();
    drop(mounted);
    let compared = judged_by_the_kernel(&copy, Content::Xfs, &State::Replayed, Judge::KERNEL)?;
    eprintln!("{} in use: {compared:?}", command.join(" "));
    assert!(compared.nodes > 500, "{compared:?}");
    let ours = copy.open(Content::Xfs);
    assert!(entries(ours.as_ref(), ours.root()).contains_key(b"synced".as_slice()));
    with_a_damaged_log(&copy);
    Some(())
}

/// What cannot be replayed is said not to be.
fn with_a_damaged_log(image: &Image) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(image.path())
        .unwrap();
    let mut sector = vec![0; 512];
    let mut damaged = 0;
    for offset in (0..file.metadata().unwrap().len()).step_by(512) {
        file.read_exact_at(&mut sector, offset).unwrap();
        if sector.starts_with(&[0xFE, 0xED, 0xBA, 0xBE]) {
            sector[32..36].fill(0x5A);
            file.write_all_at(&sector, offset).unwrap();
            damaged += 1;
        }
    }
    match image.try_open(Content::Xfs) {
        Ok(ours) => {
            let state = format!("{:?}", ours.about().state);
            eprintln!("{damaged} records damaged: {state}");
            assert!(state.contains("its log is damaged"), "{state}");
            // All of it may be in the log still; what is there is listed.
            let _ = entries(ours.as_ref(), ours.root());
        }
        Err(error) => eprintln!("{damaged} records damaged: {error}"),
    }
}

#[test]
fn listing_the_top_of_a_large_volume_reads_little() {
    for arguments in [vec![], vec!["-d", "agcount=100"]] {
        let image = Image::new(256 << 10);
        let command = [vec!["mkfs.xfs", "-q"], arguments].concat();
        if !image.run(&command) {
            return;
        }
        let counted = Arc::new(CountedDisk::at_most(image.disk(), 1 << 20));
        let disk = Arc::clone(&counted) as Arc<dyn block_io::BlockDevice>;
        let ours = open_file_system(disk, Content::Xfs, OpenOptions::default()).unwrap();
        assert_eq!(entries(ours.as_ref(), ours.root()).len(), 0);
        eprintln!("{} bytes were read", counted.bytes_read());
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let Some(image) = Image::make(320, &["mkfs.xfs", "-q"]) else {
        return;
    };
    // A feature that nobody has thought of yet.
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(image.path())
        .unwrap();
    let mut sector = vec![0; 512];
    file.read_exact_at(&mut sector, 0).unwrap();
    sector[216] = 0x80;
    sector[224..228].fill(0);
    let checksum = crc32c::crc32c(&sector).to_le_bytes();
    sector[224..228].copy_from_slice(&checksum);
    file.write_all_at(&sector, 0).unwrap();
    let error = image.try_open(Content::Xfs).err().unwrap();
    eprintln!("{error}");
    assert_eq!(error.kind(), guest_files::FileErrorKind::Unreadable);
    assert!(error.to_string().contains("80000000"), "{error}");
}
