//! Looking after a repository: verify, check, compare, statistics.

mod check;
mod compare;
mod repair;
mod statistics;
mod verify;

pub use check::{BytesReport, CheckDepth, CheckReport, Damage, LostRange, LostStream, check_bytes};
pub use compare::{Difference, DifferenceKind};
pub use repair::{KeptObject, RepairPlan, RepairReport};
pub use statistics::RepositoryStatistics;
pub use verify::{VerifyObserver, VerifyReport};
