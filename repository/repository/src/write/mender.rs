//! Points that need what is condemned get copies of it.

use std::collections::{HashMap, HashSet};

use crate::format::{Codec, Entry, Locator, MapNode, Name, PackId, PackKind};
use crate::read::{MapReader, Trail};
use crate::stream::{Stream, StreamRoot};
use crate::write::RunWriter;
use crate::write::known_chunks::Standing;
use crate::write::pack_builder::StagedFrames;
use crate::{RepositoryError, RepositoryErrorKind, RestorePoint};

/// Walks the nodes of a point, copies the frames that lie in condemned packs, and writes the nodes
/// on the way to them anew.
pub(crate) struct Mender<'a> {
    run: &'a RunWriter,
    codec: Codec,
    /// What became of nodes and chunks.
    done: HashMap<(Name, Locator), Entry>,
    held: Held,
}

/// What a host that reads no data would have had to copy.
#[derive(Default)]
pub(crate) struct Held {
    /// Packs that it lies in, and all those that forwarding objects lead to from there.
    pub(crate) packs: HashSet<PackId>,
    /// Some of it is gone, or nobody can tell where it lies.
    pub(crate) may_be_gone: bool,
    error: Option<RepositoryError>,
}

impl<'a> Mender<'a> {
    pub(crate) fn new(run: &'a RunWriter) -> Result<Self, RepositoryError> {
        Ok(Self {
            run,
            codec: Codec::new()?,
            done: HashMap::new(),
            held: Held::default(),
        })
    }

    /// Returns the point as it must be, with an id of its own; `None` where it is good.
    ///
    /// What was copied is not durable yet. Fails with `Collected` where something is gone, and with
    /// `WriteOnly` where this host cannot copy what [`Mender::held`] then tells.
    pub(crate) fn mend(
        &mut self,
        point: &RestorePoint,
    ) -> Result<Option<RestorePoint>, RepositoryError> {
        let mut mended = point.clone();
        let mut changed = false;
        for stream in mended.streams.iter_mut().chain(&mut mended.images) {
            changed |= self.mend_stream(stream)?;
        }
        if let Some(error) = self.held.error.take() {
            return Err(error);
        }
        if !changed {
            return Ok(None);
        }
        mended.id = RestorePoint::new_id()?;
        Ok(Some(mended))
    }

    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    fn mend_stream(&mut self, stream: &mut Stream) -> Result<bool, RepositoryError> {
        let Some(root) = stream.root.as_ref().map(StreamRoot::to_map).transpose()? else {
            return Ok(false);
        };
        let map = self.run.repository().open_map(stream)?;
        let (level, name, locator) = (root.level, root.name, root.locator);
        let Entry::Stored { locator: new, .. } = self.node(&map, level, 0, name, locator)? else {
            return Ok(false);
        };
        if new == locator {
            return Ok(false);
        }
        let mut root = root;
        root.locator = new;
        let domain = self.run.shared().domain().id;
        stream.root = Some(StreamRoot::from_map(domain, root));
        Ok(true)
    }

    /// Returns a node as its parent's entry must be. At most seven deep.
    fn node(
        &mut self,
        map: &MapReader,
        level: u8,
        index: u64,
        name: Name,
        locator: Locator,
    ) -> Result<Entry, RepositoryError> {
        if let Some(entry) = self.done.get(&(name, locator)) {
            return Ok(*entry);
        }
        let standing = self.run.known().standing(&locator);
        let node = match map.node(level, index, name, locator) {
            Err(error) if standing != Standing::Good => return Err(collected(&error)),
            node => node?,
        };
        let mut new = MapNode::clone(&node);
        for (slot, entry) in (0u64..).zip(&mut new.entries) {
            let Entry::Stored { name, locator } = *entry else {
                continue;
            };
            *entry = match level.checked_sub(1) {
                Some(below) => self.node(map, below, index * 256 + slot, name, locator)?,
                None => self.chunk(name, locator)?,
            };
        }
        let entry = if new == *node && standing == Standing::Good {
            Entry::Stored { name, locator }
        } else {
            // Not by its name: what has this name elsewhere may point to what is condemned.
            let (name, bytes) = new.encode(&self.run.shared().naming);
            let mut staged = StagedFrames::default();
            self.codec.encode(&bytes, &mut staged.bytes);
            let plain_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            staged.frames.push((name, staged.bytes.len(), plain_bytes));
            let locator = self.run.append(PackKind::MapNodes, &staged)?[0];
            Entry::Stored { name, locator }
        };
        self.done.insert((name, locator), entry);
        Ok(entry)
    }

    /// Returns a chunk as its leaf's entry must be.
    fn chunk(&mut self, name: Name, locator: Locator) -> Result<Entry, RepositoryError> {
        if self.run.known().standing(&locator) == Standing::Good {
            return Ok(Entry::Stored { name, locator });
        }
        if let Some(entry) = self.done.get(&(name, locator)) {
            return Ok(*entry);
        }
        let new = match self.run.known().find(&name) {
            Some(elsewhere) => elsewhere,
            None => match self.copy(name, locator) {
                // Looked on: whether it is safe depends on all that the point needs.
                Err(error) if error.kind() == RepositoryErrorKind::WriteOnly => {
                    self.held.may_be_gone |= self.run.known().standing(&locator) == Standing::Gone;
                    self.hold(locator);
                    self.held.error = Some(error);
                    locator
                }
                copied => copied?,
            },
        };
        let entry = Entry::Stored { name, locator: new };
        self.done.insert((name, locator), entry);
        Ok(entry)
    }

    /// Remembers the packs in which a frame may be looked for.
    fn hold(&mut self, place: Locator) {
        let mut trail = Trail::new(place);
        while let Some(place) = trail.next() {
            self.held.packs.insert(place.pack);
            match self.run.shared().forward_table(place.pack, false) {
                Ok(table) => table.places(place.offset).for_each(|next| {
                    trail.add(next);
                }),
                Err(_) => self.held.may_be_gone = true,
            }
        }
    }

    fn copy(&mut self, name: Name, locator: Locator) -> Result<Locator, RepositoryError> {
        let shared = self.run.shared();
        let (bytes, plain_bytes) = shared
            .read_sealed_frame(PackKind::Chunks, name, locator)
            .map_err(|error| collected(&error))?;
        let staged = StagedFrames {
            frames: vec![(name, bytes.len(), plain_bytes)],
            bytes,
        };
        let new = self.run.append(PackKind::Chunks, &staged)?[0];
        self.run.known().resolve(&name, new);
        Ok(new)
    }
}

/// Something that the run relied on is not there any more.
fn collected(error: &RepositoryError) -> RepositoryError {
    if error.kind() != RepositoryErrorKind::Damaged {
        return RepositoryError::new(error.kind(), error.to_string());
    }
    let what = format!("a collection has deleted meanwhile what this run relied on: {error}");
    RepositoryError::new(RepositoryErrorKind::Collected, what).hint(
        "run the backup again; it stores what is missing. Do not collect with `--no-other-writers` \
         while backups run",
    )
}
