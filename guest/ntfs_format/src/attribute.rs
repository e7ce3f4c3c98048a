//! Attributes of a file.

use crate::fields::{index, part, u8_at, u16_at, u32_at, u64_at};
use crate::file_name::is_called;
use crate::malformed::Parsed;

/// Attributes that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are NTFS' own")]
pub enum AttributeKind {
    StandardInformation = 0x10,
    AttributeList = 0x20,
    FileName = 0x30,
    SecurityDescriptor = 0x50,
    VolumeName = 0x60,
    VolumeInformation = 0x70,
    Data = 0x80,
    IndexRoot = 0x90,
    IndexAllocation = 0xA0,
    Bitmap = 0xB0,
    ReparsePoint = 0xC0,
}

/// How content is compressed; zero for not at all.
const COMPRESSION_MASK: u16 = 0x00FF;
const FLAG_ENCRYPTED: u16 = 0x4000;
const FLAG_SPARSE: u16 = 0x8000;

/// An attribute, or a part of one, in a record.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    kind: u32,
    name: &'a [u8],
    flags: u16,
    form: Form<'a>,
}

/// Where an attribute's content is.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// In the record itself.
    Resident(&'a [u8]),
    /// In clusters.
    Runs(StoredRuns<'a>),
}

/// Where clusters of content lie, as it is stored. Lengths count in the first part alone.
#[derive(Debug, Clone, Copy)]
pub struct StoredRuns<'a> {
    /// The first cluster of the content that these runs hold.
    pub first: u64,
    /// Length of the content in bytes.
    pub len_bytes: u64,
    /// How much of it was ever written, in bytes: the rest reads as zero.
    pub valid_bytes: u64,
    /// Clusters that are compressed together, as a power of two; 0 where none are.
    pub unit_shift: u8,
    /// The runs (mapping pairs), for [`crate::append_runs`].
    pub pairs: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let name_at = usize::from(u16_at(bytes, 10)?);
        let name = part(bytes, name_at, 2 * usize::from(u8_at(bytes, 9)?))?;
        let form = if u8_at(bytes, 8)? == 0 {
            let len = index(u32_at(bytes, 16)?)?;
            Form::Resident(part(bytes, usize::from(u16_at(bytes, 20)?), len)?)
        } else {
            let pairs_at = usize::from(u16_at(bytes, 32)?);
            Form::Runs(StoredRuns {
                first: u64_at(bytes, 16)?,
                len_bytes: u64_at(bytes, 48)?,
                valid_bytes: u64_at(bytes, 56)?,
                unit_shift: u8_at(bytes, 34)?,
                pairs: part(bytes, pairs_at, bytes.len().saturating_sub(pairs_at))?,
            })
        };
        Ok(Self {
            kind: u32_at(bytes, 0)?,
            name,
            flags: u16_at(bytes, 12)?,
            form,
        })
    }

    /// Says whether it is of this kind and has this name in UTF-16.
    pub fn is(&self, kind: AttributeKind, name: &[u8]) -> bool {
        self.is_a(kind) && self.name == name
    }

    /// Says whether it is of this kind and has this name, which is ASCII, letters large or small.
    pub fn is_called(&self, kind: AttributeKind, name: &str) -> bool {
        self.is_a(kind) && is_called(self.name, name)
    }

    /// Says whether it is of this kind.
    pub fn is_a(&self, kind: AttributeKind) -> bool {
        self.kind == kind as u32
    }

    /// Returns its name in UTF-16; empty for most.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Returns where its content is.
    pub fn form(&self) -> Form<'a> {
        self.form
    }

    /// Returns its content where it is in the record itself.
    pub fn resident(&self) -> Option<&'a [u8]> {
        match self.form {
            Form::Resident(bytes) => Some(bytes),
            Form::Runs(_) => None,
        }
    }

    /// Returns the number of the method that it is compressed by; 0 for none, 1 for LZNT1.
    pub fn compression(&self) -> u16 {
        self.flags & COMPRESSION_MASK
    }

    /// Says whether the guest encrypted it (EFS).
    pub fn is_encrypted(&self) -> bool {
        self.flags & FLAG_ENCRYPTED != 0
    }

    /// Says whether it is neither compressed nor encrypted nor sparse.
    pub fn is_plain(&self) -> bool {
        self.flags & (COMPRESSION_MASK | FLAG_ENCRYPTED | FLAG_SPARSE) == 0
    }

    /// Returns its length in bytes; of a part of an attribute that is not the first, nothing of use.
    pub fn len_bytes(&self) -> u64 {
        match self.form {
            // A record is short.
            Form::Resident(bytes) => bytes.len() as u64,
            Form::Runs(runs) => runs.len_bytes,
        }
    }

    /// Says whether its content begins in this part of it.
    pub fn is_first_part(&self) -> bool {
        match self.form {
            Form::Resident(_) => true,
            Form::Runs(runs) => runs.first == 0,
        }
    }
}
