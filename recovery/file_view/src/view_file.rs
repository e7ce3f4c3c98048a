//! Open files.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ViewError;
use crate::guest_thread::GuestThread;

/// Most bytes that are read ahead of somebody who reads one piece after the other.
pub const READ_AHEAD_BYTES: usize = 1 << 20;

/// An open file of a view. It is closed when this is dropped.
pub struct ViewFile {
    size_bytes: u64,
    content: Content,
}

enum Content {
    /// A text that the view makes up.
    Text(Arc<[u8]>),
    /// A file of a guest.
    Inside {
        thread: Arc<GuestThread>,
        file: u64,
        ahead: Mutex<Ahead>,
    },
}

/// What was read already of what comes next.
#[derive(Default)]
struct Ahead {
    at: u64,
    bytes: Vec<u8>,
    /// Where somebody who reads on would read next; `None` before the first read, which may be the
    /// only one.
    next: Option<u64>,
}

impl ViewFile {
    pub(crate) fn text(text: &str) -> Self {
        Self {
            size_bytes: text.len() as u64,
            content: Content::Text(text.as_bytes().into()),
        }
    }

    pub(crate) fn inside(thread: Arc<GuestThread>, file: u64, size_bytes: u64) -> Self {
        let ahead = Mutex::new(Ahead::default());
        Self {
            size_bytes,
            content: Content::Inside {
                thread,
                file,
                ahead,
            },
        }
    }

    /// Returns its length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads `len` bytes from `offset`, fewer at the end alone.
    ///
    /// # Errors
    ///
    /// `Unreadable`; `Unsupported` for what no reader knows.
    pub fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, ViewError> {
        let rest = self.size_bytes.saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(len);
        if len == 0 {
            return Ok(Vec::new());
        }
        match &self.content {
            Content::Text(text) => Ok(part(text, 0, offset, len).unwrap_or_default().to_vec()),
            Content::Inside {
                thread,
                file,
                ahead,
            } => {
                let mut ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bytes) = part(&ahead.bytes, ahead.at, offset, len) {
                    let bytes = bytes.to_vec();
                    ahead.moved(offset, len);
                    return Ok(bytes);
                }
                let goes_on = ahead.goes_on(offset);
                let wanted = if goes_on {
                    len.max(READ_AHEAD_BYTES)
                } else {
                    len
                };
                let file = *file;
                let read = thread.ask(move |desk| desk.read(file, offset, wanted))?;
                let mut bytes = match read {
                    // What lies ahead may be damaged where what is asked for is not.
                    Err(_) if wanted > len => {
                        thread.ask(move |desk| desk.read(file, offset, len))??
                    }
                    read => read?,
                };
                ahead.moved(offset, len);
                if bytes.len() > len {
                    let first = bytes.get(..len).unwrap_or_default().to_vec();
                    (ahead.at, ahead.bytes) = (offset, bytes);
                    return Ok(first);
                }
                bytes.truncate(len);
                Ok(bytes)
            }
        }
    }
}

impl Ahead {
    /// Returns whether who reads here reads on. Several pieces may be asked for at once, and come out
    /// of order.
    fn goes_on(&self, offset: u64) -> bool {
        self.next
            .and_then(|next| offset.checked_sub(next))
            .is_some_and(|beyond| beyond < READ_AHEAD_BYTES as u64)
    }

    fn moved(&mut self, offset: u64, len: usize) {
        let end = offset.saturating_add(len as u64);
        let next = match self.next {
            // A piece that was asked for before the one that came first.
            Some(next) if next.saturating_sub(end) < READ_AHEAD_BYTES as u64 => next.max(end),
            _ => end,
        };
        self.next = Some(next);
    }
}

/// Returns `len` bytes from `offset` of what `bytes` has from `at` on.
fn part(bytes: &[u8], at: u64, offset: u64, len: usize) -> Option<&[u8]> {
    let begin = usize::try_from(offset.checked_sub(at)?).ok()?;
    bytes.get(begin..begin.checked_add(len)?)
}

impl Drop for ViewFile {
    fn drop(&mut self) {
        if let Content::Inside { thread, file, .. } = &self.content {
            let file = *file;
            thread.tell(move |desk| desk.close(file));
        }
    }
}
