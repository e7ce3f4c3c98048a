//! Why a restore did not work.

use std::error::Error;
use std::fmt;

use block_io::DiskError;
use repository::RepositoryError;

/// A restore's failure. The cause says what and where.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// The repository could not give what was asked for.
    Repository(RepositoryError),
    /// An image or file could not be written; or reading the point failed on the way, which is
    /// then the cause of this one.
    Disk(DiskError),
    /// The point has no such disk.
    NoSuchDisk {
        /// The number that was asked for.
        number: u32,
        /// How many disks there are.
        disks: usize,
    },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
            Self::NoSuchDisk { disks: 0, .. } => f.write_str("the restore point has no disks"),
            Self::NoSuchDisk { number, disks } => {
                write!(
                    f,
                    "the restore point has no disk {number}; it has 0 to {}",
                    disks - 1
                )
            }
        }
    }
}

impl Error for RestoreError {
    /// The wrapped error speaks for itself, so its cause is this one's, and [`RestoreError`] is
    /// looked into rather than walked through.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Repository(error) => Some(error),
            Self::Disk(error) => Some(error),
            Self::NoSuchDisk { .. } => None,
        }
    }
}

impl From<RepositoryError> for RestoreError {
    fn from(error: RepositoryError) -> Self {
        Self::Repository(error)
    }
}

impl From<DiskError> for RestoreError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}
