//! Checks a whole repository.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::Serialize;

use crate::format::{
    Entry, FOOTER_BYTES, FRAME_PLAIN_BYTES_MAX, Footer, Header, Locator, MapNode, Name, Naming,
    PackId, PackKind, TrailerEntry, decode_frame, place_nonce,
};
use crate::maintain::VerifyObserver;
use crate::read::{MapReader, index_objects};
use crate::stream::Stream;
use crate::{Repository, RepositoryError, RepositoryErrorKind, RestorePoint};

/// The most that an index object may be, in bytes (format page, section 13).
const INDEX_BYTES_MAX: u64 = 1 << 30;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damage {
    /// The VM's name, where a restore point is affected.
    pub vm: Option<String>,
    /// The restore point that is affected.
    pub point: Option<String>,
    /// The disk or file that is affected.
    pub stream: Option<String>,
    /// Offset of the range that is lost, in bytes.
    pub offset: Option<u64>,
    /// Length of the range that is lost, in bytes.
    pub len_bytes: Option<u64>,
    /// What is wrong, naming the object and the offset in it.
    pub text: String,
}

impl Damage {
    pub(crate) fn of_stream(
        point: &RestorePoint,
        stream: &Stream,
        range: Range<u64>,
        error: &RepositoryError,
    ) -> Self {
        Self {
            vm: Some(point.vm.name.clone()),
            point: Some(point.id.clone()),
            stream: Some(stream.name.clone()),
            offset: Some(range.start),
            len_bytes: Some(range.end - range.start),
            text: error.to_string(),
        }
    }

    fn of_object(error: &RepositoryError) -> Self {
        let text = error.to_string();
        Self {
            vm: None,
            point: None,
            stream: None,
            offset: None,
            len_bytes: None,
            text,
        }
    }
}

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct CheckReport {
    /// Restore points that were walked.
    pub points: u64,
    /// Packs that were looked at.
    pub packs: u64,
    /// Frames that were decrypted and named anew (with reading of data).
    pub frames: u64,
    /// Bytes of packs that were read.
    pub read_bytes: u64,
    /// Objects of domains whose keys this key does not open: nothing was checked of them.
    pub other_domains: u64,
    /// What is not as it was written; empty for a good repository.
    pub damage: Vec<Damage>,
}

/// What a pack was found to hold: length of frames by offset.
struct PackContent {
    header: Header,
    frames: HashMap<u32, u32>,
}

impl Repository {
    /// Checks that every pack, index and restore point authenticates and that every point finds
    /// all it needs. With `read_data` every stored byte is read, decrypted, decoded and named.
    ///
    /// Damage is in the report; an error means that the check itself could not be done.
    pub fn check(
        &self,
        read_data: bool,
        observer: &dyn VerifyObserver,
    ) -> Result<CheckReport, RepositoryError> {
        let mut report = CheckReport::default();
        // Before the packs: a point that is published meanwhile needs packs that are not listed.
        let (points, unreadable) = self.points()?;
        let mut objects = Vec::new();
        self.shared
            .store
            .list("packs/", &mut |object| objects.push(object))?;
        objects.sort_unstable();
        let mut packs = HashMap::new();
        for object in objects {
            if observer.cancelled() {
                return Err(RepositoryError::new(
                    RepositoryErrorKind::Cancelled,
                    "cancelled",
                ));
            }
            let Some(pack) = PackId::from_object_name(&object.name) else {
                let what = "this is not the name of a pack";
                report
                    .damage
                    .push(Damage::of_object(&RepositoryError::damaged(
                        &object.name,
                        what,
                    )));
                continue;
            };
            report.packs += 1;
            match self.check_pack(pack, object.size_bytes, read_data, &mut report) {
                Ok(content) => drop(packs.insert(pack, content)),
                Err(error) => add_damage(&mut report, &error)?,
            }
            observer.advanced(object.size_bytes);
        }
        self.check_indexes(read_data, &mut report)?;
        for error in unreadable {
            add_damage(&mut report, &error)?;
        }
        let mut whole = HashSet::new();
        for point in &points {
            report.points += 1;
            for stream in point.all_streams() {
                let walked = self.open_map(stream).and_then(|map| {
                    let mut walk = Walk {
                        map: &map,
                        packs: &packs,
                        whole: &mut whole,
                    };
                    match stream.root.as_ref().map(|root| root.to_map()).transpose()? {
                        Some(root) => walk.node(root.level, 0, root.name, root.locator),
                        None => Ok(()),
                    }
                });
                if let Err(error) = walked {
                    if !is_damage(&error) {
                        return Err(error);
                    }
                    // The first thing that is missing: `verify` says which ranges are lost.
                    let mut damage = Damage::of_stream(point, stream, 0..0, &error);
                    (damage.offset, damage.len_bytes) = (None, None);
                    report.damage.push(damage);
                }
            }
        }
        Ok(report)
    }

