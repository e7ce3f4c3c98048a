//! Drive letters out of registry files that are made here, sound and hostile.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use guest_files::{
    About, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem, Link, Node,
    NodeId, NodeKind, Owner, State, Times, Visit,
};
use guest_system::drive_letters;
use volume_map::{Content, WindowsId};

const PATH: [&str; 4] = ["Windows", "System32", "config", "SYSTEM"];

/// A volume with nothing but the registry file.
struct Registry {
    hive: Vec<u8>,
    about: About,
    read_bytes: AtomicU64,
}

impl Registry {
    fn new(hive: Vec<u8>) -> Self {
        let about = About {
            content: Content::Ntfs,
            label: String::new(),
            uuid: String::new(),
            size_bytes: 0,
            used_bytes: None,
            state: State::Clean,
            is_case_sensitive: false,
        };
        Self {
            hive,
            about,
            read_bytes: AtomicU64::new(0),
        }
    }

    fn letters(&self) -> Result<Vec<(char, WindowsId)>, FileError> {
        let letters = drive_letters(self)?.unwrap_or_default();
        Ok(letters.into_iter().collect())
    }
}

fn id(number: u64) -> NodeId {
    NodeId { tree: 0, number }
}

impl GuestFileSystem for Registry {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        id(0)
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        Ok(Node {
            id,
            kind: match id.number {
                4 => NodeKind::File,
                _ => NodeKind::Folder,
            },
            size_bytes: self.hive.len() as u64,
            links: 1,
            times: Times::default(),
            owner: Owner::Windows { attributes: 0 },
        })
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let at = usize::try_from(folder.number).unwrap();
        if let Some(name) = PATH.get(at) {
            let name = FileName::new(name.as_bytes()).unwrap();
            let _: ControlFlow<()> = visit(name, id(folder.number + 1));
        }
        Ok(())
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let at = usize::try_from(folder.number).unwrap();
        let is_it = PATH
            .get(at)
            .is_some_and(|own| own.as_bytes() == name.as_bytes());
        Ok(is_it.then(|| id(folder.number + 1)))
    }

    fn open<'a>(
        &'a self,
        _: NodeId,
        _: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        Ok(Box::new(RegistryFile(self)))
    }

    fn link(&self, _: NodeId) -> Result<Link, FileError> {
        Err(FileError::new(FileErrorKind::WrongKind, "no link"))
    }
}

struct RegistryFile<'a>(&'a Registry);

impl GuestFile for RegistryFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.0.hive.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let at = usize::try_from(offset).unwrap().min(self.0.hive.len());
        let rest = &self.0.hive[at..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.0.read_bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn extents(&self, _: usize) -> Result<Vec<FileExtent>, FileError> {
        Ok(Vec::new())
    }
}

/// A hive that is being made: cells behind the base block.
struct Cells(Vec<u8>);

impl Cells {
    fn new() -> Self {
        let mut base = vec![0; 4096];
        base[..4].copy_from_slice(b"regf");
        Self(base)
    }

