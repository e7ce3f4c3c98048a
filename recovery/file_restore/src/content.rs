//! A file's content on its way to a target.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use guest_files::{FileError, FileErrorKind, GuestFile};

use crate::TakeOutObserver;
use crate::target::{Kept, TargetError};

/// Bytes of a long file that are read at once.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that there are of a file at any time: one being read, one written, one between them.
const PIECES: usize = 3;

/// A file's content as a target reads it: from front to back.
pub struct Source<'a> {
    inner: Inner<'a>,
    observer: &'a dyn TakeOutObserver,
    size_bytes: u64,
    /// How much of it was given out.
    read: u64,
    /// What was taken of the piece at hand by [`Source::read`].
    taken: usize,
    failed: Option<FileError>,
}

enum Inner<'a> {
    /// All of it, and whether it is at hand yet.
    Bytes(&'a [u8], bool),
    /// It is read into one buffer.
    Now {
        content: &'a dyn GuestFile,
        piece: Vec<u8>,
    },
    /// It is read by a thread, ahead of who takes it.
    Ahead {
        full: Receiver<Result<Vec<u8>, FileError>>,
        empty: Sender<Vec<u8>>,
        piece: Vec<u8>,
    },
}

/// Writes what a source gives.
pub(crate) type Write<'w> = dyn FnMut(&mut Source<'_>) -> Result<Kept, TargetError> + 'w;

impl Source<'_> {
    /// Has bytes written that are here already; returns what was kept, and how many they were.
    pub(crate) fn of_bytes(
        content: &[u8],
        observer: &dyn TakeOutObserver,
        write: &mut Write<'_>,
    ) -> Result<(Kept, u64), TargetError> {
        let len = content.len() as u64;
        let mut source = Source::new(Inner::Bytes(content, false), len, observer);
        let kept = write(&mut source)?;
        Ok((kept, source.read))
    }
}

impl<'a> Source<'a> {
    fn new(inner: Inner<'a>, size_bytes: u64, observer: &'a dyn TakeOutObserver) -> Self {
        Self {
            inner,
            observer,
            size_bytes,
            read: 0,
            taken: 0,
            failed: None,
        }
    }

    /// Returns how long the content is, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the next part of it; none at the end. Content that ends before its length is an error
    /// as well. After an error, which the caller of the target is told, it is at its end.
    ///
    /// # Errors
    ///
    /// One of this file alone; [`TargetError::is_cancelled`].
    pub fn piece(&mut self) -> Result<&[u8], TargetError> {
        if self.observer.cancelled() {
            return Err(TargetError::cancelled());
        }
        if self.read == self.size_bytes || self.failed.is_some() {
            return Ok(&[]);
        }
        if let Err(error) = self.next_piece() {
            if self.observer.cancelled() {
                return Err(TargetError::cancelled());
            }
            let what = error.to_string();
            self.failed = Some(error);
            return Err(TargetError::of_file(what));
        }
        let len = self.at_hand().len();
        self.read += len as u64;
        self.taken = len;
        self.observer.advanced(len as u64);
        Ok(self.at_hand())
    }

