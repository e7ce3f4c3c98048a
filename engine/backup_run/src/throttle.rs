//! A disk that is read no faster than allowed.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use block_io::{BlockDevice, DiskError, Extent};

/// What may be read at once after a pause, as a time at the full rate.
const BURST: Duration = Duration::from_millis(200);

/// Bytes in a second, for all disks of a run together.
pub(crate) struct Throttle {
    bytes_per_second: u64,
    /// When the bytes that were let through so far are paid for.
    paid: Mutex<Instant>,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Books `bytes` at `now`; returns how long to wait before they are read.
    fn book(&self, bytes: u64, now: Instant) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = now
            .checked_sub(BURST)
            .map_or(*paid, |start| start.max(*paid));
        *paid = from + cost;
        paid.saturating_duration_since(now)
    }
}

/// A disk that is read no faster than allowed.
pub(crate) struct Throttled<'a> {
    pub(crate) disk: &'a dyn BlockDevice,
    pub(crate) throttle: &'a Throttle,
}

impl BlockDevice for Throttled<'_> {
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
        std::thread::sleep(self.throttle.book(buf.len() as u64, Instant::now()));
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_together_wait_as_long_as_the_bytes_take() {
        let throttle = Throttle::new(1_000_000);
        let now = Instant::now() + Duration::from_secs(10);
        // A burst comes first; after it each reader waits for all that were booked before.
        let waits: Vec<Duration> = (0..4).map(|_| throttle.book(500_000, now)).collect();
        let expected = [300, 800, 1300, 1800].map(Duration::from_millis);
        assert_eq!(waits, expected);
        // Later the debt is paid, and no more than a burst was saved up.
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.book(100_000, later), Duration::ZERO);
        assert_eq!(throttle.book(200_000, later), Duration::from_millis(100));
    }
}
