//! Looking after a repository: verify, check, compare, statistics, locks.

mod check;
mod compare;
mod device_difference;
mod lock_extension;
mod repair;
mod statistics;
mod verify;

pub(crate) use check::in_parallel;
pub use check::{BytesReport, CheckDepth, CheckReport, Damage, LostRange, LostStream, check_bytes};
pub use compare::{Difference, DifferenceKind};
pub use device_difference::DeviceDifference;
pub use lock_extension::LockReport;
pub use repair::{KeptObject, RepairPlan, RepairReport};
pub use statistics::RepositoryStatistics;
pub use verify::{VerifyObserver, VerifyReport};
