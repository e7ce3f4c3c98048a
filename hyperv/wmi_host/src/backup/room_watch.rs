//! Room on the volumes where a checkpoint grows.

use std::sync::Mutex;

use hyperv_host::{HostError, HostErrorKind, Room};
use jiff::Timestamp;

use super::link::Link;
use crate::facts::{read_volumes, volume_of};

/// Looks at the volumes on which a checkpoint grows, now and then.
pub(crate) struct RoomWatch {
    room: Room,
    /// The files that the VM writes to, as the host names them.
    grows: Vec<String>,
    last: Mutex<Timestamp>,
}

impl RoomWatch {
    pub(crate) fn new(room: Room, now: Timestamp, grows: Vec<String>) -> Self {
        Self {
            room,
            grows,
            last: Mutex::new(now),
        }
    }

    /// Fails where a volume has less free than the reserve. Looks at most as often as the request
    /// says; a look that fails is not a reason to give up.
    pub(crate) fn check(&self, link: &Link) -> Result<(), HostError> {
        if !self.is_due(link.clock.now()) {
            return Ok(());
        }
        let Ok(volumes) = read_volumes(&*link.session) else {
            return Ok(());
        };
        for path in &self.grows {
            let Some(volume) = volume_of(&volumes, path) else {
                continue;
            };
            if volume.free_bytes < self.room.reserve_bytes {
                let text = format!(
                    "{}: the volume {} has {} MiB free, less than the {} MiB that have to stay \
                     free: what the VM writes goes to {path}, so the backup gives up and lets the \
                     host merge",
                    link.host(),
                    volume.mount.to_uppercase(),
                    volume.free_bytes >> 20,
                    self.room.reserve_bytes >> 20
                );
                return Err(HostError::new(HostErrorKind::NoRoom, text).hint(
                    "make room on the volume, or back the VM up when its guest writes little",
                ));
            }
        }
        Ok(())
    }

    fn is_due(&self, now: Timestamp) -> bool {
        // Whoever holds the lock is looking.
        let Ok(mut last) = self.last.try_lock() else {
            return false;
        };
        let due = now.duration_since(*last).unsigned_abs() >= self.room.watch_every;
        if due {
            *last = now;
        }
        due
    }
}
