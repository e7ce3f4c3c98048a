//! Attributes of a file.

use crate::fields::{le, part, u8_at};
use crate::ntfs::file_record::is_called;
use crate::ntfs::mapping_pairs::Run;
use crate::refusal::Read;

/// Attributes that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttributeKind {
    AttributeList = 0x20,
    FileName = 0x30,
    VolumeInformation = 0x70,
    Data = 0x80,
    IndexRoot = 0x90,
    IndexAllocation = 0xA0,
    Bitmap = 0xB0,
}

/// Compressed, encrypted or sparse: not what a system would page to.
const FLAGS_SPECIAL: u16 = 0x0001 | 0x4000 | 0x8000;

/// An attribute, or a part of one, in a record.
pub(crate) struct Attribute<'a> {
    kind: u32,
    name: &'a [u8],
    pub(crate) plain: bool,
    pub(crate) form: Form<'a>,
}

/// Where an attribute's content is.
pub(crate) enum Form<'a> {
    Resident(&'a [u8]),
    Runs {
        /// The first cluster of the content that these runs hold.
        first: u64,
        /// Length of the content; of the first part of it alone.
        len_bytes: u64,
        pairs: &'a [u8],
    },
}

/// The whole content of an attribute, from all of its parts.
#[derive(Debug)]
pub(crate) enum Content {
    Resident(Vec<u8>),
    Runs {
        runs: Vec<Run>,
        len_bytes: u64,
        plain: bool,
    },
}

impl<'a> Attribute<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Read<Self> {
        let name_at = usize::from(le::u16_at(bytes, 10)?);
        let name = part(bytes, name_at, 2 * usize::from(u8_at(bytes, 9)?))?;
        let form = if u8_at(bytes, 8)? == 0 {
            let len = usize::try_from(le::u32_at(bytes, 16)?).unwrap_or(usize::MAX);
            Form::Resident(part(bytes, usize::from(le::u16_at(bytes, 20)?), len)?)
        } else {
            let pairs_at = usize::from(le::u16_at(bytes, 32)?);
            Form::Runs {
                first: le::u64_at(bytes, 16)?,
                len_bytes: le::u64_at(bytes, 48)?,
                pairs: part(bytes, pairs_at, bytes.len().saturating_sub(pairs_at))?,
            }
        };
        Ok(Self {
            kind: le::u32_at(bytes, 0)?,
            name,
            plain: le::u16_at(bytes, 12)? & FLAGS_SPECIAL == 0,
            form,
        })
    }

    pub(crate) fn is(&self, kind: AttributeKind, name: &str) -> bool {
        self.kind == kind as u32 && is_called(self.name, name)
    }

    /// Returns its content where it is this attribute and in the record itself.
    pub(crate) fn resident(&self, kind: AttributeKind, name: &str) -> Option<&'a [u8]> {
        match self.form {
            Form::Resident(bytes) if self.is(kind, name) => Some(bytes),
            _ => None,
        }
    }
}
