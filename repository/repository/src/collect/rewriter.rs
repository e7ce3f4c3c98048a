//! Moves what is alive out of sparse packs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::collect::CollectStage;
use crate::collect::collector::Collection;
use crate::collect::forward_map::Place;
use crate::collect::marker::{FrameSink, Marker};
use crate::collect::visited_nodes::VisitedNodes;
use crate::domain_view::Shared;
use crate::format::{
    Forward, IndexEntry, IndexObject, Locator, PackId, PackKind, TrailerEntry, place_nonce,
};
use crate::keys::DomainId;
use crate::read::plain_len;
use crate::write::{FinishedPack, PackBuilder, StagedFrames};
use crate::{RepositoryError, RepositoryErrorKind};

/// The most that is rewritten of packs in one collection, in bytes that are alive: what has to be
/// remembered of their frames stays below some ten megabytes.
const ALIVE_BYTES_MAX: u64 = 64 << 30;
/// A pack that is larger than this is left alone: it is read as a whole.
const PACK_BYTES_MAX: u64 = 256 << 20;
/// What is won by a rewriting at the least, in bytes: of a tiny pack header and trailer are the
/// larger part, and are so again where its frames go.
const GAIN_BYTES_MIN: u64 = 16 << 10;

/// Exactly what is alive in the packs that are to be rewritten.
struct AliveFrames {
    packs: HashMap<u32, Mutex<Alive>>,
}

#[derive(Default)]
struct Alive {
    offsets: HashSet<u32>,
    /// Frames that maps look for elsewhere: where, and where they lie here, and whether
    /// the master key vouches for the way.
    led_here: HashMap<(PackId, u32), (u32, bool)>,
}

impl Alive {
    /// Says whether less than half of a pack's frames is alive, in bytes.
    ///
    /// The marks only estimate it. Where they are wrong about a pack of few frames they may be as
    /// wrong about the one that its frames are moved to, and then it is moved for ever.
    fn is_sparse(&self, entries: &[TrailerEntry]) -> bool {
        let bytes = |entry: &TrailerEntry| u64::from(entry.stored_bytes);
        let is_alive = |entry: &&TrailerEntry| self.offsets.contains(&entry.offset);
        let alive_bytes: u64 = entries.iter().filter(is_alive).map(bytes).sum();
        alive_bytes < entries.iter().map(bytes).sum::<u64>().div_ceil(2)
    }
}

impl FrameSink for AliveFrames {
    fn reached(&self, locator: &Locator, places: &[Place]) {
        for place in places {
            let Some(alive) = self.packs.get(&place.pack) else {
                continue;
            };
            let mut alive = alive.lock().unwrap_or_else(PoisonError::into_inner);
            alive.offsets.insert(place.offset);
            if place.moved {
                let from = (locator.pack, locator.offset);
                let here = (place.offset, place.vouched);
                alive.led_here.insert(from, here);
            }
        }
    }
}

/// What is to be said of where frames of several packs went, and whether we vouch for it.
type ForwardsByPack = Vec<((PackId, bool), Vec<Forward>)>;

/// Packs of one domain and kind that are being filled.
struct Mover {
    shared: Arc<Shared>,
    builder: PackBuilder,
    /// Forwarding objects that wait until what they lead to is durable.
    waiting: Vec<(u32, ForwardsByPack)>,
    entries: Vec<IndexEntry>,
    packs: Vec<PackId>,
    written_bytes: u64,
}

