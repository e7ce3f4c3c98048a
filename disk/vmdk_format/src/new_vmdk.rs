//! Writing a new VMDK.

use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, NewClusters, NewImage, WritableFile};

use crate::descriptor::{Adapter, descriptor};
use crate::layout::{
    DESCRIPTOR_SECTOR, DESCRIPTOR_SECTORS, GRAIN_BYTES, Layout, SECTOR_BYTES, TABLE_ENTRIES,
    TABLE_LEN,
};

/// The descriptor's line ends are as written, and the redundant directory is there.
const FLAGS: u32 = 0b11;

/// What a new VMDK is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    /// The size of the disk in bytes: a multiple of 512, up to [`crate::MAX_SIZE_BYTES`].
    pub size_bytes: u64,
    /// The name that the file will have, without folders: its own descriptor tells it.
    pub file_name: String,
    /// The controller that it says it was made for.
    pub adapter: Adapter,
}

/// Starts a new VMDK in `file`, whose present content is thrown away.
///
/// The file is not a VMDK before [`NewImage::finish`]: its header is written last, after everything
/// else is durable.
///
/// # Errors
///
/// `OutOfRange` where the format cannot hold the disk; that of the file.
pub fn create(
    file: Arc<dyn WritableFile>,
    options: &CreateOptions,
) -> Result<Box<dyn NewImage>, DiskError> {
    let layout = Layout::of(options.size_bytes).map_err(|error| error.in_file(file.name()))?;
    let mut id = [0; 4];
    getrandom::fill(&mut id).map_err(|error| {
        DiskError::new(DiskErrorKind::Io, "the system has no random numbers").caused_by(error)
    })?;
    // The highest numbers mean that there is none.
    let content_id = u32::from_le_bytes(id) & 0x7FFF_FFFF;
    let data = NewClusters::start(
        file,
        options.size_bytes,
        GRAIN_BYTES,
        TABLE_ENTRIES,
        layout.first_grain() * SECTOR_BYTES,
    )?;
    Ok(Box::new(NewVmdk {
        data,
        layout,
        descriptor: descriptor(
            options.size_bytes,
            content_id,
            &options.file_name,
            options.adapter,
        ),
    }))
}

/// A VMDK that is being filled.
struct NewVmdk {
    data: NewClusters,
    layout: Layout,
    descriptor: Vec<u8>,
}

impl NewImage for NewVmdk {
    fn size_bytes(&self) -> u64 {
        self.data.size_bytes()
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.data.write_at(offset, data)
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        self.data.set_length(self.data.end_bytes())?;
        for directory in self.layout.directories() {
            self.write_directory(directory)?;
        }
        self.data
            .put(DESCRIPTOR_SECTOR * SECTOR_BYTES, &self.descriptor)?;
        self.data.flush()?;
        // From here on the file may open, and everything that it then shows is durable.
        self.data.put(0, &self.header())?;
        self.data.flush()
    }
}

impl NewVmdk {
    /// Writes a grain directory, and those of its tables that list anything.
    fn write_directory(&self, directory: u64) -> Result<(), DiskError> {
        let mut entries = Vec::new();
        for number in 0..self.layout.tables {
            let sector = self.layout.table(directory, number);
            entries.extend(sector_entry(sector));
            let Some(placed) = self.data.group(number) else {
                continue;
            };
            let mut table = vec![0; TABLE_LEN];
            let (grains, _) = table.as_chunks_mut::<4>();
            for (grain, place_bytes) in placed {
                if let Some(entry) = grains.get_mut(grain) {
                    *entry = sector_entry(place_bytes / SECTOR_BYTES);
                }
            }
            self.data.put(sector * SECTOR_BYTES, &table)?;
        }
        self.data.put(directory * SECTOR_BYTES, &entries)
    }

    fn header(&self) -> Vec<u8> {
        let [redundant, directory] = self.layout.directories();
        let mut bytes = Vec::new();
        bytes.extend(b"KDMV");
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(FLAGS.to_le_bytes());
        for sectors in [
            self.data.size_bytes() / SECTOR_BYTES,
            GRAIN_BYTES / SECTOR_BYTES,
            DESCRIPTOR_SECTOR,
            DESCRIPTOR_SECTORS,
        ] {
            bytes.extend(sectors.to_le_bytes());
        }
        bytes.extend(512_u32.to_le_bytes()); // entries of a grain table
        for sector in [redundant, directory, self.layout.first_grain()] {
            bytes.extend(sector.to_le_bytes());
        }
        // Closed cleanly; then what a transfer as text would have changed.
        bytes.extend(b"\0\n \r\n");
        bytes.resize(512, 0);
        bytes
    }
}

/// Returns an entry of a directory or table. The largest disk's sectors fit.
fn sector_entry(sector: u64) -> [u8; 4] {
    u32::try_from(sector).unwrap_or(0).to_le_bytes()
}
