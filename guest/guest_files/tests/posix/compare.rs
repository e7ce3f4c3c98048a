//! Compares all that is shown of two trees: ours, and a folder of this machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use block_io::BlockDevice;
use guest_files::{
    FileName, GuestFile, GuestFileSystem, LinkKind, Node, NodeId, NodeKind, Owner, State, Time,
};
use rustix::fs::{AtFlags, CWD, StatxFlags};
use volume_map::Content;

use crate::image::Image;
use crate::plain_runs::compare_plain_runs;

/// What the other side can be asked.
#[derive(Clone, Copy)]
pub(crate) struct Judge {
    /// It is the same volume, not a folder that it was made from: times, sizes and counts must agree.
    pub(crate) is_same_volume: bool,
    /// A file's places hold its bytes as they are.
    pub(crate) has_plain_extents: bool,
    /// How it is to be mounted.
    pub(crate) options: &'static str,
}

impl Judge {
    pub(crate) const KERNEL: Self = Self {
        is_same_volume: true,
        has_plain_extents: true,
        options: "noatime",
    };
    pub(crate) const SOURCE: Self = Self {
        is_same_volume: false,
        has_plain_extents: true,
        options: "noatime",
    };
}

/// What was compared.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Compared {
    pub(crate) nodes: u64,
    pub(crate) bytes: u64,
    /// Those of them that lie on the volume as they are.
    pub(crate) plain: u64,
    pub(crate) attributes: u64,
    /// What is encrypted by the guest, and not compared.
    pub(crate) encrypted: u64,
}

struct Comparison<'a> {
    ours: &'a dyn GuestFileSystem,
    volume: &'a dyn BlockDevice,
    judge: Judge,
    done: Compared,
}

/// Compares a whole tree.
pub(crate) fn compare(
    ours: &dyn GuestFileSystem,
    volume: &dyn BlockDevice,
    theirs: &Path,
    judge: Judge,
) -> Compared {
    let mut comparison = Comparison {
        ours,
        volume,
        judge,
        done: Compared::default(),
    };
    comparison.folder(ours.root(), theirs, true);
    let done = comparison.done;
    // Btrfs checks what it reads, so nothing is told there.
    let is_checked = ours.about().content == Content::Btrfs;
    assert!(
        is_checked == (done.plain == 0) || done.bytes < 1 << 20,
        "{done:?}"
    );
    done
}

/// Compares with what the kernel shows of a copy once it has mounted it. `None`: it may not.
pub(crate) fn judged_by_the_kernel(
    image: &Image,
    content: Content,
    state: &State,
    judge: Judge,
) -> Option<Compared> {
    let ours = image.open(content);
    assert_eq!(ours.about().state, *state);
    let copy = image.copy();
    let mounted = copy.mount(judge.options)?;
    Some(compare(
        ours.as_ref(),
        image.disk().as_ref(),
        mounted.path(),
        judge,
    ))
}

/// Sees that something was compared.
pub(crate) fn check(name: &str, compared: Option<Compared>) {
    if let Some(compared) = compared {
        eprintln!("{name}: {compared:?}");
        assert!(compared.nodes > 1500, "{compared:?}");
    }
}

