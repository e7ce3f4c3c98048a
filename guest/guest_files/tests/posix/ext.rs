//! ext2, ext3 and ext4.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use disk_model::{CountedDisk, noise};
use guest_files::{FileErrorKind, FileName, OpenOptions, State, open_file_system};
use volume_map::Content;

use crate::compare::{Compared, Judge, check, compare, entries, judged_by_the_kernel};
use crate::image::Image;
use crate::tree::{Can, fill};

/// Fills a volume through the kernel and compares with what it shows afterwards.
fn filled_by_the_kernel(command: &[&str], options: &str, can: Can) -> Option<Compared> {
    let image = Image::make(160, command)?;
    {
        let mounted = image.mount(options)?;
        fill(mounted.path(), can);
    }
    judged_by_the_kernel(&image, Content::Ext, &State::Clean, Judge::KERNEL)
}

#[test]
fn volumes_of_every_age_and_block_size_are_shown_as_the_kernel_shows_them() {
    let old = Can {
        value_bytes: 800,
        late_times: false,
        ..Can::ALL
    };
    let small = Can {
        value_bytes: 800,
        ..Can::ALL
    };
    let cases: &[(&[&str], Can)] = &[
        (
            &["mkfs.ext4", "-q", "-F", "-L", "four", "-b", "4096"],
            Can::ALL,
        ),
        (&["mkfs.ext4", "-q", "-F", "-b", "1024"], small),
        (&["mkfs.ext4", "-q", "-F", "-b", "2048"], small),
        (&["mkfs.ext3", "-q", "-F", "-I", "128", "-b", "1024"], old),
        (&["mkfs.ext3", "-q", "-F", "-b", "4096"], Can::ALL),
        (&["mkfs.ext2", "-q", "-F", "-b", "1024", "-I", "128"], old),
        (&["mkfs.ext2", "-q", "-F", "-b", "4096"], Can::ALL),
        (
            &["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal"],
            Can::ALL,
        ),
    ];
    for (command, can) in cases {
        check(
            &command.join(" "),
            filled_by_the_kernel(command, "noatime", *can),
        );
    }
}

#[test]
fn features_of_ext4_are_read() {
    let large = Can {
        value_bytes: 65_000,
        ..Can::ALL
    };
    let cases: &[(&[&str], Can)] = &[
        (
            &["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "inline_data"],
            Can::ALL,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "inline_data",
                "-I",
                "1024",
            ],
            Can::ALL,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "bigalloc",
                "-C",
                "65536",
                "-N",
                "8192",
            ],
            Can::ALL,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "meta_bg,^resize_inode",
                "-g",
                "1024",
            ],
            Can::ALL,
        ),
        (
            &["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "ea_inode"],
            large,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "^metadata_csum,^64bit,uninit_bg",
            ],
            Can::ALL,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "metadata_csum_seed,large_dir,mmp",
            ],
            Can::ALL,
        ),
        (
            &[
                "mkfs.ext4",
                "-q",
                "-F",
                "-b",
                "4096",
                "-O",
                "sparse_super2,^resize_inode",
            ],
            Can::ALL,
        ),
    ];
    for (command, can) in cases {
        check(
            &command.join(" "),
            filled_by_the_kernel(command, "noatime", *can),
        );
    }
}

#[test]
fn a_volume_that_mkfs_filled_holds_what_it_was_filled_from() {
    let source = tempfile::tempdir().unwrap();
    fill(
        source.path(),
        Can {
            attributes: false,
            ..Can::ALL
        },
    );
    let folder = source.path().to_str().unwrap();
    // Not with content in inodes: mkfs 1.47.0 cuts off what a sparse file ends with.
    for features in ["none", "bigalloc", "^has_journal"] {
        let mut command = vec!["mkfs.ext4", "-q", "-F", "-d", folder];
        if features != "none" {
            command.extend(["-O", features]);
        }
        let Some(image) = Image::make(200, &command) else {
            return;
        };
        let ours = image.open(Content::Ext);
        let compared = compare(
            ours.as_ref(),
            image.disk().as_ref(),
            source.path(),
            Judge::SOURCE,
        );
        assert!(compared.nodes > 1500, "{compared:?}");
    }
}

#[test]
fn a_volume_in_use_is_shown_as_after_its_journal_was_replayed() {
    let cases: &[&[&str]] = &[
        &["mkfs.ext4", "-q", "-F"],
        &[
            "mkfs.ext4",
            "-q",
            "-F",
            "-b",
            "1024",
            "-O",
            "^metadata_csum",
        ],
        &["mkfs.ext4", "-q", "-F", "-O", "^64bit"],
        &["mkfs.ext3", "-q", "-F"],
    ];
    for command in cases {
        for options in ["noatime", "noatime,data=journal"] {
            dirty(command, options);
        }
    }
}

