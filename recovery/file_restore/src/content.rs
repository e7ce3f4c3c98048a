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
        let what = format!("the file ends after {at} of {} bytes", at.saturating_add(rest));
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