impl Collection<'_> {
    /// Moves what is alive out of sparse packs, and out of those that were condemned and are
    /// needed all the same; returns the packs that need not be kept any more.
    pub(crate) fn rewrite(&mut self) -> Result<HashSet<u32>, RepositoryError> {
        let chosen = self.choose_sparse()?;
        if chosen.is_empty() || self.options.dry_run {
            return Ok(HashSet::new());
        }
        let alive = self.find_alive(&chosen)?;
        let mut done = HashSet::new();
        let mut movers: BTreeMap<(DomainId, u8), Mover> = BTreeMap::new();
        let total = chosen.len() as u64;
        for (number, count) in chosen.iter().zip(1..) {
            if self.observer.cancelled() {
                break;
            }
            self.observer
                .advanced(CollectStage::Rewriting, count, total);
            let Some(alive) = alive.packs.get(number) else {
                continue;
            };
            let alive = alive.lock().unwrap_or_else(PoisonError::into_inner);
            match self.move_pack(*number, &alive, &mut movers, &mut done) {
                Err(error) if error.kind() == RepositoryErrorKind::NoSpace => {
                    self.report.store_is_full = true;
                    return Ok(done);
                }
                result => result?,
            }
        }
        for mover in movers.values_mut() {
            match mover.finish(&mut done) {
                Err(error) if error.kind() == RepositoryErrorKind::NoSpace => {
                    self.report.store_is_full = true;
                }
                result => result?,
            }
            self.report.moved_bytes += mover.written_bytes;
        }
        let table = &self.inventory.table;
        let sizes = done.iter().map(|number| table.pack(*number).size_bytes);
        self.report.rewritten_bytes = sizes.map(u64::from).sum();
        self.report.rewritten_packs = done.len() as u64;
        Ok(done)
    }

    /// Chooses packs, those first of which least is alive.
    fn choose_sparse(&mut self) -> Result<Vec<u32>, RepositoryError> {
        let table = &self.inventory.table;
        let part = self.options.rewrite_below.clamp(0.0, 1.0);
        let mut chosen = Vec::new();
        for (number, pack) in table.iter() {
            let size_bytes = u64::from(pack.size_bytes);
            if !table.reached(number) || size_bytes > PACK_BYTES_MAX {
                continue;
            }
            let alive_bytes = table.alive_bytes(number);
            let pardoned = self.condemned.contains(&number);
            #[expect(
                clippy::cast_precision_loss,
                reason = "packs are smaller than 2^32 bytes"
            )]
            let sparse = (alive_bytes as f64) < part * size_bytes as f64
                && alive_bytes < size_bytes / 2
                && size_bytes - alive_bytes >= GAIN_BYTES_MIN
                && self.is_old(number);
            if (pardoned && part > 0.0) || sparse {
                chosen.push((alive_bytes * 1000 / size_bytes.max(1), number, alive_bytes));
            }
        }
        chosen.sort_unstable();
        let most = self.options.rewrite_bytes_max.min(ALIVE_BYTES_MAX);
        let mut sum = 0;
        chosen.retain(|(_, _, alive_bytes)| {
            sum += alive_bytes;
            sum <= most
        });
        if self.options.dry_run {
            let sizes = chosen.iter().map(|(_, number, _)| table.pack(*number));
            self.report.rewritten_bytes = sizes.map(|pack| u64::from(pack.size_bytes)).sum();
            self.report.rewritten_packs = chosen.len() as u64;
            self.report.moved_bytes = chosen.iter().map(|(_, _, alive)| alive).sum();
        }
        Ok(chosen.into_iter().map(|(_, number, _)| number).collect())
    }

    /// Walks all maps once more, to know exactly what is alive in a few packs.
    fn find_alive(&self, chosen: &[u32]) -> Result<AliveFrames, RepositoryError> {
        let alive = AliveFrames {
            packs: chosen
                .iter()
                .map(|number| (*number, Mutex::default()))
                .collect(),
        };
        let marker = Marker {
            visited: VisitedNodes::new(),
            missing: Mutex::default(),
            sink: Some(&alive),
            points_done: AtomicU64::new(0),
            ..*self.marker()
        };
        marker.mark_points(&self.inventory.points, self.observer)?;
        drop(marker);
        Ok(alive)
    }

    fn move_pack(
        &self,
        number: u32,
        alive: &Alive,
        movers: &mut BTreeMap<(DomainId, u8), Mover>,
        done: &mut HashSet<u32>,
    ) -> Result<(), RepositoryError> {
        let pack = *self.inventory.table.pack(number);
        let shared = &self.repository.shared;
        let object = pack.id.object_name();
        let read = || {
            let (header, entries) = shared.read_trailer(pack.id, pack.size_bytes.into())?;
            if !self.condemned.contains(&number) && !alive.is_sparse(&entries) {
                return Ok(None);
            }
            let bytes = shared.store.get(&object, pack.size_bytes.into())?;
            Ok(Some((header, entries, bytes)))
        };
        let (header, entries, mut bytes) = match read() {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            // Damaged, or gone since: repair's, or another collector's.
            Err(error) if RepositoryError::kind(&error) == RepositoryErrorKind::Damaged => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let key = (header.domain, header.kind as u8);
        let mover = match movers.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Mover::new(shared.of_domain(header.domain)?, header.kind))
            }
        };
        let staged = stage(
            &mover.shared,
            pack.id,
            header.kind,
            alive,
            &entries,
            &mut bytes,
        );
        let (staged, offsets) = match staged {
            Err(error) if error.kind() == RepositoryErrorKind::Damaged => return Ok(()),
            staged => staged?,
        };
        if staged.frames.is_empty() {
            return Ok(());
        }
        mover.add(number, pack.id, alive, &staged, &offsets, done)
    }
}

