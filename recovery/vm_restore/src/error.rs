//! Why a restore did not work.

use std::error::Error;
use std::fmt;
use std::path::Path;

use hyperv_host::Finding;

/// What a step of a restore failed with: a `DiskError` or a `RepositoryError`.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// A restore's failure.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// Nothing was restored. The cause is a [`block_io::DiskError`] or a
    /// [`repository::RepositoryError`], which has the kind, the place and what to do.
    Failed {
        /// What was to be restored.
        what: String,
        /// Why it could not be.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A check says that this cannot work; nothing was done.
    Blocked(Box<Finding>),
    /// The point has no such disk.
    NoSuchDisk {
        /// The number that was asked for.
        number: u32,
        /// How many disks there are.
        disks: usize,
    },
    /// The point has no such checkpoint, or several that are called so.
    Checkpoint {
        /// What was asked for, and what there is.
        what: String,
    },
}

impl RestoreError {
    pub(crate) fn new(what: String, cause: Cause) -> Self {
        Self::Failed { what, cause }
    }

    pub(crate) fn of_vm(vm: &str, folder: &Path, cause: impl Into<Cause>) -> Self {
        let what = format!("cannot restore {vm} to {}", folder.display());
        Self::new(what, cause.into())
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { what, .. } | Self::Checkpoint { what } => f.write_str(what),
            Self::Blocked(finding) => write!(f, "{}: {}", finding.id, finding.text),
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
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { cause, .. } => Some(&**cause),
            Self::Blocked(_) | Self::NoSuchDisk { .. } | Self::Checkpoint { .. } => None,
        }
    }
}