    /// Opens every index object; with `read_data` also compares its checksum.
    fn check_indexes(
        &self,
        read_data: bool,
        report: &mut CheckReport,
    ) -> Result<(), RepositoryError> {
        for (object, id, size_bytes) in index_objects(&*self.shared.store)? {
            let check = || {
                self.shared.open_index(&object, id, size_bytes)?;
                if read_data {
                    check_hash(&object, &self.shared.store.get(&object, INDEX_BYTES_MAX)?)?;
                }
                Ok(())
            };
            check().or_else(|error| add_damage(report, &error))?;
        }
        Ok(())
    }

    fn check_pack(
        &self,
        pack: PackId,
        size_bytes: u64,
        read_data: bool,
        report: &mut CheckReport,
    ) -> Result<PackContent, RepositoryError> {
        let (header, entries) = if read_data {
            self.read_pack(pack, size_bytes, report)?
        } else {
            self.shared.read_trailer(pack, size_bytes)?
        };
        let frames = entries
            .iter()
            .map(|entry| (entry.offset, entry.stored_bytes))
            .collect();
        Ok(PackContent { header, frames })
    }

    /// Reads a whole pack: its checksum, then every frame.
    fn read_pack(
        &self,
        pack: PackId,
        size_bytes: u64,
        report: &mut CheckReport,
    ) -> Result<(Header, Vec<TrailerEntry>), RepositoryError> {
        let object = pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let mut bytes = self.shared.store.get(&object, u64::from(u32::MAX))?;
        report.read_bytes += bytes.len() as u64;
        let damaged = |what| RepositoryError::damaged(&object, what);
        check_hash(&object, &bytes)?;
        let (header, key) = self.shared.open_header(&bytes, pack).map_err(named)?;
        let naming = &self.shared.of_domain(header.domain)?.naming;
        let footer = bytes
            .last_chunk::<FOOTER_BYTES>()
            .ok_or_else(|| damaged("the pack is too short"))?;
        let footer = Footer::parse(footer, size_bytes).map_err(named)?;
        // The footer's offset was compared with the length of the pack.
        let start = usize::try_from(footer.trailer_offset).unwrap_or(usize::MAX);
        let trailer = start
            .checked_add(footer.trailer_bytes)
            .and_then(|end| bytes.get_mut(start..end))
            .ok_or_else(|| damaged("the pack is too short"))?;
        let entries = footer
            .open_trailer(&key, header.len_bytes, trailer)
            .map_err(named)?;
        let mut plain = vec![0; FRAME_PLAIN_BYTES_MAX as usize];
        for entry in &entries {
            let at = |error: RepositoryError| named(error).at(entry.offset.into());
            let (start, len) = (entry.offset as usize, entry.stored_bytes as usize);
            let frame = bytes
                .get_mut(start..start + len)
                .ok_or_else(|| damaged("too short"))?;
            let frame = key
                .open(place_nonce(entry.offset.into()), &entry.name.0, frame)
                .map_err(at)?;
            let len = decode_frame(frame, &mut plain).map_err(at)?;
            check_name(naming, header.kind, entry, &plain[..len]).map_err(at)?;
            report.frames += 1;
        }
        Ok((header, entries))
    }
}

