//! Reparse points: links, and files that something else stands for.

use crate::fields::{part, u16_at, u32_at};
use crate::malformed::{Malformed, Parsed, ensure};

/// What reparse points are (MS-FSCC 2.1.2.1).
pub mod tags {
    /// A junction, or a mounted volume.
    pub const MOUNT_POINT: u32 = 0xA000_0003;
    /// A symbolic link.
    pub const SYMBOLIC_LINK: u32 = 0xA000_000C;
    /// A symbolic link of the Windows Subsystem for Linux.
    pub const LINUX_LINK: u32 = 0xA000_001D;
    /// A file that Windows compressed (CompactOS), or that lies in an image file.
    pub const WOF: u32 = 0x8000_0017;
    /// A deduplicated file.
    pub const DEDUPLICATED: u32 = 0x8000_0013;

    /// Says whether a tag is one of those that cloud storage has, which differ in four bits.
    pub fn is_cloud(tag: u32) -> bool {
        tag & 0xFFFF_0FFF == 0x9000_001A
    }
}

/// The value of a `$REPARSE_POINT`.
#[derive(Debug, Clone, Copy)]
pub struct ReparsePoint<'a> {
    /// What it is: one of [`tags`], or another.
    pub tag: u32,
    /// What is said of it.
    data: &'a [u8],
}

/// How Windows compressed a file (`FILE_PROVIDER_COMPRESSION_`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WofAlgorithm {
    /// XPRESS Huffman, in pieces of so many bytes.
    Xpress(u32),
    /// LZX, in pieces of 32 KiB.
    Lzx,
}

impl WofAlgorithm {
    /// Returns how many bytes of a file are compressed together.
    pub fn chunk_bytes(self) -> u32 {
        match self {
            Self::Xpress(bytes) => bytes,
            Self::Lzx => 32 << 10,
        }
    }
}

impl<'a> ReparsePoint<'a> {
    /// Takes the value of the attribute.
    ///
    /// # Errors
    ///
    /// Where it is shorter than it says.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        Ok(Self {
            tag: u32_at(bytes, 0)?,
            data: part(bytes, 8, usize::from(u16_at(bytes, 4)?))?,
        })
    }

    /// Returns in UTF-16 where a symbolic link or a junction leads.
    ///
    /// # Errors
    ///
    /// Where it is neither, or is shorter than its text.
    pub fn target(&self) -> Parsed<&'a [u8]> {
        // Of two names the first is what the system follows; the other is for show.
        let buffer = match self.tag {
            tags::SYMBOLIC_LINK => 12,
            tags::MOUNT_POINT => 8,
            _ => return Err(Malformed::new("a reparse point is no link")),
        };
        let at = usize::from(u16_at(self.data, 0)?);
        let len = usize::from(u16_at(self.data, 2)?);
        part(self.data, buffer + at, len)
    }

    /// Returns as bytes where a link of the Windows Subsystem for Linux leads.
    ///
    /// # Errors
    ///
    /// Where it is another reparse point, or a version that is not known.
    pub fn linux_target(&self) -> Parsed<&'a [u8]> {
        ensure(
            self.tag == tags::LINUX_LINK && u32_at(self.data, 0)? == 2,
            "a reparse point is no link that is known",
        )?;
        Ok(self.data.get(4..).unwrap_or_default())
    }

    /// Returns how Windows compressed the file; `None` where it lies in an image file, or in a way
    /// that is not known.
    ///
    /// # Errors
    ///
    /// Where the reparse point is another, or shorter than it should be.
    pub fn wof_algorithm(&self) -> Parsed<Option<WofAlgorithm>> {
        ensure(self.tag == tags::WOF, "a reparse point is not WOF's")?;
        let version = u32_at(self.data, 0)?;
        let provider = u32_at(self.data, 4)?;
        if version != 1 || provider != 2 || u32_at(self.data, 8)? != 1 {
            return Ok(None);
        }
        Ok(match u32_at(self.data, 12)? {
            0 => Some(WofAlgorithm::Xpress(4 << 10)),
            1 => Some(WofAlgorithm::Lzx),
            2 => Some(WofAlgorithm::Xpress(8 << 10)),
            3 => Some(WofAlgorithm::Xpress(16 << 10)),
            _ => None,
        })
    }
}
