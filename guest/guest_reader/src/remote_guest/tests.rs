//! A guest is the same from the other side of a pipe.

use std::io::{Cursor, pipe, sink};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use block_io::MemoryDisk;
use disk_model::independent_tools::run;
use guest_files::{FileName, NodeId, NodeKind};
use volume_map::Content;

use super::*;
use crate::message::FromReader;
use crate::{LocalGuest, frame, serve};

/// A guest that a thread of this process reads.
fn remote(disks: &[Arc<dyn BlockDevice>]) -> RemoteGuest {
    let (asked, to) = pipe().unwrap();
    let (from, said) = pipe().unwrap();
    thread::spawn(move || serve(asked, said));
    let conversation = Conversation::over(from, to, None, disks.to_vec(), || false);
    of(conversation, disks)
}

fn of(conversation: Conversation, disks: &[Arc<dyn BlockDevice>]) -> RemoteGuest {
    let start = ReaderStart {
        command: Box::new(|| Command::new("/nothing-to-start")),
        interrupted: || false,
    };
    RemoteGuest::of(conversation, start, disks.to_vec(), Secrets::default()).unwrap()
}

/// Writes everything down that can be asked of a folder and what is below it.
fn tell(system: &dyn GuestFileSystem, folder: NodeId, path: &str, told: &mut Vec<String>) {
    let mut entries = Vec::new();
    system
        .list(folder, &mut |name, id| {
            entries.push((name, id));
            ControlFlow::Continue(())
        })
        .unwrap();
    for (name, id) in entries {
        let node = system.node(id).unwrap();
        let path = format!("{path}/{name}");
        told.push(format!(
            "{path} {node:?} {:?} {:?} {:?} {:?} {:?}",
            system.find(folder, &name).unwrap(),
            system.streams(id).ok(),
            system.attributes(id).ok(),
            system.security_descriptor(id).ok(),
            system.link(id).map_err(|error| error.to_string()),
        ));
        match node.kind {
            NodeKind::Folder => tell(system, id, &path, told),
            NodeKind::File => {
                let file = system.open(id, None).unwrap();
                let mut bytes = vec![0; usize::try_from(node.size_bytes).unwrap() + 9];
                let read = file.read_at(0, &mut bytes).unwrap();
                bytes.truncate(read);
                told.push(format!("{:?} {:?}", file.extents(1000).unwrap(), bytes));
            }
            _ => {}
        }
    }
}

fn assert_same(image: &Path, content: Content) {
    let bytes = std::fs::read(image).unwrap();
    let disk = MemoryDisk::new(bytes);
    let disks: Vec<Arc<dyn BlockDevice>> = vec![Arc::new(disk)];
    let (here, there) = (LocalGuest::open(&disks), remote(&disks));
    assert_eq!(here.facts(), there.facts());
    assert_eq!(here.facts().volumes[0].content, content);
    let systems = (here.open(0).unwrap(), there.open(0).unwrap());
    assert_eq!(systems.0.about(), systems.1.about());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    tell(systems.0, systems.0.root(), "", &mut left);
    tell(systems.1, systems.1.root(), "", &mut right);
    assert!(left.len() > 4, "{left:?}");
    assert_eq!(left, right);
    assert_eq!(here.used_bytes(0).unwrap(), there.used_bytes(0).unwrap());
    assert_eq!(here.system(0).unwrap(), there.system(0).unwrap());
    for (offset, max) in [(0, 1000), (4096, 1), (disks[0].size_bytes(), 5)] {
        assert_eq!(
            here.volume_places(0, offset, max).unwrap(),
            there.volume_places(0, offset, max).unwrap(),
            "{offset} {max}"
        );
    }
    for guest in [&here as &dyn Guest, &there] {
        assert_eq!(guest.open(7).err().unwrap().kind(), FileErrorKind::NotFound);
        let nothing = guest.volume_places(7, 0, 1);
        assert_eq!(nothing.unwrap_err().kind(), FileErrorKind::NotFound);
    }
}

