//! Copies points.

use std::collections::HashMap;

use repository::{
    Repository, RepositoryError, RepositoryErrorKind, RestorePoint, RunWriter, StreamObserver,
    StreamStatistics,
};

use crate::stream_copy::{Common, copy_stream};
use crate::{CopyItem, CopyOutcome, CopyPlan, CopyReport, PlannedPoint};

/// Hears how a copy gets on. Called from several threads.
pub trait CopyObserver: StreamObserver {
    /// The `number`-th of `count` points, from 1, is begun.
    fn point_begins(&self, number: usize, count: usize, point: &PlannedPoint);

    /// A point is done.
    fn point_ends(&self, item: &CopyItem);
}

/// Carries out a plan. `workers` threads decode and encode; 0 leaves it to the machine.
///
/// An error means that the target failed, or that the copy was cancelled: points that were copied
/// before are whole, and the next copy goes on after them.
pub fn copy_points(
    source: &Repository,
    target: &Repository,
    plan: CopyPlan,
    workers: usize,
    observer: &dyn CopyObserver,
) -> Result<CopyReport, RepositoryError> {
    let mut report = CopyReport {
        unreadable: plan.unreadable,
        ..CopyReport::default()
    };
    let count = plan.points.iter().filter(|point| !point.there).count();
    let mut copy = None;
    let mut number = 0;
    let mut in_both = PointsInBoth::of(target, &plan.points)?;
    for planned in plan.points {
        let outcome = if planned.there {
            CopyOutcome::There
        } else {
            number += 1;
            observer.point_begins(number, count, &planned);
            let run = match &mut copy {
                Some(run) => run,
                None => copy.insert(target.begin_run(workers)?),
            };
            let common = in_both.nearest(&planned.point);
            match copy_point(source, run, &planned.point, common, observer) {
                Ok((copied, statistics)) => {
                    in_both.add(planned.point.clone(), copied);
                    CopyOutcome::Copied {
                        read_bytes: statistics.read_bytes,
                        stored_bytes: statistics.stored_bytes,
                    }
                }
                Err(error) if is_of_source(&error) => CopyOutcome::Failed {
                    why: whole_text(&error),
                },
                Err(error) => return Err(error),
            }
        };
        let item = CopyItem {
            id: planned.id,
            vm: planned.vm,
            outcome,
        };
        observer.point_ends(&item);
        report.items.push(item);
    }
    Ok(report)
}

fn copy_point(
    source: &Repository,
    run: &RunWriter,
    point: &RestorePoint,
    common: Option<&Common>,
    observer: &dyn CopyObserver,
) -> Result<(RestorePoint, StreamStatistics), RepositoryError> {
    let mut copied = point.clone();
    let mut all = StreamStatistics::default();
    for stream in copied.streams.iter_mut().chain(&mut copied.images) {
        let stored = copy_stream(source, run, stream, common, observer)?;
        all += stored.statistics;
        stream.root = stored.root;
        stream.statistics = stored.statistics;
        stream.cursor = None;
    }
    // Under another id only where a collector came between: then the next copy makes it once more.
    let copied = run.publish(&copied)?;
    Ok((copied, all))
}

/// Says whether the fault lies in what is copied: the target is as good as before.
fn is_of_source(error: &RepositoryError) -> bool {
    matches!(
        error.kind(),
        RepositoryErrorKind::Source
            | RepositoryErrorKind::Damaged
            | RepositoryErrorKind::Unsupported
    )
}

fn whole_text(error: &RepositoryError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The last point of each VM that both repositories have, up to where the copy is.
struct PointsInBoth {
    /// By the VM's identity, oldest first.
    points: HashMap<String, Vec<Common>>,
}

impl PointsInBoth {
    fn of(target: &Repository, planned: &[PlannedPoint]) -> Result<Self, RepositoryError> {
        let mut points: HashMap<String, Vec<Common>> = HashMap::new();
        let mut in_target: HashMap<String, RestorePoint> = target
            .points()?
            .0
            .into_iter()
            .map(|point| (point.id.clone(), point))
            .collect();
        for planned in planned.iter().filter(|planned| planned.there) {
            let Some(in_target) = in_target.remove(&planned.id) else {
                continue;
            };
            let in_source = planned.point.clone();
            points
                .entry(in_source.vm.identity.clone())
                .or_default()
                .push(Common {
                    in_source,
                    in_target,
                });
        }
        Ok(Self { points })
    }

    /// Returns the last point before `point` that both have, else the first one after it.
    fn nearest(&self, point: &RestorePoint) -> Option<&Common> {
        let points = self.points.get(&point.vm.identity)?;
        let before = |common: &&Common| common.in_source.started <= point.started;
        let last = points.iter().rev().find(before);
        last.or_else(|| points.first())
    }

    fn add(&mut self, in_source: RestorePoint, in_target: RestorePoint) {
        let points = self
            .points
            .entry(in_source.vm.identity.clone())
            .or_default();
        let place = points.partition_point(|other| other.in_source.started <= in_source.started);
        let common = Common {
            in_source,
            in_target,
        };
        points.insert(place, common);
    }
}
