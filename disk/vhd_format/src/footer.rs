//! The footer: 512 bytes that make a file a VHD.

use block_io::{DiskError, DiskErrorKind, ImageFile};
use uuid::Uuid;

use crate::field::{bytes_at, checksum, put, u16_at, u32_at, u64_at};
use crate::geometry::Geometry;

pub(crate) const FOOTER_BYTES: u64 = 512;
/// Virtual PC before 2004 wrote one byte less.
const OLD_FOOTER_BYTES: u64 = 511;
const COOKIE: &[u8; 8] = b"conectix";
const CHECKSUM_AT: usize = 64;
/// What a fixed disk has instead of the offset of a dynamic header.
pub(crate) const NO_OFFSET: u64 = u64::MAX;
pub(crate) const VERSION: u32 = 0x0001_0000;

/// How a VHD stores its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VhdKind {
    /// The disk as it is, followed by the footer.
    Fixed,
    /// Blocks that were written to, found through a table.
    Dynamic,
    /// Sectors that differ from a parent.
    Differencing,
}

/// The fields of a footer whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) kind: VhdKind,
    pub(crate) header_offset: u64,
    pub(crate) timestamp: u32,
    pub(crate) creator_app: [u8; 4],
    pub(crate) creator_version: u32,
    pub(crate) creator_os: [u8; 4],
    pub(crate) original_size_bytes: u64,
    pub(crate) current_size_bytes: u64,
    pub(crate) geometry: Geometry,
    pub(crate) unique_id: Uuid,
    pub(crate) saved_state: bool,
}

impl Footer {
    /// Reads a footer. `None`: there is no cookie, so this is not one.
    pub(crate) fn parse(
        bytes: &[u8; 512],
        file: &str,
        offset: u64,
    ) -> Result<Option<Self>, DiskError> {
        if &bytes_at::<8>(bytes, 0) != COOKIE {
            return Ok(None);
        }
        let (found, expected) = (u32_at(bytes, CHECKSUM_AT), checksum(bytes, CHECKSUM_AT));
        if found != expected {
            return Err(DiskError::corrupt(
                file,
                offset,
                format!("the VHD footer has the checksum {found:#010x}, expected {expected:#010x}"),
            ));
        }
        let version = u32_at(bytes, 12);
        if version >> 16 != 1 {
            return Err(DiskError::unsupported(
                file,
                format!("VHD version {version:#010x}, expected {VERSION:#010x}"),
            ));
        }
        let kind = match u32_at(bytes, 60) {
            2 => VhdKind::Fixed,
            3 => VhdKind::Dynamic,
            4 => VhdKind::Differencing,
            other => {
                return Err(DiskError::unsupported(
                    file,
                    format!("VHD disk type {other}, expected 2, 3 or 4"),
                )
                .at(offset + 60));
            }
        };
        Ok(Some(Self {
            kind,
            header_offset: u64_at(bytes, 16),
            timestamp: u32_at(bytes, 24),
            creator_app: bytes_at(bytes, 28),
            creator_version: u32_at(bytes, 32),
            creator_os: bytes_at(bytes, 36),
            original_size_bytes: u64_at(bytes, 40),
            current_size_bytes: u64_at(bytes, 48),
            geometry: Geometry {
                cylinders: u16_at(bytes, 56),
                heads: bytes_at::<1>(bytes, 58)[0],
                sectors: bytes_at::<1>(bytes, 59)[0],
            },
            unique_id: Uuid::from_bytes(bytes_at(bytes, 68)),
            saved_state: bytes_at::<1>(bytes, 84)[0] != 0,
        }))
    }

