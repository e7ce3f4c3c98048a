//! A disk or file of a restore point (section 10).

use std::ops::AddAssign;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::format::{Locator, Name, PackId};
use crate::hex;
use crate::keys::DomainId;
use crate::read::MapRoot;
use crate::{RepositoryError, RepositoryErrorKind};

/// What a stream is to its VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamRole {
    /// A virtual disk.
    Disk,
    /// The VM's configuration file.
    Configuration,
    /// Memory and device state.
    RuntimeState,
    /// Firmware variables and virtual TPM.
    GuestState,
    /// Configuration of a checkpoint.
    CheckpointConfiguration,
    /// Memory and device state of a checkpoint.
    CheckpointState,
    /// An image file of a checkpoint tree, byte for byte.
    Image,
}

/// A disk or file of a point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// What it is.
    pub role: StreamRole,
    /// Position among the disks, from 0; 0 for files.
    pub number: u32,
    /// File name (disks) or relative path with `/` (files, images) to restore to.
    pub name: String,
    /// Where it was, as the host names it.
    pub source_path: String,
    /// Where the disk is attached, in the configuration's own words.
    pub slot: Option<Value>,
    /// Format of the source: `vhdx`, `vhd` or `raw`; none for configuration and state files.
    pub format: Option<String>,
    /// Logical sector size in bytes.
    pub sector_bytes: u32,
    /// Physical sector size in bytes.
    pub physical_sector_bytes: u32,
    /// The virtual disk's own id, where it has one.
    pub disk_id: Option<String>,
    /// `name` of an image's parent among the point's images; none for a base, a disk or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Where its map begins; none for an empty stream.
    pub root: Option<StreamRoot>,
    /// What was read and stored.
    pub statistics: StreamStatistics,
    /// The source's own tracking ids, in base64; opaque here.
    pub cursor: Option<String>,
    /// How the source was read, where that was told.
    #[serde(default)]
    pub read: Option<StreamRead>,
    /// How far what the source calls unchanged was proved, where that is done.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// What was left out on purpose, as far as it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedContent>,
}

/// What was left out of one volume of a disk, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedContent {
    /// Where in the disk the volume begins, in bytes.
    pub volume: u64,
    /// What the volume is, such as `NTFS`.
    pub file_system: String,
    /// Why it could be left out: a word such as `free-space` or `page-file`.
    pub reason: String,
    /// Bytes of the ranges, before they were cut to whole chunks; also where the disk holds
    /// nothing anyway.
    pub bytes: u64,
}

/// How a source was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum StreamRead {
    /// All of it, but for what it said holds nothing.
    Everything {
        /// Why: a word such as `first-backup`.
        #[serde(default)]
        reason: String,
    },
    /// What the source called changed since the earlier point.
    ChangedRanges {
        /// Ranges that it named.
        #[serde(default)]
        ranges: u64,
        /// Bytes in them, before they were rounded to chunks.
        #[serde(default)]
        changed_bytes: u64,
    },
    /// In a way that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How far what a source calls unchanged was read all the same and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Everything before this byte was proved in this round.
    pub swept_to: u64,
    /// When the round began.
    pub round_started: Timestamp,
    /// Bytes that were read for this point to prove the source right.
    pub checked_bytes: u64,
}

/// Where a map begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRoot {
    /// The domain whose keys name and seal the map: that of the point. Not known of a point that
    /// was not read from a repository.
    #[serde(skip)]
    domain: Option<DomainId>,
    level: u8,
    name: String,
    pack: String,
    offset: u32,
    stored_bytes: u32,
}

/// What a stream is, and what a run did with it, in bytes.
///
/// The first four add up to the size of the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatistics {
    /// Stored data, before compression.
    pub data_bytes: u64,
    /// Known to be zero, or found to be.
    pub zero_bytes: u64,
    /// Never written.
    pub not_allocated_bytes: u64,
    /// Left out on purpose.
    pub skipped_bytes: u64,
    /// Read from the source.
    pub read_bytes: u64,
    /// Data that differs from the point it was compared with.
    pub changed_bytes: u64,
    /// Data that the repository did not have.
    pub new_bytes: u64,
    /// What that took, compressed and encrypted.
    pub stored_bytes: u64,
}

impl Stream {
    /// Makes the stream of a file of which nothing is stored yet.
    pub fn of_file(role: StreamRole, name: &str, source_path: &str, size_bytes: u64) -> Self {
        Self {
            role,
            number: 0,
            name: name.to_owned(),
            source_path: source_path.to_owned(),
            slot: None,
            format: None,
            sector_bytes: 512,
            physical_sector_bytes: 4096,
            disk_id: None,
            parent: None,
            size_bytes,
            root: None,
            statistics: StreamStatistics::default(),
            cursor: None,
            read: None,
            proof: None,
            skipped: Vec::new(),
        }
    }
}

impl Stream {
    /// Returns the domain that the stream's map belongs to, where that is known.
    pub(crate) fn domain(&self) -> Option<DomainId> {
        self.root.as_ref().and_then(|root| root.domain)
    }

    /// Says which domain the stream's map belongs to: that of the point that it was read from.
    pub(crate) fn set_domain(&mut self, domain: DomainId) {
        if let Some(root) = &mut self.root {
            root.domain = Some(domain);
        }
    }
}

impl AddAssign for StreamStatistics {
    fn add_assign(&mut self, part: Self) {
        self.data_bytes += part.data_bytes;
        self.zero_bytes += part.zero_bytes;
        self.not_allocated_bytes += part.not_allocated_bytes;
        self.skipped_bytes += part.skipped_bytes;
        self.read_bytes += part.read_bytes;
        self.changed_bytes += part.changed_bytes;
        self.new_bytes += part.new_bytes;
        self.stored_bytes += part.stored_bytes;
    }
}

impl StreamRoot {
    pub(crate) fn from_map(domain: DomainId, root: MapRoot) -> Self {
        Self {
            domain: Some(domain),
            level: root.level,
            name: hex::encode(&root.name.0),
            pack: hex::encode(&root.locator.pack.0),
            offset: root.locator.offset,
            stored_bytes: root.locator.stored_bytes,
        }
    }

    pub(crate) fn to_map(&self) -> Result<MapRoot, RepositoryError> {
        let read = || {
            let pack = PackId(hex::decode_array(&self.pack)?);
            let Self {
                level,
                offset,
                stored_bytes,
                ..
            } = *self;
            let locator = Locator {
                pack,
                offset,
                stored_bytes,
            };
            Some(MapRoot {
                level,
                name: Name(hex::decode_array(&self.name)?),
                locator,
            })
        };
        read().ok_or_else(|| {
            let what = "a stream's root is malformed";
            RepositoryError::new(RepositoryErrorKind::Damaged, what)
        })
    }

    /// Returns the name of the map's root: streams of equal size and name hold equal bytes.
    pub fn name(&self) -> &str {
        &self.name
    }
}