    /// Fills as much of `buf` as there is; 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of [`Source::piece`].
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, TargetError> {
        if self.taken == self.at_hand().len() {
            if self.piece()?.is_empty() {
                return Ok(0);
            }
            self.taken = 0;
        }
        let rest = self.at_hand().get(self.taken..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        self.taken += len;
        Ok(len)
    }

    fn at_hand(&self) -> &[u8] {
        match &self.inner {
            Inner::Bytes(_, false) => &[],
            Inner::Bytes(bytes, true) => bytes,
            Inner::Now { piece, .. } | Inner::Ahead { piece, .. } => piece,
        }
    }

    fn next_piece(&mut self) -> Result<(), FileError> {
        let rest = self.size_bytes.saturating_sub(self.read);
        match &mut self.inner {
            Inner::Bytes(_, is_at_hand) => *is_at_hand = true,
            Inner::Now { content, piece } => {
                *piece = read_piece(*content, self.read, rest, std::mem::take(piece))?;
            }
            Inner::Ahead { full, empty, piece } => {
                // The thread may have read all, and ended.
                let _ = empty.send(std::mem::take(piece));
                let ended = || FileError::new(FileErrorKind::Corrupt, "nothing more was read");
                *piece = full.recv().map_err(|_| ended())??;
            }
        }
        Ok(())
    }
}

fn read_piece(
    content: &dyn GuestFile,
    at: u64,
    rest: u64,
    mut piece: Vec<u8>,
) -> Result<Vec<u8>, FileError> {
    let len = usize::try_from(rest).unwrap_or(usize::MAX).min(PIECE_BYTES);
    piece.resize(len, 0);
    let read = content.read_at(at, &mut piece)?;
    if read == 0 {
        let what = format!(
            "the file ends after {at} of {} bytes",
            at.saturating_add(rest)
        );
        return Err(FileError::new(FileErrorKind::Corrupt, what));
    }
    piece.truncate(read);
    Ok(piece)
}

/// Content in pieces, of which the next is read while one is written.
pub(crate) struct Pieces;

impl Pieces {
    /// Has content written; returns what was kept, how many bytes it was, and what could not be read.
    pub(crate) fn of(
        content: &dyn GuestFile,
        observer: &dyn TakeOutObserver,
        write: &mut Write<'_>,
    ) -> (Result<Kept, TargetError>, u64, Option<FileError>) {
        let size_bytes = content.size_bytes();
        if size_bytes <= PIECE_BYTES as u64 {
            let piece = Vec::new();
            let now = Inner::Now { content, piece };
            let mut source = Source::new(now, size_bytes, observer);
            let kept = write(&mut source);
            return (kept, source.read, source.failed);
        }
        std::thread::scope(|scope| {
            let (send_full, full) = sync_channel(PIECES);
            let (empty, take_empty) = channel();
            for _ in 1..PIECES {
                // The other end is held until the thread has it.
                let _ = empty.send(Vec::new());
            }
            scope.spawn(move || read_ahead(content, size_bytes, &take_empty, &send_full));
            let piece = Vec::new();
            let ahead = Inner::Ahead { full, empty, piece };
            // Once it is dropped the thread ends, wherever it is.
            let mut source = Source::new(ahead, size_bytes, observer);
            let kept = write(&mut source);
            (kept, source.read, source.failed.take())
        })
    }
}

fn read_ahead(
    content: &dyn GuestFile,
    size_bytes: u64,
    empty: &Receiver<Vec<u8>>,
    full: &SyncSender<Result<Vec<u8>, FileError>>,
) {
    let mut at = 0;
    while at < size_bytes {
        let Ok(piece) = empty.recv() else { return };
        let piece = read_piece(content, at, size_bytes - at, piece);
        at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        let has_failed = piece.is_err();
        if full.send(piece).is_err() || has_failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use guest_files::{FileExtent, FileName};

    use super::*;

    /// Content that says one length and has another.
    struct Liar {
        says: u64,
        has: u64,
    }

    impl GuestFile for Liar {
        fn size_bytes(&self) -> u64 {
            self.says
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
            let rest = self.has.saturating_sub(offset);
            let len = usize::try_from(rest).unwrap().min(buf.len());
            for (at, byte) in (offset..).zip(&mut buf[..len]) {
                *byte = (at / 1000).to_le_bytes()[0];
            }
            Ok(len)
        }
        fn extents(&self, _: usize) -> Result<Vec<FileExtent>, FileError> {
            Ok(Vec::new())
        }
    }

    struct Quiet;

    impl TakeOutObserver for Quiet {
        fn advanced(&self, _: u64) {}
        fn finished(&self, _: &[FileName]) {}
        fn cancelled(&self) -> bool {
            false
        }
    }

    fn taken(says: u64, has: u64, by_reading: bool) -> (Vec<u8>, Option<FileError>) {
        let mut all = Vec::new();
        let liar = Liar { says, has };
        let (_, read, failed) = Pieces::of(&liar, &Quiet, &mut |source| {
            let mut part = [0; 777];
            loop {
                let read = if by_reading {
                    let read = source.read(&mut part)?;
                    all.extend(&part[..read]);
                    read
                } else {
                    let piece = source.piece()?;
                    all.extend(piece);
                    piece.len()
                };
                if read == 0 {
                    return Ok(Kept::all());
                }
            }
        });
        assert_eq!(read, all.len() as u64);
        (all, failed)
    }

    #[test]
    fn content_is_whole_and_in_order_however_it_is_read() {
        for len in [0, 1, 1000, (1 << 20) + 1, (5 << 20) + 3] {
            for by_reading in [false, true] {
                let (all, failed) = taken(len, len, by_reading);
                assert!(failed.is_none());
                let mut wanted = vec![0; usize::try_from(len).unwrap()];
                Liar {
                    says: len,
                    has: len,
                }
                .read_at(0, &mut wanted)
                .unwrap();
                assert!(all == wanted, "{len}");
            }
        }
    }

    #[test]
    fn content_that_ends_early_is_an_error() {
        for (says, has) in [(1, 0), (1000, 999), (3 << 20, (2 << 20) + 5)] {
            let (all, failed) = taken(says, has, false);
            assert_eq!(all.len() as u64, has);
            let error = failed.expect("it came out as if it were whole");
            assert_eq!(error.kind(), FileErrorKind::Corrupt);
        }
    }
}
