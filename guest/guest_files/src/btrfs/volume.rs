//! The devices of a volume, and the address space that its chunks make of them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::BlockDevice;
use fs_btrfs::btree::{TreeBlock, TreeGeometry};
use fs_btrfs::chunk::{ChunkMap, chunk_from_item};
use fs_btrfs::superblock::{Superblock, read_superblock};

use super::failure;
use super::tree::{Key, Tree};
use crate::FileError;
use crate::posix::foreign_reader::{ForeignReader, guarded};
use crate::posix::volume_reader::VolumeReader;
use crate::posix::{corrupt, unreadable};

/// Nodes are cached as what they are; pages serve small files that lie side by side.
const PAGE_BYTES: usize = 16 << 10;
/// What decoded nodes may hold.
const NODE_CACHE_BYTES: usize = 16 << 20;
/// A chunk is of a megabyte at least, and of a gigabyte usually.
const MOST_CHUNKS: usize = 1 << 20;

/// The devices, and how logical addresses lie on them.
pub(super) struct Volume {
    pub(super) superblock: Superblock,
    /// The device that was given first, on which places are told.
    pub(super) first_device: u64,
    devices: BTreeMap<u64, Arc<VolumeReader>>,
    chunks: ChunkMap,
    geometry: TreeGeometry,
    nodes: Mutex<Nodes>,
}

#[derive(Default)]
struct Nodes {
    by_address: HashMap<u64, Arc<TreeBlock>>,
    order: VecDeque<u64>,
}

impl Volume {
    /// Opens the devices of one volume, of which some may be missing.
    pub(super) fn open(given: Vec<Arc<dyn BlockDevice>>) -> Result<Self, FileError> {
        let mut devices = BTreeMap::new();
        let mut newest: Option<Superblock> = None;
        let mut first_device = None;
        for device in given {
            let reader = Arc::new(VolumeReader::new(device, PAGE_BYTES));
            let foreign = ForeignReader::new(Arc::clone(&reader));
            let (superblock, _) = guarded(|| read_superblock(&foreign).map_err(failure))?;
            let id = superblock.dev_item.devid;
            if newest
                .as_ref()
                .is_some_and(|newest| newest.fsid != superblock.fsid)
            {
                return Err(unreadable("these are devices of different Btrfs volumes"));
            }
            if devices.insert(id, reader).is_some() {
                return Err(unreadable(format!(
                    "two devices say that they are device {id}"
                )));
            }
            first_device.get_or_insert(id);
            if newest
                .as_ref()
                .is_none_or(|newest| newest.generation < superblock.generation)
            {
                newest = Some(superblock);
            }
        }
        let (Some(superblock), Some(first_device)) = (newest, first_device) else {
            return Err(unreadable("a Btrfs volume needs a device"));
        };
        if superblock.is_metadump() {
            return Err(unreadable(
                "this is a dump of Btrfs' metadata, without files",
            ));
        }
        let mut volume = Self {
            first_device,
            devices,
            chunks: guarded(|| ChunkMap::bootstrap(&superblock).map_err(failure))?,
            geometry: TreeGeometry::from_superblock(&superblock),
            superblock,
            nodes: Mutex::default(),
        };
        volume.read_chunks()?;
        Ok(volume)
    }

    fn read_chunks(&mut self) -> Result<(), FileError> {
        let mut found = Vec::new();
        let sector = self.superblock.sectorsize;
        let tree = Tree {
            volume: self,
            root: self.superblock.chunk_root,
        };
        tree.for_each(Key::FIRST, &mut |key, data| {
            let chunk = guarded(|| chunk_from_item(key, data, sector).map_err(failure))?;
            found.extend(chunk);
            match found.len() <= MOST_CHUNKS {
                true => Ok(true),
                false => Err(corrupt("the Btrfs volume has more chunks than fit in it")),
            }
        })?;
        for chunk in found {
            if self.chunks.chunk_for(chunk.logical) != Some(&chunk) {
                self.chunks.insert(chunk).map_err(failure)?;
            }
        }
        Ok(())
    }

    /// Says whether all devices are here.
    pub(super) fn missing_devices(&self) -> u64 {
        let here = u64::try_from(self.devices.len()).unwrap_or(0);
        self.superblock.num_devices.saturating_sub(here)
    }

    /// Returns how many copies there are of what lies at an address.
    pub(super) fn copies(&self, address: u64) -> Result<usize, FileError> {
        guarded(|| self.chunks.mirrors_at(address).map_err(failure))
    }

    /// Says where a copy lies: the device, the place there, and how many bytes lie behind it.
    pub(super) fn place(&self, address: u64, copy: usize) -> Result<(u64, u64, u64), FileError> {
        let found = guarded(|| self.chunks.map_mirror(address, copy).map_err(failure))?;
        if found.len == 0 {
            return Err(corrupt("a chunk of the Btrfs volume is empty"));
        }
        Ok((found.devid, found.physical, found.len))
    }

    /// Reads one copy of what lies at an address.
    pub(super) fn read_copy(
        &self,
        address: u64,
        copy: usize,
        buf: &mut [u8],
    ) -> Result<(), FileError> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = address.saturating_add(u64::try_from(done).unwrap_or(0));
            let (device, offset, len) = self.place(at, copy)?;
            let take = rest.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            let Some(reader) = self.devices.get(&device) else {
                return Err(unreadable(format!(
                    "a part of it lies on device {device} of the Btrfs volume, which is not here"
                )));
            };
            reader.read(offset, rest.get_mut(..take).unwrap_or_default())?;
            done += take.max(1);
        }
        Ok(())
    }

    /// Returns a node of a tree, from whichever copy is whole.
    pub(super) fn node(
        &self,
        address: u64,
        generation: Option<u64>,
    ) -> Result<Arc<TreeBlock>, FileError> {
        let is_right = |node: &TreeBlock| generation.is_none_or(|it| node.header.generation == it);
        if let Some(node) = self.lock().by_address.get(&address)
            && is_right(node)
        {
            return Ok(Arc::clone(node));
        }
        let mut failed = None;
        for copy in 0..self.copies(address)? {
            match self.read_node(address, copy) {
                Ok(node) if is_right(&node) => return Ok(self.keep(address, node)),
                Ok(_) => {
                    failed = Some(corrupt(
                        "a node is of another generation than its parent says",
                    ));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let failed = failed.unwrap_or_else(|| corrupt("there is no copy of it"));
        Err(failed.of(format!("the node at {address}")))
    }

    fn read_node(&self, address: u64, copy: usize) -> Result<Arc<TreeBlock>, FileError> {
        let mut bytes = vec![0; usize::try_from(self.geometry.nodesize).unwrap_or(0)];
        self.read_copy(address, copy, &mut bytes)?;
        let node = guarded(|| TreeBlock::parse(bytes, address, &self.geometry).map_err(failure))?;
        Ok(Arc::new(node))
    }

    fn keep(&self, address: u64, node: Arc<TreeBlock>) -> Arc<TreeBlock> {
        let most = NODE_CACHE_BYTES / usize::try_from(self.geometry.nodesize).unwrap_or(1).max(1);
        let mut nodes = self.lock();
        if nodes
            .by_address
            .insert(address, Arc::clone(&node))
            .is_none()
        {
            nodes.order.push_back(address);
        }
        while nodes.order.len() > most {
            if let Some(oldest) = nodes.order.pop_front() {
                nodes.by_address.remove(&oldest);
            }
        }
        node
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Nodes> {
        // Nodes are put in whole: one that panicked left nothing half done.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
