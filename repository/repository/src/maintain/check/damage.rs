//! What is not as it was written, and what that costs.

use std::error::Error as _;
use std::ops::Range;

use object_store::{StoreError, StoreErrorKind};
use serde::Serialize;

use crate::stream::Stream;
use crate::{RepositoryError, RepositoryErrorKind, RestorePoint};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damage {
    /// The object that is not as it was written, where it is one.
    pub object: Option<String>,
    /// The VM's name, where a restore point is affected.
    pub vm: Option<String>,
    /// The restore point that is affected.
    pub point: Option<String>,
    /// The disk or file that is affected.
    pub stream: Option<String>,
    /// Offset of the range that is lost, in bytes.
    pub offset: Option<u64>,
    /// Length of the range that is lost, in bytes.
    pub len_bytes: Option<u64>,
    /// What is wrong, naming the object and the offset in it.
    pub text: String,
}

impl Damage {
    pub(crate) fn of_stream(
        point: &RestorePoint,
        stream: &Stream,
        range: Range<u64>,
        error: &RepositoryError,
    ) -> Self {
        Self {
            object: error.object().map(str::to_owned),
            vm: Some(point.vm.name.clone()),
            point: Some(point.id.clone()),
            stream: Some(stream.name.clone()),
            offset: Some(range.start),
            len_bytes: Some(range.end - range.start),
            text: error.to_string(),
        }
    }

    pub(crate) fn of_object(error: &RepositoryError) -> Self {
        let text = error.to_string();
        Self {
            object: error.object().map(str::to_owned),
            vm: None,
            point: None,
            stream: None,
            offset: None,
            len_bytes: None,
            text,
        }
    }
}

/// A range of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LostRange {
    /// Offset in the stream in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub len_bytes: u64,
}

/// What a restore point has lost of one of its disks or files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostStream {
    /// The VM's name.
    pub vm: String,
    /// The restore point.
    pub point: String,
    /// When it was taken.
    pub started: jiff::Timestamp,
    /// The disk or file.
    pub stream: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Everything that is lost, in bytes.
    pub lost_bytes: u64,
    /// The first of the ranges, in order and merged.
    pub ranges: Vec<LostRange>,
    /// How many ranges there are besides.
    pub more_ranges: u64,
    /// Why the first of them is lost.
    pub text: String,
}

/// Says whether an object that a listing showed is not there: listings lag, and others remove.
pub(crate) fn is_gone(error: &RepositoryError) -> bool {
    let store = error
        .source()
        .and_then(|cause| cause.downcast_ref::<StoreError>());
    store.is_some_and(|error| error.kind() == StoreErrorKind::NotFound)
}

/// Says whether an error tells of what is stored, and not of the store.
pub(crate) fn is_damage(error: &RepositoryError) -> bool {
    matches!(
        error.kind(),
        RepositoryErrorKind::Damaged | RepositoryErrorKind::Unsupported
    )
}
