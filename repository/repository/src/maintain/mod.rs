//! Looking after a repository: verify, check, compare, statistics.

mod check;
mod compare;
mod statistics;
mod verify;

pub use check::{CheckDepth, CheckReport, Damage, LostRange, LostStream};
pub use compare::{Difference, DifferenceKind};
pub use statistics::RepositoryStatistics;
pub use verify::{VerifyObserver, VerifyReport};