fn dirty(command: &[&str], options: &str) -> Option<()> {
    let image = Image::make(160, command)?;
    let mounted = image.mount(&format!("{options},commit=600"))?;
    let root = mounted.path();
    fill(
        root,
        Can {
            value_bytes: 800,
            late_times: false,
            ..Can::ALL
        },
    );
    fs::File::open(root.join("sizes/1"))
        .unwrap()
        .sync_all()
        .unwrap();
    // More than the log: revokes, removed folders, blocks that were metadata and are data.
    fs::remove_dir_all(root.join("many")).unwrap();
    fs::rename(root.join("links"), root.join("renamed")).unwrap();
    for number in 0..200 {
        fs::write(root.join(format!("new {number}")), noise(number, 5000)).unwrap();
    }
    let file = fs::File::create(root.join("synced")).unwrap();
    file.write_all_at(&noise(1, 300_000), 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::write(root.join("not synced"), noise(2, 300_000)).unwrap();
    let copy = image.copy();
    drop(mounted);
    // With data in the journal a file's bytes are not yet where its extents say.
    let judge = Judge {
        has_plain_extents: !options.contains("data=journal"),
        ..Judge::KERNEL
    };
    let compared = judged_by_the_kernel(&copy, Content::Ext, &State::Replayed, judge)?;
    eprintln!("{} in use ({options}): {compared:?}", command.join(" "));
    assert!(compared.nodes > 250, "{compared:?}");
    let names = entries(
        copy.open(Content::Ext).as_ref(),
        guest_files::NodeId { tree: 0, number: 2 },
    );
    assert!(names.contains_key(b"synced".as_slice()));
    Some(())
}

#[test]
fn listing_the_top_of_a_large_volume_reads_little() {
    let image = Image::new(256 << 10);
    if !image.run(&[
        "mkfs.ext4",
        "-q",
        "-F",
        "-E",
        "lazy_itable_init=1",
        "-O",
        "^resize_inode",
    ]) {
        return;
    }
    let counted = Arc::new(CountedDisk::at_most(image.disk(), 1 << 20));
    let ours = open_file_system(
        Arc::clone(&counted) as Arc<dyn block_io::BlockDevice>,
        Content::Ext,
        OpenOptions::default(),
    )
    .unwrap();
    assert_eq!(entries(ours.as_ref(), ours.root()).len(), 1);
    eprintln!("{} bytes were read", counted.bytes_read());
    assert!(counted.bytes_read() < 256 << 10);
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let Some(image) = Image::make(64, &["mkfs.ext4", "-q", "-F", "-O", "journal_dev"]) else {
        return;
    };
    let error = image.try_open(Content::Ext).err().unwrap();
    assert!(error.to_string().contains("journal of another"), "{error}");
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("secret"), "secret").unwrap();
    fs::create_dir(source.path().join("folder")).unwrap();
    let folder = source.path().to_str().unwrap();
    let command = ["mkfs.ext4", "-q", "-F", "-O", "encrypt", "-d", folder];
    let Some(image) = Image::make(64, &command) else {
        return;
    };
    for command in ["sif secret flags 0x80800", "sif folder flags 0x80800"] {
        if !image.run(&["debugfs", "-w", "-R", command, "IMAGE"]) {
            return;
        }
    }
    let ours = image.open(Content::Ext);
    let names = entries(ours.as_ref(), ours.root());
    let error = ours.open(names[b"secret".as_slice()], None).err().unwrap();
    assert_eq!(error.kind(), FileErrorKind::Unreadable);
    assert!(error.to_string().contains("encrypted"), "{error}");
    let listed = ours.list(names[b"folder".as_slice()], &mut |_, _| {
        ControlFlow::Continue(())
    });
    let error = listed.err().unwrap();
    assert!(error.to_string().contains("encrypted"), "{error}");
}

#[test]
fn a_folder_without_case_finds_names_written_otherwise() {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("folder")).unwrap();
    fs::write(source.path().join("folder/ÄPFEL.txt"), "apples").unwrap();
    let folder = source.path().to_str().unwrap();
    let command = ["mkfs.ext4", "-q", "-F", "-O", "casefold", "-d", folder];
    let Some(image) = Image::make(64, &command) else {
        return;
    };
    if !image.run(&[
        "debugfs",
        "-w",
        "-R",
        "sif folder flags 0x40080000",
        "IMAGE",
    ]) {
        return;
    }
    let ours = image.open(Content::Ext);
    let folder = entries(ours.as_ref(), ours.root())[b"folder".as_slice()];
    let find = |name: &str| {
        ours.find(folder, &FileName::new(name.as_bytes()).unwrap())
            .unwrap()
    };
    assert!(find("äpfel.TXT").is_some());
    assert!(find("birnen").is_none());
}

#[test]
fn fast_commits_are_not_shown_and_said_not_to_be() {
    let Some(image) = Image::make(64, &["mkfs.ext4", "-q", "-F", "-O", "fast_commit"]) else {
        return;
    };
    let Some(mounted) = image.mount("noatime,commit=600") else {
        return;
    };
    fs::write(mounted.path().join("first"), "first").unwrap();
    rustix::fs::syncfs(fs::File::open(mounted.path()).unwrap()).unwrap();
    let file = fs::File::create(mounted.path().join("second")).unwrap();
    file.write_all_at(b"second", 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    let copy = image.copy();
    drop(mounted);
    let ours = copy.open(Content::Ext);
    let names = entries(ours.as_ref(), ours.root());
    assert!(names.contains_key(b"first".as_slice()));
    // Whether the kernel made a fast commit of it is the kernel's choice.
    let is_shown = names.contains_key(b"second".as_slice());
    eprintln!(
        "{:?}, the second file is shown: {is_shown}",
        ours.about().state
    );
    assert_eq!(
        !is_shown,
        matches!(&ours.about().state, State::Behind(why) if why.contains("fast"))
    );
}

#[test]
fn several_threads_read_one_volume() {
    let source = tempfile::tempdir().unwrap();
    fill(
        source.path(),
        Can {
            attributes: false,
            ..Can::ALL
        },
    );
    let folder = source.path().to_str().unwrap();
    let Some(image) = Image::make(200, &["mkfs.ext4", "-q", "-F", "-d", folder]) else {
        return;
    };
    let (ours, disk) = (image.open(Content::Ext), image.disk());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| compare(ours.as_ref(), disk.as_ref(), source.path(), Judge::SOURCE));
        }
    });
}