/// Decrypts the frames of a pack that are alive. Fails where one of them is damaged or not there:
/// then nothing is moved.
fn stage(
    shared: &Shared,
    pack: PackId,
    kind: PackKind,
    alive: &Alive,
    entries: &[TrailerEntry],
    bytes: &mut [u8],
) -> Result<(StagedFrames, Vec<u32>), RepositoryError> {
    let damaged = |what| RepositoryError::damaged(&pack.object_name(), what);
    let key = shared.pack_key(pack, kind)?;
    let (mut staged, mut offsets) = (StagedFrames::default(), Vec::new());
    for entry in entries {
        if !alive.offsets.contains(&entry.offset) {
            continue;
        }
        let (start, len) = (entry.offset as usize, entry.stored_bytes as usize);
        let frame = start
            .checked_add(len)
            .and_then(|end| bytes.get_mut(start..end))
            .ok_or_else(|| damaged("the pack is too short"))?;
        let plain = key.open(place_nonce(entry.offset.into()), &entry.name.0, frame)?;
        staged.bytes.extend_from_slice(plain);
        let plain_bytes = plain_len(plain).ok_or_else(|| damaged("a frame of no known length"))?;
        let end = staged.bytes.len();
        staged.frames.push((entry.name, end, plain_bytes));
        offsets.push(entry.offset);
    }
    if offsets.len() == alive.offsets.len() {
        Ok((staged, offsets))
    } else {
        Err(damaged(
            "a restore point needs a frame that the pack does not have",
        ))
    }
}

impl Mover {
    fn new(shared: Arc<Shared>, kind: PackKind) -> Self {
        let target = usize::try_from(shared.file.pack_bytes).unwrap_or(usize::MAX);
        let target = match kind {
            PackKind::Chunks => target,
            PackKind::MapNodes => target / 4,
        };
        Self {
            shared,
            builder: PackBuilder::new(kind, target),
            waiting: Vec::new(),
            entries: Vec::new(),
            packs: Vec::new(),
            written_bytes: 0,
        }
    }

    /// Puts the frames of one old pack into new ones.
    fn add(
        &mut self,
        number: u32,
        old: PackId,
        alive: &Alive,
        staged: &StagedFrames,
        offsets: &[u32],
        done: &mut HashSet<u32>,
    ) -> Result<(), RepositoryError> {
        debug_assert_eq!(staged.frames.len(), offsets.len());
        let (locators, full) = self.builder.append(&self.shared, staged)?;
        let places: HashMap<u32, Locator> = offsets
            .iter()
            .copied()
            .zip(locators.iter().copied())
            .collect();
        let mut forwards: HashMap<(PackId, bool), Vec<Forward>> = HashMap::new();
        for (old_offset, target) in &places {
            let (old_offset, target) = (*old_offset, *target);
            let of_pack = forwards.entry((old, true)).or_default();
            of_pack.push(Forward { old_offset, target });
        }
        let elsewhere = alive.led_here.iter().filter(|((pack, _), _)| *pack != old);
        for ((pack, old_offset), (here, vouched)) in elsewhere {
            if let Some(target) = places.get(here) {
                let (old_offset, target) = (*old_offset, *target);
                let of_pack = forwards.entry((*pack, *vouched)).or_default();
                of_pack.push(Forward { old_offset, target });
            }
        }
        self.waiting.push((number, forwards.into_iter().collect()));
        if let Some(full) = full {
            self.put(full)?;
            // All that waits lies in this pack or in earlier ones.
            self.lead(done)?;
        }
        Ok(())
    }

    fn put(&mut self, pack: FinishedPack) -> Result<(), RepositoryError> {
        let bytes = &pack.buffer.bytes;
        self.shared.store.put_new(&pack.id.object_name(), bytes)?;
        self.written_bytes += bytes.len() as u64;
        let entries = pack.entries.iter().map(|entry| IndexEntry {
            name: entry.name,
            locator: Locator {
                pack: pack.id,
                offset: entry.offset,
                stored_bytes: entry.stored_bytes,
            },
        });
        self.entries.extend(entries);
        self.packs.push(pack.id);
        pack.ticket.durable();
        Ok(())
    }

    /// Says where frames went that are durable there.
    fn lead(&mut self, done: &mut HashSet<u32>) -> Result<(), RepositoryError> {
        for (number, forwards) in std::mem::take(&mut self.waiting) {
            for ((pack, vouched), mut of_pack) in forwards {
                // What a host alone says leads here is not ours to vouch for.
                match vouched {
                    true => self.shared.put_forward(pack, &mut of_pack)?,
                    false => self.shared.put_unvouched_forward(pack, &mut of_pack)?,
                };
            }
            done.insert(number);
        }
        Ok(())
    }

    fn finish(&mut self, done: &mut HashSet<u32>) -> Result<(), RepositoryError> {
        if let Some(pack) = self.builder.finish()? {
            self.put(pack)?;
        }
        self.lead(done)?;
        if self.packs.is_empty() {
            return Ok(());
        }
        // Until this is durable writers do not find the new packs; nothing is lost by it.
        let packs = std::mem::take(&mut self.packs);
        let domain = self.shared.domain();
        let IndexObject { id, bytes } = IndexObject::build(domain, &mut self.entries, packs)?;
        self.entries.clear();
        Ok(self.shared.store.put_new(&id.index_object_name(), &bytes)?)
    }
}
