//! The tree over guests that are made up, and that count what they are asked.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use file_restore::OwnNames;
use file_view::{
    FileView, Layout, OPEN_POINTS_MAX, OpenedPoint, POINT_TEXT, READ_AHEAD_BYTES, VOLUME_TEXT,
    ViewErrorKind, ViewNode, ViewPoint,
};
use guest_files::{
    About, Attribute, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem,
    Link, LinkKind, Node, NodeId, NodeKind, Owner, State, Stream, Time, Times, Visit,
};
use guest_reader::{DisksFacts, Guest, SystemFacts, VolumeFacts};
use volume_map::{Content, Obstacle, ObstacleKind, Origin, Role};

const BIG_BYTES: u64 = 8 << 20;

/// What all guests of a test have been asked.
#[derive(Default)]
struct Ledger {
    open: AtomicUsize,
    opened: Mutex<Vec<String>>,
    bytes: AtomicU64,
    files: AtomicUsize,
    is_over: AtomicBool,
    /// Where the large file's damage begins; 0 where it has none.
    bad_from: AtomicU64,
    /// Volumes whose order is another one from now on.
    is_renumbered: AtomicBool,
}

struct FakeGuest {
    facts: DisksFacts,
    system: FakeSystem,
    ledger: Arc<Ledger>,
}

struct FakeSystem {
    about: About,
    ledger: Arc<Ledger>,
}

struct FakeFile(Arc<Ledger>);

fn volume(name: &str, content: Content) -> VolumeFacts {
    VolumeFacts {
        name: name.to_owned(),
        origin: Origin::Disk { disk: 0 },
        windows_id: None,
        role: Role::Data,
        size_bytes: 1 << 30,
        content,
        label: "da\u{7}ta".to_owned(),
        uuid: String::new(),
        used_by: Vec::new(),
        encryption: None,
        obstacle: None,
    }
}

impl FakeGuest {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.open.fetch_add(1, SeqCst);
        let mut locked = volume("2", Content::Ntfs);
        locked.obstacle = Some(Obstacle {
            kind: ObstacleKind::Encrypted,
            what: "it is locked".to_owned(),
            hint: String::new(),
        });
        let mut part = volume("3", Content::Ext);
        part.used_by = vec!["vg-root".to_owned()];
        let mut facts = DisksFacts {
            volumes: vec![volume("1", Content::Ext), locked, part],
            notes: vec![vec!["a note".to_owned()]],
            ..DisksFacts::default()
        };
        if ledger.is_renumbered.load(SeqCst) {
            facts.volumes.reverse();
        }
        let about = About {
            content: Content::Ext,
            label: String::new(),
            uuid: String::new(),
            size_bytes: 1 << 30,
            used_bytes: None,
            state: State::Behind("its log is full".to_owned()),
            is_case_sensitive: true,
        };
        let system = FakeSystem {
            about,
            ledger: Arc::clone(ledger),
        };
        Self {
            facts,
            system,
            ledger: Arc::clone(ledger),
        }
    }
}

impl Drop for FakeGuest {
    fn drop(&mut self) {
        self.ledger.open.fetch_sub(1, SeqCst);
    }
}

impl Guest for FakeGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError> {
        match number {
            0 => Ok(&self.system),
            _ => Err(FileError::new(FileErrorKind::Unreadable, "it is locked")),
        }
    }

    fn used_bytes(&self, _: u32) -> Result<Option<u64>, FileError> {
        Ok(None)
    }

    fn system(&self, _: u32) -> Result<SystemFacts, FileError> {
        Ok(SystemFacts::default())
    }

    fn volume_places(&self, _: u32, _: u64, _: usize) -> Result<Vec<block_io::Place>, FileError> {
        Ok(Vec::new())
    }

    fn is_over(&self) -> bool {
        self.ledger.is_over.swap(false, SeqCst)
    }
}

fn id(number: u64) -> NodeId {
    NodeId { tree: 0, number }
}

fn name(text: &str) -> FileName {
    FileName::new(text.as_bytes()).unwrap()
}