    /// Returns the 512 bytes, with their checksum.
    pub(crate) fn to_bytes(&self) -> [u8; 512] {
        let mut bytes = [0; 512];
        put(&mut bytes, 0, COOKIE);
        // "Reserved", which is always set.
        put(&mut bytes, 8, &2_u32.to_be_bytes());
        put(&mut bytes, 12, &VERSION.to_be_bytes());
        put(&mut bytes, 16, &self.header_offset.to_be_bytes());
        put(&mut bytes, 24, &self.timestamp.to_be_bytes());
        put(&mut bytes, 28, &self.creator_app);
        put(&mut bytes, 32, &self.creator_version.to_be_bytes());
        put(&mut bytes, 36, &self.creator_os);
        put(&mut bytes, 40, &self.original_size_bytes.to_be_bytes());
        put(&mut bytes, 48, &self.current_size_bytes.to_be_bytes());
        put(&mut bytes, 56, &self.geometry.cylinders.to_be_bytes());
        put(
            &mut bytes,
            58,
            &[self.geometry.heads, self.geometry.sectors],
        );
        let kind: u32 = match self.kind {
            VhdKind::Fixed => 2,
            VhdKind::Dynamic => 3,
            VhdKind::Differencing => 4,
        };
        put(&mut bytes, 60, &kind.to_be_bytes());
        put(&mut bytes, 68, self.unique_id.as_bytes());
        put(&mut bytes, 84, &[u8::from(self.saved_state)]);
        let sum = checksum(&bytes, CHECKSUM_AT);
        put(&mut bytes, CHECKSUM_AT, &sum.to_be_bytes());
        bytes
    }

    /// Returns the size of the disk in bytes.
    ///
    /// Virtual PC and QEMU mean the product of the geometry, everybody else the current size.
    /// At the largest geometry only the current size can be meant.
    pub(crate) fn size_bytes(&self) -> u64 {
        let by_geometry = matches!(&self.creator_app, b"vpc " | b"qemu");
        if by_geometry && self.geometry != Geometry::MAX {
            self.geometry.size_bytes()
        } else {
            self.current_size_bytes
        }
    }
}

/// The footer that counts, and where it was found.
#[derive(Debug)]
pub(crate) struct FoundFooter {
    pub(crate) footer: Footer,
    /// Where the disk's own bytes end: the offset of the footer, or the length of the file.
    pub(crate) data_end: u64,
    /// The footer at the end is bad, and the copy at the start was used: this says how.
    pub(crate) end_is_bad: Option<DiskError>,
}

/// Finds the footer of a VHD: the one at the end, or else the copy at the start.
pub(crate) fn find(file: &dyn ImageFile) -> Result<FoundFooter, DiskError> {
    let name = file.name();
    let size = file
        .size_bytes()
        .map_err(|error| DiskError::io(name, "cannot tell the length of this file", error))?;
    let end_is_bad = match at_end(file, size) {
        Ok((footer, data_end)) => {
            return Ok(FoundFooter {
                footer,
                data_end,
                end_is_bad: None,
            });
        }
        Err(error) if error.kind() == DiskErrorKind::Corrupt => error,
        Err(error) => return Err(error),
    };
    // A fixed disk has no copy: what lies at 0 there is the disk.
    match read(file, 0, FOOTER_BYTES) {
        Ok(Some(footer)) if footer.kind != VhdKind::Fixed => Ok(FoundFooter {
            footer,
            data_end: size,
            end_is_bad: Some(end_is_bad),
        }),
        _ => Err(end_is_bad),
    }
}

fn at_end(file: &dyn ImageFile, size: u64) -> Result<(Footer, u64), DiskError> {
    for len in [FOOTER_BYTES, OLD_FOOTER_BYTES] {
        let Some(offset) = size.checked_sub(len) else {
            continue;
        };
        if let Some(footer) = read(file, offset, len)? {
            return Ok((footer, offset));
        }
    }
    Err(DiskError::corrupt(
        file.name(),
        size.saturating_sub(FOOTER_BYTES),
        "there is no VHD footer, expected \"conectix\" at the end of the file",
    )
    .hint("the file is cut short or has been appended to: get a whole copy of it"))
}

/// Reads the footer at `offset`; `None` where there is no cookie.
pub(crate) fn read(
    file: &dyn ImageFile,
    offset: u64,
    len: u64,
) -> Result<Option<Footer>, DiskError> {
    let mut bytes = [0; 512];
    let len = usize::try_from(len).unwrap_or(512).min(512);
    file.read_exact_at(offset, &mut bytes[..len])
        .map_err(|error| {
            DiskError::io(file.name(), "cannot read the VHD footer", error).at(offset)
        })?;
    Footer::parse(&bytes, file.name(), offset)
}
