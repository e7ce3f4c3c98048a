//! A disk that is read ahead, by two threads, where it is read from front to back in long pieces.
//!
//! The content of a long file is asked for a megabyte at a time, and each comes out of the repository
//! by decrypting, decoding and hashing a dozen chunks: work for more than one processor. So once two
//! long reads followed each other, the next ones are begun before they are asked for.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, DiskError, Extent, check_range};

/// Reads from here on are long.
const LONG_BYTES: usize = 256 << 10;
/// Longest read that is begun ahead.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Pieces that are begun ahead, and buffers that wait for one: six megabytes a disk at most.
const PIECES_AHEAD: usize = 3;
/// Threads that read them.
const THREADS: usize = 2;

/// A disk, and what is being read of it ahead.
pub(crate) struct AheadDisk {
    disk: Arc<dyn BlockDevice>,
    ahead: Mutex<Ahead>,
}

#[derive(Default)]
struct Ahead {
    /// Where a read begins that follows the last one.
    next: u64,
    pieces: VecDeque<Piece>,
    /// Buffers to be filled again: fresh memory costs as much as filling it.
    spare: Vec<Vec<u8>>,
    /// There once something was read ahead.
    jobs: Option<Sender<Job>>,
}

/// A read that was begun.
struct Piece {
    offset: u64,
    len: usize,
    bytes: Receiver<Result<Vec<u8>, DiskError>>,
}

/// A read to be done.
struct Job {
    offset: u64,
    len: usize,
    buffer: Vec<u8>,
    bytes: SyncSender<Result<Vec<u8>, DiskError>>,
}

impl AheadDisk {
    pub(crate) fn new(disk: Arc<dyn BlockDevice>) -> Self {
        Self {
            disk,
            ahead: Mutex::default(),
        }
    }

    /// Returns the piece that is being read for this, if there is one, and begins the next.
    fn piece(&self, offset: u64, len: usize) -> Option<Piece> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let follows = ahead.next == offset;
        ahead.next = offset.saturating_add(len as u64);
        if !follows {
            ahead.pieces.clear();
            return None;
        }
        let fits = |piece: &Piece| piece.offset == offset && piece.len == len;
        let piece = match ahead.pieces.pop_front() {
            Some(piece) if fits(&piece) => Some(piece),
            _ => {
                ahead.pieces.clear();
                None
            }
        };
        while ahead.pieces.len() < PIECES_AHEAD {
            let end = |piece: &Piece| piece.offset.saturating_add(piece.len as u64);
            let begin = ahead.pieces.back().map_or(ahead.next, end);
            let rest = self.disk.size_bytes().saturating_sub(begin);
            let len = usize::try_from(rest).unwrap_or(usize::MAX).min(len);
            if len == 0 {
                break;
            }
            let (send, bytes) = sync_channel(1);
            let job = Job {
                offset: begin,
                len,
                buffer: ahead.spare.pop().unwrap_or_default(),
                bytes: send,
            };
            let jobs = ahead.jobs.get_or_insert_with(|| workers(&self.disk));
            if jobs.send(job).is_err() {
                break;
            }
            let offset = begin;
            ahead.pieces.push_back(Piece { offset, len, bytes });
        }
        piece
    }
}

/// Starts threads that read until their disk is gone.
fn workers(disk: &Arc<dyn BlockDevice>) -> Sender<Job> {
    let (send, jobs) = channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..THREADS {
        let (disk, jobs) = (Arc::clone(disk), Arc::clone(&jobs));
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                let mut bytes = job.buffer;
                bytes.resize(job.len, 0);
                let read = disk.read_at(job.offset, &mut bytes);
                // Nobody may want it any more.
                let _ = job.bytes.send(read.map(|()| bytes));
            }
        });
    }
    send
}

impl BlockDevice for AheadDisk {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.disk.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        if (LONG_BYTES..=PIECE_BYTES_MAX).contains(&buf.len())
            && let Some(piece) = self.piece(offset, buf.len())
            && let Ok(Ok(bytes)) = piece.bytes.recv()
            && bytes.len() == buf.len()
        {
            buf.copy_from_slice(&bytes);
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            if ahead.spare.len() < PIECES_AHEAD {
                ahead.spare.push(bytes);
            }
            return Ok(());
        }
        // What could not be read ahead says why when it is asked for.
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use block_io::MemoryDisk;

    use super::*;

    #[test]
    fn bytes_are_those_of_the_disk_in_any_order() {
        let bytes: Vec<u8> = (0..9_000_001_usize)
            .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1] ^ at.to_le_bytes()[2])
            .collect();
        let disk = AheadDisk::new(Arc::new(MemoryDisk::new(bytes.clone())));
        let check = |offset: usize, len: usize| {
            let mut buf = vec![0; len];
            disk.read_at(offset as u64, &mut buf).unwrap();
            assert!(buf == bytes[offset..offset + len], "{offset}, {len}");
        };
        let long = 1 << 20;
        for offset in (0..8 * long).step_by(long) {
            check(offset, long);
        }
        check(8 * long, bytes.len() - 8 * long);
        for (offset, len) in [(0, long), (long, 300_000), (long + 300_000, long), (7, 10)] {
            check(offset, len);
        }
        check(5 * long, long);
        check(6 * long, long);
        check(3 * long, long);
        check(4 * long, 2 * long);
        let mut beyond = vec![0; long];
        assert!(disk.read_at(8_500_000, &mut beyond).is_err());
    }
}