/// The top folder's entries: a large file, a folder that cannot be listed, a link, a lost file.
fn entries() -> Vec<(FileName, NodeId)> {
    let names = ["big.bin", "broken", "link", "lost"];
    (2..)
        .zip(names)
        .map(|(number, text)| (name(text), id(number)))
        .collect()
}

impl GuestFileSystem for FakeSystem {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        id(1)
    }

    fn node(&self, node: NodeId) -> Result<Node, FileError> {
        let (kind, size_bytes) = match node.number {
            1 | 3 => (NodeKind::Folder, 0),
            2 => (NodeKind::File, BIG_BYTES),
            4 => (NodeKind::Link, 0),
            _ => return Err(FileError::new(FileErrorKind::Corrupt, "it is lost")),
        };
        Ok(Node {
            id: node,
            kind,
            size_bytes,
            links: 1,
            times: Times::default(),
            owner: Owner::Unix {
                user: 7,
                group: 8,
                mode: 0o640,
            },
        })
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        if folder != id(1) {
            return Err(FileError::new(FileErrorKind::Corrupt, "it is broken"));
        }
        for (name, node) in entries() {
            if visit(name, node).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        if folder != id(1) {
            return Err(FileError::new(FileErrorKind::WrongKind, "no folder"));
        }
        let found = entries().into_iter().find(|(own, _)| own == name);
        Ok(found.map(|(_, node)| node))
    }

    fn open<'a>(
        &'a self,
        _: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        if stream.is_none() {
            self.ledger.files.fetch_add(1, SeqCst);
        }
        Ok(Box::new(FakeFile(Arc::clone(&self.ledger))))
    }

    fn link(&self, _: NodeId) -> Result<Link, FileError> {
        Ok(Link {
            kind: LinkKind::Symbolic,
            target: b"../x".to_vec(),
        })
    }

    fn streams(&self, _: NodeId) -> Result<Vec<Stream>, FileError> {
        let stream = |text, size_bytes| Stream {
            name: name(text),
            size_bytes,
        };
        Ok(vec![stream("Zone", 4), stream("Large", (64 << 10) + 1)])
    }

    fn attributes(&self, _: NodeId) -> Result<Vec<Attribute>, FileError> {
        Ok(vec![Attribute {
            name: b"security.x".to_vec(),
            value: b"y".to_vec(),
        }])
    }
}

/// Byte `n` of the large file.
fn byte(at: u64) -> u8 {
    (at % 251).try_into().unwrap()
}

impl GuestFile for FakeFile {
    fn size_bytes(&self) -> u64 {
        BIG_BYTES
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let bad_from = self.0.bad_from.load(SeqCst);
        if bad_from > 0 && offset + buf.len() as u64 > bad_from {
            return Err(FileError::new(FileErrorKind::Corrupt, "it is damaged"));
        }
        self.0.bytes.fetch_add(buf.len() as u64, SeqCst);
        for (at, target) in (offset..).zip(buf.iter_mut()) {
            *target = byte(at);
        }
        Ok(buf.len())
    }

    fn extents(&self, _: usize) -> Result<Vec<FileExtent>, FileError> {
        Ok(Vec::new())
    }
}

impl Drop for FakeFile {
    fn drop(&mut self) {
        // Streams are opened and closed at once, and not counted.
        let _ = self
            .0
            .files
            .fetch_update(SeqCst, SeqCst, |open| open.checked_sub(1));
    }
}

fn point(number: i64, vm: &str) -> ViewPoint {
    ViewPoint {
        id: format!("{number:02}abcdef0123"),
        vm_identity: format!("id-of-{vm}"),
        vm_name: vm.to_owned(),
        started: jiff::Timestamp::from_second(1_700_000_000 + number).unwrap(),
        consistency: "crash".to_owned(),
        checkpoint: None,
    }
}

