//! Walking ahead of who writes, and asking for many entries at once.

use std::sync::mpsc::{SyncSender, sync_channel};

use guest_files::{Details, FileError, FileName, GuestFileSystem, Node, NodeKind};

use crate::target::TargetError;
use crate::{Entry, TakeOutObserver, Walk, WalkItem};

/// Files up to this length come with what is said of them.
pub(crate) const SHORT_BYTES: u64 = 64 << 10;
/// Most entries of a batch.
const BATCH_ENTRIES: usize = 128;
/// About so many bytes of content a batch may have.
const BATCH_BYTES: u64 = 768 << 10;
/// Batches that wait for the target.
const BATCHES_WAITING: usize = 2;

/// What comes out of a folder, with what was asked ahead.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are entries; failures are few"
)]
pub(crate) enum Item {
    /// An entry; the details are missing where something of them could not be read.
    Entry(Entry, Option<Details>),
    /// What could not be read.
    Failed {
        path: Vec<FileName>,
        error: FileError,
    },
}

/// A walk in a thread of its own.
pub(crate) struct Batches<'a> {
    system: &'a dyn GuestFileSystem,
    items: Vec<Item>,
    content_bytes: u64,
    full: SyncSender<Vec<Item>>,
}

impl<'a> Batches<'a> {
    /// Walks a folder and calls `each` for all that is in it, in the order of the walk. The walk goes
    /// on in another thread meanwhile; once `each` fails it ends.
    pub(crate) fn over(
        system: &'a dyn GuestFileSystem,
        folder: &Node,
        observer: &dyn TakeOutObserver,
        mut each: impl FnMut(Item) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        std::thread::scope(|scope| {
            let (full, batches) = sync_channel(BATCHES_WAITING);
            let ahead = Self {
                system,
                items: Vec::new(),
                content_bytes: 0,
                full,
            };
            scope.spawn(move || ahead.walk(folder, observer));
            // The channel is dropped with the loop, and with it the thread ends.
            batches.into_iter().flatten().try_for_each(&mut each)
        })
    }

    fn walk(mut self, folder: &Node, observer: &dyn TakeOutObserver) {
        for item in Walk::new(self.system, folder) {
            if observer.cancelled() {
                return;
            }
            match item {
                WalkItem::Entry(entry) => {
                    if entry.node.kind == NodeKind::File && entry.node.size_bytes <= SHORT_BYTES {
                        self.content_bytes += entry.node.size_bytes;
                    }
                    self.items.push(Item::Entry(entry, None));
                }
                WalkItem::Failed { path, error } => self.items.push(Item::Failed { path, error }),
            }
            let is_full = self.items.len() >= BATCH_ENTRIES || self.content_bytes >= BATCH_BYTES;
            if is_full && !self.hand_over() {
                return;
            }
        }
        self.hand_over();
    }

    /// Asks for the details of a batch, and hands it over; `false` once nobody wants more.
    fn hand_over(&mut self) -> bool {
        let mut items = std::mem::take(&mut self.items);
        self.content_bytes = 0;
        let entries = items.iter_mut().filter_map(|item| match item {
            Item::Entry(entry, details) => Some((&entry.node, details)),
            Item::Failed { .. } => None,
        });
        let (nodes, places): (Vec<_>, Vec<_>) = entries
            .filter(|(node, _)| node.kind != NodeKind::Other)
            .map(|(node, details)| ((node.id, node.kind), details))
            .unzip();
        let details = self.system.details(&nodes, SHORT_BYTES);
        for (place, details) in places.into_iter().zip(details) {
            // What went wrong is asked for again, and told then.
            *place = details.ok();
        }
        self.full.send(items).is_ok()
    }
}
