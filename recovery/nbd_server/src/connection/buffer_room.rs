//! Memory for replies, bounded over all clients.

use std::sync::{Condvar, Mutex, PoisonError};

/// Buffers up to this length are used again: fresh pages cost more than filling them.
const SPARE_BYTES_MAX: usize = (1 << 20) + 64;
/// Buffers that wait to be used again.
const SPARES_MAX: usize = 16;

/// Room for replies that are being made.
pub(crate) struct BufferRoom {
    total_bytes: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    used_bytes: usize,
    spares: Vec<Vec<u8>>,
}

/// A buffer; its room is free again when it is dropped.
pub(crate) struct Buffer<'a> {
    bytes: Vec<u8>,
    len: usize,
    room: &'a BufferRoom,
}

impl BufferRoom {
    pub(crate) fn new(total_bytes: usize) -> Self {
        Self {
            total_bytes,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Waits until there is room for `len` bytes. What is in them is anybody's.
    pub(crate) fn take(&self, len: usize) -> Buffer<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A buffer that is larger than all room gets it alone.
        while state.used_bytes > 0 && state.used_bytes.saturating_add(len) > self.total_bytes {
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.used_bytes += len;
        let spare = if len <= SPARE_BYTES_MAX {
            state.spares.pop()
        } else {
            None
        };
        drop(state);
        let mut bytes = spare.unwrap_or_default();
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        Buffer {
            bytes,
            len,
            room: self,
        }
    }
}

impl Buffer<'_> {
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // At least as long: `take` saw to it.
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let mut state = self
            .room
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.used_bytes = state.used_bytes.saturating_sub(self.len);
        if self.bytes.len() <= SPARE_BYTES_MAX && state.spares.len() < SPARES_MAX {
            state.spares.push(std::mem::take(&mut self.bytes));
        }
        drop(state);
        self.room.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_room_waits_for_it() {
        let room = BufferRoom::new(100);
        let first = room.take(80);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| room.take(30).bytes().len());
            drop(first);
            assert_eq!(second.join().unwrap(), 30);
        });
        // More than all of it, alone.
        assert_eq!(room.take(1000).bytes().len(), 1000);
    }
}