fn view(points: Vec<ViewPoint>, layout: Layout) -> (FileView, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::default());
    let of_open = Arc::clone(&ledger);
    let open = move |point: &ViewPoint| {
        of_open.opened.lock().unwrap().push(point.id.clone());
        if point.vm_name == "gone" {
            return Err("its pack is lost".to_owned());
        }
        let letters = BTreeMap::from([('C', 0)]);
        Ok(OpenedPoint {
            guest: Box::new(FakeGuest::new(&of_open)),
            names: OwnNames {
                letters,
                ..OwnNames::default()
            },
        })
    };
    (FileView::new(points, layout, Arc::new(open)), ledger)
}

fn names(view: &FileView, folder: ViewNode) -> Vec<String> {
    let entries = view.list(folder).unwrap().into_iter();
    entries.map(|entry| entry.name.to_string()).collect()
}

fn find(view: &FileView, path: &[&str]) -> ViewNode {
    path.iter().fold(ViewNode::TOP, |folder, name| {
        view.follow(view.find(folder, name.as_bytes()).unwrap())
    })
}

/// Returns the volume that can be read of each point at the top.
fn volumes(view: &FileView) -> Vec<ViewNode> {
    let points = view.list(ViewNode::TOP).unwrap().into_iter();
    points
        .map(|point| view.find(point.node, b"C").unwrap())
        .collect()
}

/// Waits until the threads have done what was told them.
fn wait_until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

#[test]
fn vms_hold_their_points_by_time_and_the_newest_is_linked() {
    let points = vec![point(2, "Web"), point(1, "Web"), point(3, "S/Q")];
    let (view, ledger) = view(points, Layout::ByVm);
    assert_eq!(names(&view, ViewNode::TOP), ["S_Q", "Web"]);
    let web = find(&view, &["web"]);
    let listed = names(&view, web);
    assert!(listed[0].ends_with("_01abcdef"), "{listed:?}");
    assert!(listed[1].ends_with("_02abcdef"), "{listed:?}");
    assert_eq!(listed[2], "latest");
    let latest = view.find(web, b"latest").unwrap();
    assert_eq!(view.link(latest).unwrap(), listed[1].as_bytes());
    let facts = view.facts(latest).unwrap();
    assert_eq!(
        (facts.kind, facts.size_bytes),
        (NodeKind::Link, listed[1].len() as u64)
    );
    assert_eq!(view.follow(latest), find(&view, &["Web", &listed[1]]));
    assert!(
        ledger.opened.lock().unwrap().is_empty(),
        "nobody entered a point"
    );
}

#[test]
fn points_of_several_vms_at_the_top_say_whose_they_are() {
    let (of_one, _) = view(vec![point(1, "Web"), point(2, "Web")], Layout::Points);
    assert!(names(&of_one, ViewNode::TOP)[0].starts_with("2023-11-1"));
    let (of_two, _) = view(vec![point(1, "Web"), point(2, "SQL")], Layout::Points);
    assert!(names(&of_two, ViewNode::TOP)[1].starts_with("SQL_2023-11-1"));
}

