//! Reading map nodes, with those that lie around them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::domain_view::Shared;
use crate::format::PackId;
use crate::format::{
    HEADER_BYTES, Locator, NODE_BYTES_MAX, Name, PackKind, decode_frame, place_nonce,
};
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read of a node pack at a time, in bytes: about 23 leaves, which lie in the order of the
/// disk. Whoever reads one soon reads another.
const WINDOW_BYTES: u64 = 256 << 10;
/// Windows that are kept: 4 MiB.
const WINDOWS_KEPT: usize = 16;
/// The most that a node's frame can take: codec and tag besides the node.
const STORED_BYTES_MAX: usize = NODE_BYTES_MAX + 17;

/// Bytes of a window, as they are stored.
type Window = Arc<Vec<u8>>;

/// Parts of node packs: by pack, and number of the window in it.
pub(crate) struct NodeWindows(Mutex<Cache<(PackId, u64), Window>>);

impl NodeWindows {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Cache::new(WINDOWS_KEPT)))
    }
}

impl Shared {
    /// Reads and decodes the frame of a map node; whether it has the right name is for the caller
    /// to see to. Where its pack is gone it is followed to where it was moved.
    pub(crate) fn read_node(
        &self,
        name: Name,
        locator: Locator,
    ) -> Result<Vec<u8>, RepositoryError> {
        self.read_following(locator, &mut |place| self.read_node_here(name, place))
    }

    fn read_node_here(&self, name: Name, locator: Locator) -> Result<Vec<u8>, RepositoryError> {
        let object = locator.pack.object_name();
        let offset = u64::from(locator.offset);
        let place = |error: RepositoryError| error.in_object(&object).at(offset);
        let len = locator.stored_bytes as usize;
        if len > STORED_BYTES_MAX || offset < HEADER_BYTES as u64 {
            let what = "a map node of impossible length or place";
            return Err(place(RepositoryError::new(
                RepositoryErrorKind::Damaged,
                what,
            )));
        }
        let key = self
            .pack_key(locator.pack, PackKind::MapNodes)
            .map_err(place)?;
        let mut frame = Vec::with_capacity(len);
        while frame.len() < len {
            let position = offset + frame.len() as u64;
            let window = self
                .window(locator.pack, position / WINDOW_BYTES)
                .map_err(place)?;
            // Inside a window, so it fits.
            let skip = usize::try_from(position % WINDOW_BYTES).unwrap_or(usize::MAX);
            let part = window
                .get(skip..)
                .filter(|part| !part.is_empty())
                .ok_or_else(|| {
                    let what = "the pack ends before this map node";
                    place(RepositoryError::new(RepositoryErrorKind::Damaged, what))
                })?;
            frame.extend_from_slice(&part[..part.len().min(len - frame.len())]);
        }
        let plain = key
            .open(place_nonce(offset), &name.0, &mut frame)
            .map_err(place)?;
        let mut node = vec![0; NODE_BYTES_MAX];
        let len = decode_frame(plain, &mut node).map_err(place)?;
        node.truncate(len);
        Ok(node)
    }

    fn window(&self, pack: PackId, number: u64) -> Result<Window, RepositoryError> {
        let lock = || {
            self.node_windows
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(window) = lock().get(&(pack, number)) {
            return Ok(window);
        }
        let object = pack.object_name();
        let start = number * WINDOW_BYTES;
        let len = self
            .store
            .size_bytes(&object)?
            .saturating_sub(start)
            .min(WINDOW_BYTES);
        // At most 256 KiB.
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.store.get_range(&object, start, &mut bytes)?;
        let window = Arc::new(bytes);
        lock().insert((pack, number), Arc::clone(&window));
        Ok(window)
    }
}
