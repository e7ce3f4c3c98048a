//! Which bytes may stand on a disk after a crash.

use crate::{ModelDisk, index};

/// Sectors are written whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

#[derive(Debug)]
enum Event {
    Write {
        began: usize,
        offset: u64,
        data: Vec<u8>,
    },
    Flush {
        ended: usize,
    },
}

/// The writes and flushes of a disk, on the clock of its file: the number of recorded operations.
#[derive(Debug)]
pub struct WriteHistory {
    start: ModelDisk,
    events: Vec<Event>,
}

impl WriteHistory {
    /// Starts from a disk whose bytes are durable.
    pub fn new(start: ModelDisk) -> Self {
        Self {
            start,
            events: Vec::new(),
        }
    }

    /// Notes a write of whole sectors that began when the file had seen `began` operations.
    pub fn write(&mut self, began: usize, offset: u64, data: &[u8]) {
        self.events.push(Event::Write {
            began,
            offset,
            data: data.to_vec(),
        });
    }

    /// Notes a flush that returned when the file had seen `ended` operations.
    pub fn flush(&mut self, ended: usize) {
        self.events.push(Event::Flush { ended });
    }

    /// Fails unless `found`, the whole disk after a crash at `cut`, holds in each sector what was
    /// flushed last, or something that was written there since.
    pub fn assert_possible(&self, cut: usize, found: &[u8]) {
        let durable = self
            .events
            .iter()
            .rposition(|event| matches!(event, Event::Flush { ended } if *ended <= cut))
            .map_or(0, |flush| flush + 1);
        let mut disk = self.start.clone();
        for event in &self.events[..durable] {
            if let Event::Write { offset, data, .. } = event {
                disk.write(*offset, data);
            }
        }
        let since: Vec<(usize, &[u8])> = self.events[durable..]
            .iter()
            .filter_map(|event| match event {
                Event::Write {
                    began,
                    offset,
                    data,
                } if *began <= cut => Some((index(*offset), data.as_slice())),
                _ => None,
            })
            .collect();
        assert_eq!(found.len(), disk.bytes().len(), "size of the disk");
        let sectors = found
            .chunks(SECTOR_BYTES)
            .zip(disk.bytes().chunks(SECTOR_BYTES));
        for (number, (found, flushed)) in sectors.enumerate() {
            let at = number * SECTOR_BYTES;
            let possible = found == flushed
                || since.iter().any(|(offset, data)| {
                    at.checked_sub(*offset)
                        .and_then(|from| data.get(from..from + found.len()))
                        .is_some_and(|data| data == found)
                });
            assert!(
                possible,
                "after a crash at operation {cut}, the sector at {at} holds neither what was \
                 flushed nor what was written since"
            );
        }
    }
}
