//! Why a volume's files cannot be had.

use std::error::Error;
use std::fmt;

use block_io::DiskError;
use serde::{Deserialize, Serialize};

use crate::Content;

/// What stands between a person and the files of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What sort.
    pub kind: ObstacleKind,
    /// What it is, in one sentence without a full stop.
    pub what: String,
    /// What a person can do; empty where nothing is known to help.
    pub hint: String,
}

/// What sort of obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObstacleKind {
    /// The volume is encrypted: it takes a key.
    Encrypted,
    /// A part of it lies on a disk that is not here.
    Missing,
    /// There is no reader for how it is made, or for what is in it.
    NoReader,
    /// What describes it contradicts itself or the disk.
    Damaged,
    /// A disk could not be read.
    Disk,
}

impl Obstacle {
    pub(crate) fn new(kind: ObstacleKind, what: impl Into<String>, hint: &str) -> Self {
        Self {
            kind,
            what: what.into(),
            hint: hint.to_owned(),
        }
    }

    /// Parts that lie elsewhere.
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        let hint = "name all disks of the VM, also those that are backed up in another point";
        Self::new(ObstacleKind::Missing, what, hint)
    }

    /// A way of making volumes that is not read.
    pub(crate) fn not_read(what: impl Into<String>) -> Self {
        Self::new(ObstacleKind::NoReader, what, RESTORE)
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        let hint =
            "try another restore point, or restore the disk and repair it with its own system";
        Self::new(ObstacleKind::Damaged, what, hint)
    }

    /// Says what is in the way where a volume's bytes are here and its content is known; `None` where
    /// there is a file system that is read, or nothing to read.
    pub(crate) fn of_content(content: Content) -> Option<Self> {
        let obstacle = match content {
            Content::BitLocker => Self::new(
                ObstacleKind::Encrypted,
                "the volume is encrypted with BitLocker",
                "it takes its recovery key, one of its passwords, or a start-up key's file; where it has \
                 none of these, restore the disk and attach it to a Windows machine",
            ),
            Content::Luks => Self::new(
                ObstacleKind::Encrypted,
                "the volume is encrypted with LUKS",
                "it takes one of its passwords or key files",
            ),
            Content::Refs | Content::Bcache | Content::Zfs | Content::Vmfs | Content::Apfs => {
                Self::not_read(format!("there is no reader for {}", content.name()))
            }
            Content::Iso9660 | Content::SquashFs => Self::not_read(format!(
                "there is no reader for {}, which is made once and never changed",
                content.name()
            )),
            Content::StorageSpaces => Self::not_read("the disk is a part of Storage Spaces"),
            Content::Unknown => {
                Self::not_read("no file system is known by what the volume begins with")
            }
            _ => return None,
        };
        Some(obstacle)
    }
}

const RESTORE: &str =
    "restore the disk, attach it to a machine with the guest's system, and take the files there";

impl From<DiskError> for Obstacle {
    fn from(error: DiskError) -> Self {
        let hint = error.hint_text().unwrap_or("").to_owned();
        Self {
            kind: ObstacleKind::Disk,
            what: format!("the disk could not be read: {error}"),
            hint,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)
    }
}

impl Error for Obstacle {}