#[test]
fn a_point_shows_its_volumes_and_says_what_it_is() {
    let (view, _) = view(vec![point(1, "Web")], Layout::ByVm);
    let inside = find(&view, &["Web", "latest"]);
    assert_eq!(names(&view, inside), ["C", "2", POINT_TEXT]);
    let text = view.find(inside, POINT_TEXT.as_bytes()).unwrap();
    let file = view.open(text).unwrap();
    assert_eq!(view.facts(text).unwrap().size_bytes, file.size_bytes());
    let text = String::from_utf8(file.read_at(0, 1 << 20).unwrap()).unwrap();
    for said in [
        "Web",
        "01abcdef0123",
        "crash",
        "known as C:",
        "its log is full",
        "it is locked",
        "part of vg-root",
        "a note",
        "\"da?ta\"",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_volume_that_cannot_be_read_is_a_folder_that_says_why() {
    let (view, _) = view(vec![point(1, "Web")], Layout::ByVm);
    let locked = find(&view, &["Web", "latest", "2"]);
    assert_eq!(names(&view, locked), [VOLUME_TEXT]);
    let text = view.find(locked, VOLUME_TEXT.as_bytes()).unwrap();
    let text = view.open(text).unwrap().read_at(0, 1000).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("it is locked"));
    let missing = view.find(locked, b"Windows").unwrap_err();
    assert_eq!(missing.kind(), ViewErrorKind::NotFound);
    let readable = find(&view, &["Web", "latest", "C"]);
    assert!(view.find(readable, VOLUME_TEXT.as_bytes()).is_err());
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_an_empty_folder() {
    let (view, _) = view(vec![point(1, "Web"), point(2, "gone")], Layout::ByVm);
    let broken = find(&view, &["Web", "latest", "C", "broken"]);
    assert_eq!(
        view.list(broken).unwrap_err().kind(),
        ViewErrorKind::Unreadable
    );
    let volume = find(&view, &["Web", "latest", "C"]);
    let nodes: Vec<ViewNode> = view
        .list(volume)
        .unwrap()
        .iter()
        .map(|entry| entry.node)
        .collect();
    let facts = view.facts_of(&nodes);
    assert_eq!(
        facts.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    assert_eq!(
        facts[2].as_ref().unwrap().size_bytes,
        4,
        "the length of a link's target"
    );
    let gone = find(&view, &["gone", "latest"]);
    let error = view.list(gone).unwrap_err();
    assert!(error.to_string().contains("its pack is lost"), "{error}");
    assert_eq!(
        view.find(volume, b"..").unwrap_err().kind(),
        ViewErrorKind::NotFound
    );
}

#[test]
fn at_most_so_many_points_are_open_and_the_one_used_longest_ago_is_closed() {
    let points = (0..20).map(|number| point(number, "Web")).collect();
    let (view, ledger) = view(points, Layout::Points);
    let volumes = volumes(&view);
    wait_until(|| ledger.open.load(SeqCst) <= OPEN_POINTS_MAX);
    assert_eq!(ledger.opened.lock().unwrap().len(), 20);
    // A node of a point that was closed is good, and opens it again.
    assert_eq!(names(&view, volumes[0]).len(), 4);
    assert_eq!(ledger.opened.lock().unwrap().len(), 21);
    // The last ones are open still.
    for volume in &volumes[20 - OPEN_POINTS_MAX + 1..] {
        assert_eq!(names(&view, *volume).len(), 4);
    }
    assert_eq!(ledger.opened.lock().unwrap().len(), 21);
}

#[test]
fn a_point_with_an_open_file_is_not_closed() {
    let count = OPEN_POINTS_MAX + 1;
    let points = (0..10).map(|number| point(number, "Web")).collect();
    let (view, ledger) = view(points, Layout::Points);
    let volumes = volumes(&view);
    let open = |volume: &ViewNode| view.open(view.find(*volume, b"big.bin").unwrap());
    let files: Vec<_> = volumes[..OPEN_POINTS_MAX]
        .iter()
        .map(|volume| open(volume).unwrap())
        .collect();
    let refused = view.list(volumes[count - 1]).unwrap_err();
    assert_eq!(refused.kind(), ViewErrorKind::TooMany);
    assert_eq!(files[0].read_at(0, 1).unwrap(), [byte(0)]);
    drop(files);
    wait_until(|| ledger.files.load(SeqCst) == 0);
    // The threads have let go of what they were told with.
    wait_until(|| view.list(volumes[count - 1]).is_ok());
}

#[test]
fn what_is_read_is_bounded_by_what_was_asked_for() {
    let (view, ledger) = view(vec![point(1, "Web")], Layout::ByVm);
    let file = view
        .open(find(&view, &["Web", "latest", "C", "big.bin"]))
        .unwrap();
    let piece = file.read_at(3 << 20, 1 << 20).unwrap();
    assert!((3 << 20..).zip(&piece).all(|(at, read)| byte(at) == *read));
    assert_eq!(ledger.bytes.load(SeqCst), 1 << 20);
    // Far apart, nothing is read ahead.
    for at in [0, 6 << 20, 2 << 20] {
        assert_eq!(file.read_at(at, 10).unwrap()[0], byte(at));
    }
    assert_eq!(ledger.bytes.load(SeqCst), (1 << 20) + 30);
}

#[test]
fn who_reads_on_reads_every_byte_once_and_few_times() {
    let (view, ledger) = view(vec![point(1, "Web")], Layout::ByVm);
    let file = view
        .open(find(&view, &["Web", "latest", "C", "big.bin"]))
        .unwrap();
    let mut at = 0;
    loop {
        let piece = file.read_at(at, 10_000).unwrap();
        if piece.is_empty() {
            break;
        }
        assert!((at..).zip(&piece).all(|(at, read)| byte(at) == *read));
        at += piece.len() as u64;
    }
    assert_eq!(at, BIG_BYTES);
    // Where what was read ahead ends within a piece, the piece is read anew.
    let again = BIG_BYTES / READ_AHEAD_BYTES as u64 * 10_000;
    let read = ledger.bytes.load(SeqCst);
    assert!((BIG_BYTES..=BIG_BYTES + again).contains(&read), "{read}");
}

#[test]
fn damage_ahead_does_not_spoil_what_lies_before_it() {
    let (view, ledger) = view(vec![point(1, "Web")], Layout::ByVm);
    let file = view
        .open(find(&view, &["Web", "latest", "C", "big.bin"]))
        .unwrap();
    ledger.bad_from.store(30_000, SeqCst);
    for at in [0, 10_000, 20_000] {
        let piece = file.read_at(at, 10_000).unwrap();
        assert!((at..).zip(&piece).all(|(at, read)| byte(at) == *read));
        assert_eq!(piece.len(), 10_000);
    }
    assert!(file.read_at(30_000, 10_000).is_err());
}

#[test]
fn a_point_whose_volumes_are_others_is_not_opened_again() {
    let (view, ledger) = view(vec![point(1, "Web")], Layout::ByVm);
    let volume = find(&view, &["Web", "latest", "C"]);
    ledger.is_renumbered.store(true, SeqCst);
    ledger.is_over.store(true, SeqCst);
    assert_eq!(names(&view, volume).len(), 4, "this answer was whole");
    let is_refused = |error: file_view::ViewError| error.to_string().contains("1, 2, 3 before");
    wait_until(|| view.list(volume).is_err_and(is_refused));
    ledger.is_renumbered.store(false, SeqCst);
    ledger.is_over.store(false, SeqCst);
    assert_eq!(names(&view, volume).len(), 4);
}

#[test]
fn a_point_whose_reader_ended_is_opened_again() {
    let (view, ledger) = view(vec![point(1, "Web")], Layout::ByVm);
    let volume = find(&view, &["Web", "latest", "C"]);
    ledger.is_over.store(true, SeqCst);
    assert_eq!(names(&view, volume).len(), 4, "this answer was whole");
    wait_until(|| view.list(volume).is_ok());
    assert_eq!(names(&view, volume).len(), 4);
    assert_eq!(ledger.opened.lock().unwrap().len(), 2);
}

#[test]
fn named_streams_are_attributes_among_the_others() {
    let (view, _) = view(vec![point(1, "Web")], Layout::ByVm);
    let file = find(&view, &["Web", "latest", "C", "big.bin"]);
    let all = view.attribute_names(file).unwrap();
    assert_eq!(all, [b"security.x".to_vec(), b"user.Zone".to_vec()]);
    let value = view.attribute(file, b"user.Zone").unwrap().unwrap();
    assert_eq!(value, [byte(0), byte(1), byte(2), byte(3)]);
    assert_eq!(view.attribute(file, b"user.none").unwrap(), None);
    // Its beginning is not its value.
    assert_eq!(view.attribute(file, b"user.Large").unwrap(), None);
    assert_eq!(view.attribute_names(ViewNode::TOP).unwrap().len(), 0);
}

#[test]
fn times_before_1970_are_times() {
    let mut early = point(1, "Web");
    early.started = jiff::Timestamp::new(-2, -500_000_000).unwrap();
    let (view, _) = view(vec![early], Layout::Points);
    let facts = view.facts(ViewNode::TOP).unwrap();
    let expected = Time {
        seconds: -3,
        nanoseconds: 500_000_000,
    };
    assert_eq!(facts.times.modified, Some(expected));
}
