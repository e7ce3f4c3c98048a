//! Devices that hold the same.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, Place, check_range};

/// See [`mirrored`].
struct Mirrored {
    members: Vec<Arc<dyn BlockDevice>>,
    size_bytes: u64,
}

/// Mirrors devices: each read goes to the first that can be read. It is as long as the shortest;
/// `None` without devices. The caller puts in front whom to believe.
pub(crate) fn mirrored(members: Vec<Arc<dyn BlockDevice>>) -> Option<Arc<dyn BlockDevice>> {
    let size_bytes = members.iter().map(|member| member.size_bytes()).min()?;
    if let [only] = members.as_slice() {
        return Some(Arc::clone(only));
    }
    Some(Arc::new(Mirrored {
        members,
        size_bytes,
    }))
}

impl Mirrored {
    /// Asks one after the other; the first one's error is the one that is told.
    fn first<T>(
        &self,
        mut ask: impl FnMut(&dyn BlockDevice) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut error = None;
        for member in &self.members {
            match ask(member) {
                Ok(answer) => return Ok(answer),
                Err(failed) => error = error.or(Some(failed)),
            }
        }
        Err(error.unwrap_or_else(|| DiskError::new(DiskErrorKind::NotFound, "no mirror is here")))
    }
}

impl BlockDevice for Mirrored {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        let sectors = self.members.iter().map(|member| member.sector_bytes());
        sectors.max().unwrap_or(512)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        self.first(|member| member.read_at(offset, buf))
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes.max(1))?;
        self.first(|member| member.extent_at(offset, max_bytes))
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        check_range(self.size_bytes, offset, max_bytes).ok()?;
        self.members.first()?.place_at(offset, max_bytes)
    }
}
