//! A device of zeros.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent, ExtentKind, check_range};

/// See [`zeros`].
struct Zeros {
    size_bytes: u64,
}

/// Makes a device that is zero: LVM's segment type of that name.
pub(crate) fn zeros(size_bytes: u64) -> Arc<dyn BlockDevice> {
    Arc::new(Zeros { size_bytes })
}

impl BlockDevice for Zeros {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        buf.fill(0);
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes.max(1))?;
        Ok(Extent {
            kind: ExtentKind::Zero,
            len_bytes: max_bytes,
        })
    }
}
