//! Memory of packs, which is filled again and again.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Packs of one kind that are in memory at once: being filled, waiting, being written. It bounds
/// the memory of a run whose store is slow.
const BUFFERS: usize = 3;

/// Gives out a few buffers and waits for them to come back: fresh memory costs more than filling
/// it.
pub(crate) struct PackBuffers {
    capacity: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    spare: Vec<Vec<u8>>,
    in_use: usize,
}

/// A buffer that goes back when it is dropped.
pub(crate) struct PackBuffer {
    pub(crate) bytes: Vec<u8>,
    buffers: Arc<PackBuffers>,
}

impl PackBuffers {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Waits for a buffer, which is empty.
    pub(crate) fn take(self: &Arc<Self>) -> PackBuffer {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.in_use >= BUFFERS {
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.in_use += 1;
        let bytes = state.spare.pop().unwrap_or_else(|| {
            // Address space alone: a small backup touches only what it fills.
            Vec::with_capacity(self.capacity)
        });
        PackBuffer {
            bytes,
            buffers: Arc::clone(self),
        }
    }
}

impl Drop for PackBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let buffers = &self.buffers;
        let mut state = buffers.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_use -= 1;
        state.spare.push(bytes);
        drop(state);
        buffers.returned.notify_one();
    }
}