#[test]
fn an_ext_volume_is_the_same_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, image) = (folder.path().join("tree"), folder.path().join("image"));
    std::fs::create_dir_all(tree.join("etc/deep")).unwrap();
    std::fs::write(
        tree.join("etc/fstab"),
        "UUID=1-2 / ext4\n/dev/vg/a /a ext4\n",
    )
    .unwrap();
    std::fs::write(tree.join("etc/deep/long"), vec![b'x'; 70_000]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../etc", tree.join("link")).unwrap();
    let arguments = ["-q", "-d"].map(std::ffi::OsStr::new);
    let arguments = [
        arguments[0],
        arguments[1],
        tree.as_os_str(),
        image.as_os_str(),
        std::ffi::OsStr::new("8M"),
    ];
    if run("mkfs.ext4", &arguments).is_some() {
        assert_same(&image, Content::Ext);
    }
}

#[test]
fn a_long_file_is_read_from_the_disk_and_not_through_the_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let (tree, image) = (folder.path().join("tree"), folder.path().join("image"));
    std::fs::create_dir(&tree).unwrap();
    let mut bytes = disk_model::noise(7, 5 << 20);
    bytes[1 << 20..3 << 20].fill(0);
    std::fs::write(tree.join("long"), &bytes).unwrap();
    let image_text = image.to_str().unwrap();
    let arguments = ["-q", "-d", tree.to_str().unwrap(), image_text, "16M"];
    if run("mkfs.ext4", &arguments.map(std::ffi::OsStr::new)).is_none() {
        return;
    }
    let disk = MemoryDisk::new(std::fs::read(&image).unwrap());
    let there = remote(&[Arc::new(disk)]);
    let system = there.open(0).unwrap();
    let name = FileName::new(b"long").unwrap();
    let id = system.find(system.root(), &name).unwrap().unwrap();
    let file = system.open(id, None).unwrap();
    let before = there.traffic();
    let mut read = vec![0xEE; bytes.len()];
    for (at, part) in (0..).step_by(1 << 20).zip(read.chunks_mut(1 << 20)) {
        file.read_exact_at(at, part).unwrap();
    }
    assert!(read == bytes);
    let asked = there.traffic();
    assert_eq!(asked.questions - before.questions, 1);
    assert!(asked.disk_bytes - before.disk_bytes < 256 << 10);
    // From anywhere, also where a run does not begin.
    let mut part = vec![0; 300_001];
    file.read_exact_at((3 << 20) - 100_007, &mut part).unwrap();
    assert!(part[..] == bytes[(3 << 20) - 100_007..][..300_001]);
}

#[test]
fn a_fat_volume_is_the_same_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let (image, file) = (folder.path().join("image"), folder.path().join("file.bin"));
    std::fs::write(&file, vec![3; 50_000]).unwrap();
    std::fs::File::create_new(&image)
        .unwrap()
        .set_len(4 << 20)
        .unwrap();
    if run("mkfs.vfat", &[image.as_os_str()]).is_none() {
        return;
    }
    let with = |tool: &str, behind: &[&std::ffi::OsStr]| {
        let mut arguments = vec![std::ffi::OsStr::new("-i"), image.as_os_str()];
        arguments.extend(behind);
        run(tool, &arguments).is_some()
    };
    let folder_made = with("mmd", &[std::ffi::OsStr::new("::/A long folder name")]);
    if !folder_made {
        return;
    }
    for name in ["::/A long folder name/One.txt", "::/two.bin", "::/three"] {
        assert!(with(
            "mcopy",
            &[file.as_os_str(), std::ffi::OsStr::new(name)]
        ));
    }
    assert_same(&image, Content::Fat12);
}

#[test]
fn a_reader_that_ended_is_followed_by_another_or_says_why_not() {
    let mut said = Vec::new();
    let facts = FromReader::Answer(Ok(Answer::Volumes(DisksFacts::default())));
    frame::write(&mut said, &facts, &[]).unwrap();
    let conversation = Conversation::over(Cursor::new(said), sink(), None, Vec::new(), || false);
    let guest = of(conversation, &[]);
    let error = guest.system(0).unwrap_err().to_string();
    assert!(error.contains("files ended"), "{error}");
    let error = guest.system(0).unwrap_err().to_string();
    assert!(error.contains("cannot be started"), "{error}");
}
