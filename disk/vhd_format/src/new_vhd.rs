//! Writing a new VHD.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use block_io::{DiskError, DiskErrorKind, NewImage, WritableFile, check_range};
use uuid::Uuid;

use crate::create_options::{CreateKind, CreateOptions};
use crate::footer::{Footer, NO_OFFSET, VhdKind};
use crate::geometry::Geometry;
use crate::new_blocks::NewBlocks;

/// The largest disk that a VHD can hold, in bytes: 2040 GiB.
pub const MAX_SIZE_BYTES: u64 = 2040 << 30;

/// Starts a new VHD in `file`, whose present content is thrown away.
///
/// Fails with `OutOfRange` where the options cannot be met. The file is not a VHD before
/// [`NewImage::finish`]: its footers are written last, after everything else is durable.
pub fn create(
    file: Arc<dyn WritableFile>,
    options: CreateOptions,
) -> Result<Box<dyn NewImage>, DiskError> {
    check_options(&options).map_err(|error| error.in_file(file.name()))?;
    let resize = |size_bytes| {
        file.set_size_bytes(size_bytes)
            .map_err(|error| DiskError::io(file.name(), "cannot set the length", error))
    };
    resize(0)?;
    let blocks = match &options.kind {
        CreateKind::Fixed => {
            // The whole length at once: a volume that is too small says so now, where it can.
            resize(options.size_bytes + 512)?;
            None
        }
        CreateKind::Dynamic => Some(NewBlocks::new(&options, None)),
        CreateKind::Differencing(parent) => Some(NewBlocks::new(&options, Some(parent.clone()))),
    };
    let kind = match options.kind {
        CreateKind::Fixed => VhdKind::Fixed,
        CreateKind::Dynamic => VhdKind::Dynamic,
        CreateKind::Differencing(_) => VhdKind::Differencing,
    };
    let unique_id = match options.unique_id {
        Some(id) => id,
        None => random_id()?,
    };
    Ok(Box::new(NewVhd {
        footer: footer(options.size_bytes, kind, unique_id),
        size_bytes: options.size_bytes,
        file,
        blocks,
        poisoned: AtomicBool::new(false),
    }))
}

fn check_options(options: &CreateOptions) -> Result<(), DiskError> {
    let refuse = |message: String| Err(DiskError::new(DiskErrorKind::OutOfRange, message));
    let size = options.size_bytes;
    if size == 0 || !size.is_multiple_of(512) {
        return refuse(format!(
            "a VHD of {size} bytes cannot be made, expected a multiple of 512"
        ));
    }
    if size > MAX_SIZE_BYTES {
        return refuse(format!(
            "a VHD of {size} bytes cannot be made, expected at most {MAX_SIZE_BYTES} (2040 GiB)"
        ))
        .map_err(|error| error.hint("make a VHDX"));
    }
    let block = options.block_bytes;
    if options.kind != CreateKind::Fixed
        && (!block.is_power_of_two() || !(64 << 10..=256 << 20).contains(&block))
    {
        return refuse(format!(
            "blocks of {block} bytes cannot be made, expected a power of two from 64 KiB to 256 MiB"
        ));
    }
    Ok(())
}

fn random_id() -> Result<Uuid, DiskError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        DiskError::new(DiskErrorKind::Io, "the system has no random numbers").caused_by(error)
    })?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn footer(size_bytes: u64, kind: VhdKind, unique_id: Uuid) -> Footer {
    // 2000-01-01 00:00 UTC.
    let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
    let seconds = SystemTime::now()
        .duration_since(epoch)
        .map_or(0, |since| since.as_secs());
    Footer {
        kind,
        header_offset: if kind == VhdKind::Fixed {
            NO_OFFSET
        } else {
            512
        },
        timestamp: u32::try_from(seconds).unwrap_or(u32::MAX),
        // We follow Windows' rule: the current size counts, not the geometry.
        creator_app: *b"win ",
        creator_version: 0x000A_0000,
        creator_os: *b"Wi2k",
        original_size_bytes: size_bytes,
        current_size_bytes: size_bytes,
        geometry: Geometry::of_size(size_bytes),
        unique_id,
        saved_state: false,
    }
}

/// A VHD that is being filled.
struct NewVhd {
    file: Arc<dyn WritableFile>,
    footer: Footer,
    size_bytes: u64,
    /// `None` for a fixed disk.
    blocks: Option<NewBlocks>,
    /// A write failed: the file is not to become an image.
    poisoned: AtomicBool,
}

impl NewVhd {
    fn refuse_if_poisoned(&self) -> Result<(), DiskError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(DiskError::new(
                DiskErrorKind::Poisoned,
                "an earlier write failed, so nothing more is written",
            )
            .in_file(self.file.name()));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.file
            .write_all_at(offset, data)
            .map_err(|error| DiskError::io(self.file.name(), "cannot write", error).at(offset))
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.file
            .flush()
            .map_err(|error| DiskError::io(self.file.name(), "cannot flush", error))
    }

    fn write_footers(&self) -> Result<(), DiskError> {
        let footer = self.footer.to_bytes();
        let at = match &self.blocks {
            None => self.size_bytes,
            Some(blocks) => {
                blocks.write_structures(&*self.file)?;
                blocks.footer_offset()
            }
        };
        self.flush()?;
        self.write(at, &footer)?;
        if self.blocks.is_some() {
            self.write(0, &footer)?;
        }
        self.flush()
    }
}

impl NewImage for NewVhd {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, data.len() as u64)
            .map_err(|error| error.in_file(self.file.name()))?;
        self.refuse_if_poisoned()?;
        if let Some(blocks) = &self.blocks {
            // A caller's mistake, found before anything is written, does the file no harm.
            blocks
                .check_sectors(offset, data.len())
                .map_err(|error| error.in_file(self.file.name()))?;
        }
        let result = match &self.blocks {
            None => self.write(offset, data),
            Some(blocks) => blocks.write_at(&*self.file, offset, data),
        };
        result.inspect_err(|_| self.poisoned.store(true, Ordering::Release))
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        self.refuse_if_poisoned()?;
        self.write_footers()
    }
}