    /// Adds a cell in use, and returns its place.
    fn add(&mut self, content: &[u8]) -> u32 {
        let place = u32::try_from(self.0.len() - 4096).unwrap();
        let len = (content.len() + 4).next_multiple_of(8);
        self.0.extend((-i32::try_from(len).unwrap()).to_le_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        place
    }

    fn key(&mut self, name: &str, keys: (u32, u32), values: (u32, u32)) -> u32 {
        let mut cell = vec![0; 76];
        cell[..2].copy_from_slice(b"nk");
        // The name has one byte a letter.
        cell[2] = 0x20;
        for (at, number) in [(20, keys.0), (28, keys.1), (36, values.0), (40, values.1)] {
            cell[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        let len = u16::try_from(name.len()).unwrap();
        cell[72..74].copy_from_slice(&len.to_le_bytes());
        cell.extend(name.as_bytes());
        self.add(&cell)
    }

    fn value(&mut self, name: &str, data: &[u8]) -> u32 {
        let place = self.add(data);
        let mut cell = vec![0; 20];
        cell[..2].copy_from_slice(b"vk");
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        cell[2..4].copy_from_slice(&u16::try_from(units.len()).unwrap().to_le_bytes());
        let len = u32::try_from(data.len()).unwrap();
        cell[4..8].copy_from_slice(&len.to_le_bytes());
        cell[8..12].copy_from_slice(&place.to_le_bytes());
        cell.extend(units);
        self.add(&cell)
    }

    fn list(&mut self, kind: &[u8; 2], places: &[u32]) -> u32 {
        let mut cell = kind.to_vec();
        cell.extend(u16::try_from(places.len()).unwrap().to_le_bytes());
        for place in places {
            cell.extend(place.to_le_bytes());
            if kind != b"li" && kind != b"ri" {
                cell.extend([0; 4]);
            }
        }
        self.add(&cell)
    }

    /// Ends it with a key `MountedDevices` of these values, in a list of lists among other keys.
    fn end(mut self, values: &[u32]) -> Vec<u8> {
        let places: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        let list = self.add(&places);
        let count = u32::try_from(values.len()).unwrap();
        let devices = self.key("mounteddevices", (0, 0), (count, list));
        let select = self.key("Select", (0, 0), (0, 0));
        let lists = [self.list(b"lf", &[select]), self.list(b"li", &[devices])];
        let keys = self.list(b"ri", &lists);
        let root = self.key("ROOT", (2, keys), (0, 0));
        self.0[36..40].copy_from_slice(&root.to_le_bytes());
        self.0
    }
}

fn mbr(signature: u32, offset: u64) -> Vec<u8> {
    [&signature.to_le_bytes()[..], &offset.to_le_bytes()].concat()
}

#[test]
fn letters_are_what_the_registry_says_and_nothing_else() {
    let mut cells = Cells::new();
    let guid = [&b"DMIO:ID:"[..], &[7; 16]].concat();
    let long = "x".repeat(600);
    let values = [
        cells.value("\\DosDevices\\C:", &mbr(0x1234_5678, 1 << 20)),
        cells.value("\\??\\Volume{6b}", &mbr(1, 2)),
        cells.value("\\DosDevices\\d:", &guid),
        cells.value(
            "\\DosDevices\\E:",
            b"a removable drive, by a path that is long",
        ),
        cells.value(&long, &guid),
    ];
    let found = Registry::new(cells.end(&values)).letters().unwrap();
    let (signature, offset) = (0x1234_5678, 1 << 20);
    let guid = WindowsId::parse(&guid).unwrap();
    let expected = [('C', WindowsId::Mbr { signature, offset }), ('D', guid)];
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_is_no_hive_is_an_error() {
    for hive in [Vec::new(), vec![0; 8192], b"regf".to_vec()] {
        let error = Registry::new(hive).letters().unwrap_err();
        assert_eq!(error.kind(), FileErrorKind::Corrupt);
    }
}

#[test]
fn a_hive_made_to_keep_its_reader_busy_is_given_up_within_the_budget() {
    // One value, named again and again: as many as a list may have, each of which is read.
    let mut cells = Cells::new();
    let value = cells.value(&"\\DosDevices\\CC:".repeat(15), &mbr(1, 1));
    let list = vec![value; 250_000];
    let registry = Registry::new(cells.end(&list));
    let error = registry.letters().unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Corrupt);
    assert!(error.to_string().contains("16 MiB"), "{error}");
    let read = registry.read_bytes.load(Ordering::Relaxed);
    assert!(read <= 17 << 20, "{read}");
}

#[test]
fn no_change_of_a_hive_panics() {
    let mut cells = Cells::new();
    let values = [cells.value("\\DosDevices\\C:", &mbr(1, 2))];
    let sound = cells.end(&values);
    for at in (0..48).chain(4096..sound.len()) {
        for byte in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut hive = sound.clone();
            hive[at] = byte;
            let _ = Registry::new(hive).letters();
        }
    }
    for len in 0..sound.len() {
        let _ = Registry::new(sound[..len].to_vec()).letters();
    }
}
