//! What the program ends with: one table, the same as in the user documentation.

use block_io::DiskErrorKind;
use hyperv_host::HostErrorKind;
use object_store::StoreErrorKind;
use repository::RepositoryErrorKind;
use serde::{Serialize, Serializer};

/// What a run of the program ended with. Any unknown non-zero code is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done; warnings are allowed.
    Success = 0,
    /// Failed for a reason that has no code of its own.
    Failed = 1,
    /// Wrong usage, an unknown or an ambiguous name.
    Usage = 2,
    /// Finished, but some VMs or files failed.
    Partial = 3,
    /// Finished with warnings, with `--strict`.
    Warnings = 4,
    /// There is no repository.
    NoRepository = 10,
    /// Wrong key or password.
    WrongKey = 12,
    /// The repository is damaged.
    Damaged = 13,
    /// No space, or the quota is used up.
    NoSpace = 14,
    /// The disk or share of the repository is not there yet.
    MediumAbsent = 15,
    /// A finding of the check before the work says that it cannot be done.
    Blocked = 20,
    /// The host, or the folder that stands for it, cannot be reached.
    HostUnreachable = 21,
    /// Rights are missing.
    MissingRights = 22,
    /// A VM was busy, and the retries are used up.
    Busy = 23,
    /// The required consistency was not reached.
    ConsistencyMissed = 24,
    /// Something of an earlier run is left on the host, or a merge has not finished.
    Residue = 25,
    /// The target exists and would be overwritten.
    TargetExists = 30,
    /// The target is too small, or a version does not fit.
    Incompatible = 31,
    /// What was proved turned out to be wrong.
    VerifyFailed = 40,
    /// The person asked to stop; what was finished is kept.
    Cancelled = 130,
}

impl ExitCode {
    /// Returns the number that the system sees.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// Returns whether the code says more than that something failed.
    pub(crate) fn is_specific(self) -> bool {
        self != Self::Failed
    }