/// Names the content of a frame anew and compares.
fn check_name(
    naming: &Naming,
    kind: PackKind,
    entry: &TrailerEntry,
    plain: &[u8],
) -> Result<(), RepositoryError> {
    let name = match kind {
        PackKind::Chunks => naming.chunk(plain),
        PackKind::MapNodes => {
            let (level, count) = match plain {
                [level, _, low, high, ..] => (*level, u16::from_le_bytes([*low, *high])),
                _ => (0, 0),
            };
            MapNode::decode(plain, level, count.into(), naming)?.0
        }
    };
    if name == entry.name && plain.len() as u64 == u64::from(entry.plain_bytes) {
        return Ok(());
    }
    let what = "a frame does not hold what its name says";
    Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
}

/// Compares the checksum that packs and index objects end with.
fn check_hash(object: &str, bytes: &[u8]) -> Result<(), RepositoryError> {
    match bytes.split_last_chunk::<32>() {
        Some((content, hash)) if blake3::hash(content).as_bytes() == hash => Ok(()),
        _ => Err(RepositoryError::damaged(
            object,
            "the bytes are not as they were written: their checksum is wrong",
        )),
    }
}

fn is_damage(error: &RepositoryError) -> bool {
    matches!(
        error.kind(),
        RepositoryErrorKind::Damaged | RepositoryErrorKind::Unsupported
    )
}

fn add_damage(report: &mut CheckReport, error: &RepositoryError) -> Result<(), RepositoryError> {
    if error.kind() == RepositoryErrorKind::OtherDomain {
        report.other_domains += 1;
        return Ok(());
    }
    if !is_damage(error) {
        // The store failed: that says nothing about what is stored.
        let what = format!("the check could not go on: {error}");
        return Err(RepositoryError::new(error.kind(), what));
    }
    report.damage.push(Damage::of_object(error));
    Ok(())
}

/// Walks a map and sees that everything it points to is there. Each node once in a whole check.
struct Walk<'a> {
    map: &'a MapReader,
    packs: &'a HashMap<PackId, PackContent>,
    /// Nodes below which everything was found.
    whole: &'a mut HashSet<(Name, Locator)>,
}

impl Walk<'_> {
    /// At most seven deep.
    fn node(
        &mut self,
        level: u8,
        index: u64,
        name: Name,
        locator: Locator,
    ) -> Result<(), RepositoryError> {
        self.found(&locator, PackKind::MapNodes)?;
        if self.whole.contains(&(name, locator)) {
            return Ok(());
        }
        let node = self.map.node(level, index, name, locator)?;
        for (slot, entry) in node.entries.iter().enumerate() {
            let Entry::Stored { name, locator } = *entry else {
                continue;
            };
            match level.checked_sub(1) {
                Some(below) => self.node(below, index * 256 + slot as u64, name, locator)?,
                None => self.found(&locator, PackKind::Chunks)?,
            }
        }
        // Only now: another point that shares a broken node is broken too.
        self.whole.insert((name, locator));
        Ok(())
    }

    fn found(&self, locator: &Locator, kind: PackKind) -> Result<(), RepositoryError> {
        let object = locator.pack.object_name();
        let what = match self.packs.get(&locator.pack) {
            None => "a restore point needs this pack, and it is missing or damaged",
            Some(pack) if pack.header.domain != self.map.shared.domain().id => {
                "a restore point points into a pack of another domain"
            }
            Some(pack) if pack.header.kind != kind => {
                "a restore point needs another kind of pack here"
            }
            Some(pack) if pack.frames.get(&locator.offset) == Some(&locator.stored_bytes) => {
                return Ok(());
            }
            Some(_) => "a restore point needs a frame that the pack does not have",
        };
        Err(RepositoryError::damaged(&object, what).at(locator.offset.into()))
    }
}
