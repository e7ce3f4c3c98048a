//! What holding a VM still cost.

use std::time::Duration;

use hyperv_host::{BackupMethod, Stage, VmSource};
use repository::PointStage;
use serde::Serialize;

/// The guest did not run for a while.
const INTERRUPTED: &str = "VM-INTERRUPTED";
/// Making volume snapshots took most of the time.
const PROVIDER_SLOW: &str = "VSS-PROVIDER-SLOW";
/// The stage of a freeze in which volume snapshots are made.
const VOLUME_SNAPSHOT: &str = "volume-snapshot";
/// The stage in which a VM is paused: memory stays where it is, and so does the uptime.
const PAUSED: &str = "paused";
/// A snapshot that takes no longer than this is no trouble, however small the VM is.
const SNAPSHOT_FROM: Duration = Duration::from_secs(30);

/// A step that was taken to hold a VM still.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageItem {
    /// A stable word, such as `volume-snapshot`.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

impl StageItem {
    pub(crate) fn of(stage: &Stage) -> Self {
        Self {
            name: stage.name.clone(),
            seconds: stage.duration.as_secs_f64(),
        }
    }
}

/// Returns a step as points keep it.
pub(crate) fn point_stage(stage: &Stage) -> PointStage {
    PointStage {
        name: stage.name.clone(),
        milliseconds: milliseconds(stage.duration),
    }
}

/// Returns a duration as points keep it.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Says for how long the guest did not run, where it had to be saved or paused (requirements
/// SAVE-12, SAVE-13).
pub(crate) fn interruption_warning(source: &VmSource) -> Option<String> {
    let interruption = source.interruption.filter(|time| !time.is_zero())?;
    let seconds = interruption.as_secs_f64();
    let paused = source.stages.iter().any(|stage| stage.name == PAUSED);
    let how = match source.method {
        BackupMethod::SavedState if paused => {
            "it was paused for the volume snapshot, and runs again"
        }
        BackupMethod::SavedState => {
            "it was saved for the volume snapshot and brought back, so its uptime began anew at \
             00:00:00"
        }
        _ => "the host held it for the snapshot",
    };
    Some(format!(
        "{INTERRUPTED}: the guest did not run for {seconds:.1} s: {how}"
    ))
}

/// Says that making volume snapshots took most of the time that the VM took, where it did
/// (requirement VSS-23).
pub(crate) fn slow_provider_warning(stages: &[Stage], reading: Duration) -> Option<String> {
    let of = |name: Option<&str>| -> Duration {
        let stages = stages.iter();
        let stages = stages.filter(|stage| name.is_none_or(|name| stage.name == name));
        stages.map(|stage| stage.duration).sum()
    };
    let snapshot = of(Some(VOLUME_SNAPSHOT));
    let all = of(None).saturating_add(reading);
    (snapshot >= SNAPSHOT_FROM && snapshot > all / 2).then(|| {
        format!(
            "{PROVIDER_SLOW}: the volume snapshot took {} s of the {} s that the VM took: its \
             provider is slow",
            snapshot.as_secs(),
            all.as_secs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(snapshot_seconds: u64) -> Vec<Stage> {
        let stage = |name: &str, seconds| Stage {
            name: name.to_owned(),
            duration: Duration::from_secs(seconds),
        };
        vec![
            stage("prepare", 10),
            stage("volume-snapshot", snapshot_seconds),
        ]
    }

    #[test]
    fn a_provider_is_slow_when_most_of_the_time_is_its() {
        let slow = |snapshot, reading| {
            slow_provider_warning(&stages(snapshot), Duration::from_secs(reading))
        };
        assert_eq!(slow(20, 0), None, "nobody minds twenty seconds");
        assert_eq!(slow(60, 50), None, "half is not most");
        let text = slow(100, 50).unwrap();
        assert!(text.starts_with("VSS-PROVIDER-SLOW: "), "{text}");
        assert!(text.contains("100 s of the 160 s"), "{text}");
    }
}
