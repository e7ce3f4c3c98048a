//! What a listing says of a point.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Consistency, PointKind, PointVm, RestorePoint, Stream, StreamRead, StreamRole, StreamStatistics,
};

/// Warnings that are kept, and characters of each: a listing is no log.
const WARNINGS_MAX: usize = 16;
const WARNING_CHARS_MAX: usize = 300;

/// What a listing says of a point: enough to show it and to choose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Name of the point's object.
    pub object: String,
    /// The point's id.
    pub id: String,
    /// The VM.
    pub vm: PointVm,
    /// The host that it was taken from.
    pub host: String,
    /// The time of the point.
    pub started: Timestamp,
    /// When all of it was durable.
    pub finished: Timestamp,
    /// Whether it was compared with an earlier point.
    pub kind: PointKind,
    /// A word for the way that it was taken.
    #[serde(default)]
    pub method: Option<String>,
    /// The level that was reached.
    pub consistency: Consistency,
    /// Id of the point that it was compared with.
    #[serde(default)]
    pub parent: Option<String>,
    /// Version of the point's format.
    pub point_version: u32,
    /// Whether it holds a checkpoint tree.
    #[serde(default)]
    pub tree: bool,
    /// Whether all its disks and images are said to have been read whole.
    #[serde(default)]
    pub whole: bool,
    /// How many disks it has.
    pub disks: u32,
    /// Size of its disks and images, in bytes.
    pub size_bytes: u64,
    /// Sum over all its streams.
    pub statistics: StreamStatistics,
    /// How long the guest did not run, in milliseconds, where it had to be saved or paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption_ms: Option<u64>,
    /// What went less well than it should: the first few warnings, each cut to one line's length.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl PointSummary {
    /// Sums a point up.
    pub(crate) fn of(object: &str, point: &RestorePoint) -> Self {
        let disks = || point.disks().chain(&point.images);
        let mut statistics = StreamStatistics::default();
        for stream in point.all_streams() {
            statistics += stream.statistics;
        }
        let warnings = point.warnings.iter().take(WARNINGS_MAX);
        Self {
            object: object.to_owned(),
            id: point.id.clone(),
            vm: point.vm.clone(),
            host: point.host.clone(),
            started: point.started,
            finished: point.finished,
            kind: point.kind,
            method: point.method.clone(),
            consistency: point.consistency,
            parent: point.parent.clone(),
            point_version: point.version,
            tree: point.checkpoints.is_some(),
            whole: disks().next().is_some() && disks().all(read_whole),
            disks: disk_count(point),
            size_bytes: disks().fold(0, |sum, disk| disk.size_bytes.saturating_add(sum)),
            statistics,
            interruption_ms: point.interruption_ms,
            warnings: warnings
                .map(|text| text.chars().take(WARNING_CHARS_MAX).collect())
                .collect(),
        }
    }
}

fn read_whole(stream: &Stream) -> bool {
    matches!(stream.read, Some(StreamRead::Everything { .. }))
}

/// Returns how many disks the VM had: of a checkpoint tree, those of the VM as it was.
fn disk_count(point: &RestorePoint) -> u32 {
    let active = point
        .checkpoints
        .as_ref()
        .and_then(|tree| tree.get("active")?.as_array().map(Vec::len));
    let count = active.unwrap_or_else(|| {
        let disks = point.streams.iter();
        disks.filter(|own| own.role == StreamRole::Disk).count()
    });
    u32::try_from(count).unwrap_or(u32::MAX)
}
