//! A file that can show what a crash leaves of it.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use block_io::{ImageFile, WritableFile};

use crate::index;

/// A disk writes at least this much at once or not at all, in bytes.
const ATOMIC_BYTES: usize = 512;

/// What a crash does to that which was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it reached the disk.
    Nothing,
    /// None of it did.
    All,
    /// Some operations did, whole, whatever their order was.
    Some {
        /// Chooses which.
        seed: u64,
    },
    /// Some 512-byte sectors of each write did.
    Torn {
        /// Chooses which.
        seed: u64,
    },
}

impl Loss {
    /// One of each, the random ones with two seeds made of `seed`.
    pub fn kinds(seed: u64) -> [Self; 6] {
        let other = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5555;
        [
            Self::Nothing,
            Self::All,
            Self::Some { seed },
            Self::Some { seed: other },
            Self::Torn { seed },
            Self::Torn { seed: other },
        ]
    }
}

#[derive(Debug, Clone)]
enum Recorded {
    Write { offset: u64, data: Vec<u8> },
    SetSize(u64),
    Flush,
}

#[derive(Debug, Default)]
struct State {
    initial: Vec<u8>,
    bytes: Vec<u8>,
    recorded: Vec<Recorded>,
    performed: u64,
    fail_at: Option<u64>,
}

impl State {
    /// Counts an operation; fails where it is the one that should.
    fn perform(&mut self) -> io::Result<()> {
        let number = self.performed;
        self.performed += 1;
        if self.fail_at == Some(number) {
            return Err(io::Error::other("this operation fails on demand"));
        }
        Ok(())
    }
}

/// A file in memory that remembers every write, change of length and flush.
#[derive(Debug)]
pub struct CrashFile {
    name: String,
    state: Mutex<State>,
}

impl CrashFile {
    /// Makes a file of these bytes, all of which are durable.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            state: Mutex::new(State {
                initial: bytes.clone(),
                bytes,
                ..State::default()
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets operation `number` fail once, counted from 0 over reads, writes, changes of length,
    /// and flushes.
    pub fn fail_at(&self, number: u64) {
        self.state().fail_at = Some(number);
    }

    /// Returns how many operations there were so far, reads included.
    pub fn performed(&self) -> u64 {
        self.state().performed
    }

    /// Returns how many operations were recorded so far: writes, changes of length, and flushes.
    pub fn recorded(&self) -> usize {
        self.state().recorded.len()
    }

    /// Returns the bytes as they are without a crash.
    pub fn to_vec(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Returns the bytes that a crash leaves after the first `cut` recorded operations.
    pub fn crash(&self, cut: usize, loss: Loss) -> Vec<u8> {
        let state = self.state();
        let recorded = &state.recorded[..cut.min(state.recorded.len())];
        let durable = recorded
            .iter()
            .rposition(|operation| matches!(operation, Recorded::Flush))
            .map_or(0, |flush| flush + 1);
        let mut bytes = state.initial.clone();
        for operation in &recorded[..durable] {
            apply(&mut bytes, operation, |_| true);
        }
        for (number, operation) in recorded.iter().enumerate().skip(durable) {
            apply(&mut bytes, operation, |sector| match loss {
                Loss::Nothing => true,
                Loss::All => false,
                Loss::Some { seed } => coin(seed, number, 0),
                Loss::Torn { seed } => coin(seed, number, sector),
            });
        }
        bytes
    }
}

/// Applies those 512-byte sectors of an operation that `keep` lets through.
fn apply(bytes: &mut Vec<u8>, operation: &Recorded, keep: impl Fn(usize) -> bool) {
    match operation {
        Recorded::Write { offset, data } => {
            let start = index(*offset);
            let mut at = start;
            while at < start + data.len() {
                let end = (at / ATOMIC_BYTES * ATOMIC_BYTES + ATOMIC_BYTES).min(start + data.len());
                if keep(at / ATOMIC_BYTES) {
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[at..end].copy_from_slice(&data[at - start..end - start]);
                }
                at = end;
            }
        }
        Recorded::SetSize(size) => {
            if keep(0) {
                bytes.resize(index(*size), 0);
            }
        }
        Recorded::Flush => {}
    }
}

/// One bit that depends on all of its arguments (splitmix64).
fn coin(seed: u64, number: usize, sector: usize) -> bool {
    let mut value = seed
        .wrapping_add((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add((sector as u64).wrapping_mul(0xD1B5_4A32_D192_ED03));
    value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (value ^ value >> 31) & 1 == 1
}

impl ImageFile for CrashFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.perform()?;
        let start = index(offset);
        let part = start
            .checked_add(buf.len())
            .and_then(|end| state.bytes.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    }
}

impl WritableFile for CrashFile {
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.perform()?;
        let operation = Recorded::Write {
            offset,
            data: data.to_vec(),
        };
        apply(&mut state.bytes, &operation, |_| true);
        state.recorded.push(operation);
        Ok(())
    }

    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        state.perform()?;
        let operation = Recorded::SetSize(size_bytes);
        apply(&mut state.bytes, &operation, |_| true);
        state.recorded.push(operation);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        state.perform()?;
        state.recorded.push(Recorded::Flush);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flushed_write_survives_and_an_unflushed_one_may_not() {
        let file = CrashFile::new("test", vec![0; 2048]);
        file.write_all_at(0, &[1; 512]).unwrap();
        file.flush().unwrap();
        file.write_all_at(512, &[2; 1024]).unwrap();
        assert_eq!(
            file.crash(3, Loss::All)[..1024],
            [[1; 512], [0; 512]].concat()
        );
        assert_eq!(file.crash(3, Loss::Nothing), file.to_vec());
        assert_eq!(file.crash(1, Loss::All), vec![0; 2048]);
        let torn = (0..64).any(|seed| {
            let bytes = file.crash(3, Loss::Torn { seed });
            bytes[512] != bytes[1024]
        });
        assert!(torn, "some seed tears the write between its two sectors");
    }

    #[test]
    fn the_chosen_operation_fails_once() {
        let file = CrashFile::new("test", vec![0; 512]);
        file.fail_at(1);
        file.write_all_at(0, &[1]).unwrap();
        file.flush().unwrap_err();
        file.flush().unwrap();
        assert_eq!((file.performed(), file.recorded()), (3, 2));
    }
}