/// Returns the entries of a folder of ours.
pub(crate) fn entries(ours: &dyn GuestFileSystem, folder: NodeId) -> BTreeMap<Vec<u8>, NodeId> {
    let mut found = BTreeMap::new();
    ours.list(folder, &mut |name, id| {
        assert!(
            found.insert(name.as_bytes().to_vec(), id).is_none(),
            "{name} is there twice"
        );
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

impl Comparison<'_> {
    fn folder(&mut self, id: NodeId, theirs: &Path, is_top: bool) {
        let ours = entries(self.ours, id);
        let mut names: Vec<Vec<u8>> = fs::read_dir(theirs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_vec())
            .collect();
        if is_top && !self.judge.is_same_volume {
            names.extend(ours.keys().filter(|name| *name == b"lost+found").cloned());
        }
        names.sort();
        let found: Vec<&Vec<u8>> = ours.keys().collect();
        assert_eq!(
            found,
            names.iter().collect::<Vec<_>>(),
            "{}",
            theirs.display()
        );
        for (place, (name, node)) in ours.iter().enumerate() {
            if is_top && !self.judge.is_same_volume && name == b"lost+found" {
                continue;
            }
            // A name is found as it is listed; not every one is tried, for that would take long.
            if place % 50 == 0 {
                let name = FileName::new(name).unwrap();
                assert_eq!(self.ours.find(id, &name).unwrap(), Some(*node), "{name}");
            }
            self.node(*node, &theirs.join(OsStr::from_bytes(name)));
        }
        let missing = FileName::new(b"no such name").unwrap();
        assert_eq!(self.ours.find(id, &missing).unwrap(), None);
    }

    fn node(&mut self, id: NodeId, path: &Path) {
        let ours = self.ours.node(id).unwrap();
        let theirs = fs::symlink_metadata(path);
        let theirs = theirs.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.done.nodes += 1;
        self.facts(&ours, &theirs, path);
        self.attributes(id, path);
        if self.is_encrypted(id, ours.kind) {
            self.done.encrypted += 1;
            return;
        }
        match ours.kind {
            NodeKind::Folder => self.folder(id, path, false),
            NodeKind::File => self.content(id, path),
            NodeKind::Link => {
                let link = self.ours.link(id).unwrap();
                assert_eq!(link.kind, LinkKind::Symbolic);
                let target = fs::read_link(path).unwrap().into_os_string().into_vec();
                assert_eq!(link.target, target, "{}", path.display());
            }
            NodeKind::Other => assert!(self.ours.open(id, None).is_err()),
        }
    }

    /// Whether it says by name that it is encrypted.
    fn is_encrypted(&self, id: NodeId, kind: NodeKind) -> bool {
        let error = match kind {
            NodeKind::Folder => self.ours.list(id, &mut |_, _| ControlFlow::Break(())).err(),
            NodeKind::File => self.ours.open(id, None).err(),
            NodeKind::Link => self.ours.link(id).err(),
            NodeKind::Other => None,
        };
        error.is_some_and(|error| error.to_string().contains("encrypted by the guest"))
    }

    fn facts(&self, ours: &Node, theirs: &Metadata, path: &Path) {
        let kind = theirs.file_type();
        let expected = if kind.is_file() {
            NodeKind::File
        } else if kind.is_dir() {
            NodeKind::Folder
        } else if kind.is_symlink() {
            NodeKind::Link
        } else {
            assert!(kind.is_fifo() || kind.is_char_device() || kind.is_socket());
            NodeKind::Other
        };
        let shown = path.display();
        assert_eq!(ours.kind, expected, "{shown}");
        if matches!(ours.kind, NodeKind::File | NodeKind::Link) {
            assert_eq!(ours.size_bytes, theirs.size(), "{shown}");
        }
        let owner = Owner::Unix {
            user: theirs.uid(),
            group: theirs.gid(),
            mode: u16::try_from(theirs.mode() & 0o7777).unwrap(),
        };
        assert_eq!(ours.owner, owner, "{shown}");
        if !self.judge.is_same_volume {
            return;
        }
        assert_eq!(u64::from(ours.links), theirs.nlink(), "{shown}");
        let time = |seconds, nanoseconds: i64| {
            Some(Time {
                seconds,
                nanoseconds: u32::try_from(nanoseconds).unwrap(),
            })
        };
        let times = ours.times;
        assert_eq!(
            times.modified,
            time(theirs.mtime(), theirs.mtime_nsec()),
            "{shown}"
        );
        assert_eq!(
            times.accessed,
            time(theirs.atime(), theirs.atime_nsec()),
            "{shown}"
        );
        assert_eq!(
            times.changed,
            time(theirs.ctime(), theirs.ctime_nsec()),
            "{shown}"
        );
        let born = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BTIME);
        let born = born.unwrap();
        if StatxFlags::from_bits_retain(born.stx_mask).contains(StatxFlags::BTIME) {
            let expected = time(born.stx_btime.tv_sec, i64::from(born.stx_btime.tv_nsec));
            assert_eq!(times.created, expected, "{shown}");
        }
    }

    fn attributes(&mut self, id: NodeId, path: &Path) {
        let ours: BTreeMap<Vec<u8>, Vec<u8>> = self
            .ours
            .attributes(id)
            .unwrap()
            .into_iter()
            .map(|attribute| (attribute.name, attribute.value))
            .collect();
        let mut names = vec![0; 65_536];
        let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
        let mut theirs = BTreeMap::new();
        for name in names[..len]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            let mut value = vec![0; 65_536];
            let name_text = OsStr::from_bytes(name);
            let len = rustix::fs::lgetxattr(path, name_text, &mut value[..]).unwrap();
            value.truncate(len);
            theirs.insert(name.to_vec(), value);
        }
        assert_eq!(ours, theirs, "{}", path.display());
        self.done.attributes += u64::try_from(ours.len()).unwrap();
    }

    fn content(&mut self, id: NodeId, path: &Path) {
        let ours = self.ours.open(id, None).unwrap();
        let theirs = File::open(path).unwrap();
        let size = ours.size_bytes();
        assert_eq!(size, theirs.metadata().unwrap().len(), "{}", path.display());
        let (mut one, mut other) = (vec![1; 1 << 20], vec![2; 1 << 20]);
        // Of a very large file, a part of each sixteenth.
        let step = if size > 100 << 20 { 16 << 20 } else { 1 << 20 };
        for offset in (0..=size).step_by(step) {
            let expected = (size - offset).min(1 << 20);
            let len = ours.read_at(offset, &mut one).unwrap();
            assert_eq!(
                u64::try_from(len).unwrap(),
                expected,
                "{} at {offset}",
                path.display()
            );
            theirs.read_exact_at(&mut other[..len], offset).unwrap();
            assert!(one[..len] == other[..len], "{} at {offset}", path.display());
            self.done.bytes += expected;
        }
        if size > 100 {
            // What does not begin where a block does.
            let len = ours.read_at(size - 77, &mut one).unwrap();
            theirs.read_exact_at(&mut other[..77], size - 77).unwrap();
            assert_eq!(one[..len], other[..77], "{}", path.display());
        }
        assert_eq!(ours.read_at(size + 10, &mut one).unwrap(), 0);
        if self.judge.has_plain_extents {
            self.places(ours.as_ref(), &theirs, path);
        }
        self.done.plain += compare_plain_runs(ours.as_ref(), self.volume);
    }

    /// What lies where a file says that it lies is the file's, and elsewhere it is zero.
    fn places(&self, ours: &dyn GuestFile, theirs: &File, path: &Path) {
        let places = ours.extents(100_000).unwrap();
        let mut end = 0;
        for place in &places {
            assert!(place.file_offset >= end, "{}: {place:?}", path.display());
            end = place.file_offset + place.len_bytes;
            assert!(end <= ours.size_bytes());
            let len = usize::try_from(place.len_bytes.min(1 << 20)).unwrap();
            let (mut there, mut expected) = (vec![0; len], vec![0; len]);
            self.volume
                .read_at(place.volume_offset, &mut there)
                .unwrap();
            theirs
                .read_exact_at(&mut expected, place.file_offset)
                .unwrap();
            assert!(there == expected, "{}: {place:?}", path.display());
        }
    }
}