    /// Returns the code of a repository's failure. `Failed` where the cause may know better.
    pub(crate) fn of_repository(kind: RepositoryErrorKind) -> Self {
        match kind {
            RepositoryErrorKind::NotFound => Self::NoRepository,
            RepositoryErrorKind::Exists => Self::TargetExists,
            RepositoryErrorKind::MediumAbsent => Self::MediumAbsent,
            RepositoryErrorKind::WrongKey => Self::WrongKey,
            RepositoryErrorKind::Damaged => Self::Damaged,
            RepositoryErrorKind::Unsupported => Self::Incompatible,
            RepositoryErrorKind::NoSuchPoint
            | RepositoryErrorKind::AmbiguousPoint
            | RepositoryErrorKind::NoSuchKey => Self::Usage,
            RepositoryErrorKind::Refused => Self::Blocked,
            RepositoryErrorKind::NoSpace => Self::NoSpace,
            RepositoryErrorKind::Denied
            | RepositoryErrorKind::WriteOnly
            | RepositoryErrorKind::OtherDomain => Self::MissingRights,
            RepositoryErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    /// Returns the code of a store's failure. `Failed` where the cause may know better.
    pub(crate) fn of_store(kind: StoreErrorKind) -> Self {
        match kind {
            StoreErrorKind::NotFound => Self::NoRepository,
            StoreErrorKind::MediumAbsent => Self::MediumAbsent,
            StoreErrorKind::NoSpace => Self::NoSpace,
            StoreErrorKind::Denied => Self::MissingRights,
            _ => Self::Failed,
        }
    }

    /// Returns the code of a disk's failure. `Failed` where the cause may know better.
    pub(crate) fn of_disk(kind: DiskErrorKind) -> Self {
        match kind {
            DiskErrorKind::Ambiguous => Self::Usage,
            DiskErrorKind::Blocked => Self::Blocked,
            DiskErrorKind::OutOfRange => Self::Incompatible,
            DiskErrorKind::Exists => Self::TargetExists,
            DiskErrorKind::NoSpace => Self::NoSpace,
            DiskErrorKind::Denied => Self::MissingRights,
            DiskErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    /// Returns the code of a host's failure. `Failed` where the cause may know better.
    pub(crate) fn of_host(kind: HostErrorKind) -> Self {
        match kind {
            HostErrorKind::Unreachable | HostErrorKind::NoHyperv => Self::HostUnreachable,
            HostErrorKind::NoSuchVm => Self::Usage,
            HostErrorKind::Denied => Self::MissingRights,
            HostErrorKind::Blocked => Self::Blocked,
            HostErrorKind::Busy => Self::Busy,
            HostErrorKind::ConsistencyMissed => Self::ConsistencyMissed,
            HostErrorKind::NoRoom => Self::NoSpace,
            HostErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_documented_one() {
        let codes = [
            (ExitCode::of_repository(RepositoryErrorKind::NotFound), 10),
            (ExitCode::of_repository(RepositoryErrorKind::WrongKey), 12),
            (ExitCode::of_repository(RepositoryErrorKind::Damaged), 13),
            (ExitCode::of_repository(RepositoryErrorKind::NoSpace), 14),
            (ExitCode::of_repository(RepositoryErrorKind::Denied), 22),
            (ExitCode::of_repository(RepositoryErrorKind::WriteOnly), 22),
            (
                ExitCode::of_repository(RepositoryErrorKind::OtherDomain),
                22,
            ),
            (ExitCode::of_repository(RepositoryErrorKind::NoSuchKey), 2),
            (ExitCode::of_repository(RepositoryErrorKind::Refused), 20),
            (ExitCode::of_repository(RepositoryErrorKind::Exists), 30),
            (
                ExitCode::of_repository(RepositoryErrorKind::Unsupported),
                31,
            ),
            (ExitCode::of_repository(RepositoryErrorKind::NoSuchPoint), 2),
            (
                ExitCode::of_repository(RepositoryErrorKind::AmbiguousPoint),
                2,
            ),
            (ExitCode::of_repository(RepositoryErrorKind::Cancelled), 130),
            (ExitCode::of_repository(RepositoryErrorKind::Store), 1),
            (ExitCode::of_store(StoreErrorKind::NotFound), 10),
            (ExitCode::of_store(StoreErrorKind::Denied), 22),
            (ExitCode::of_store(StoreErrorKind::MediumAbsent), 15),
            (ExitCode::of_store(StoreErrorKind::Io), 1),
            (ExitCode::of_disk(DiskErrorKind::Ambiguous), 2),
            (ExitCode::of_disk(DiskErrorKind::NoSpace), 14),
            (ExitCode::of_disk(DiskErrorKind::Blocked), 20),
            (ExitCode::of_disk(DiskErrorKind::Denied), 22),
            (ExitCode::of_disk(DiskErrorKind::Exists), 30),
            (ExitCode::of_disk(DiskErrorKind::OutOfRange), 31),
            (ExitCode::of_disk(DiskErrorKind::Cancelled), 130),
            (ExitCode::of_disk(DiskErrorKind::Corrupt), 1),
            (ExitCode::of_disk(DiskErrorKind::ParentMissing), 1),
            (ExitCode::of_host(HostErrorKind::Unreachable), 21),
            (ExitCode::of_host(HostErrorKind::NoSuchVm), 2),
            (ExitCode::of_host(HostErrorKind::NoHyperv), 21),
            (ExitCode::of_host(HostErrorKind::Denied), 22),
            (ExitCode::of_host(HostErrorKind::Blocked), 20),
            (ExitCode::of_host(HostErrorKind::Busy), 23),
            (ExitCode::of_host(HostErrorKind::ConsistencyMissed), 24),
            (ExitCode::of_host(HostErrorKind::NoRoom), 14),
            (ExitCode::Residue, 25),
            (ExitCode::Partial, 3),
            (ExitCode::Warnings, 4),
            (ExitCode::VerifyFailed, 40),
        ];
        for (code, number) in codes {
            assert_eq!(code.number(), number, "{code:?}");
        }
    }
}
