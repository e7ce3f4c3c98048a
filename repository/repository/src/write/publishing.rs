//! Publishing a point beside collectors (format page, section 11).
//!
//! ```text
//!   flush ─► looked long ago? look ─► may need what is condemned? mend ─► put the point
//!        ─► look again ─► anything new? mend, put the mended point, remove the first ─► …
//! ```

use std::sync::PoisonError;

use crate::write::RunWriter;
use crate::write::condemned_watch::CondemnedWatch;
use crate::write::mender::Mender;
use crate::{RepositoryError, RepositoryErrorKind, RestorePoint};

/// Looks after a point was put. Each but the last found something that was not there before.
const LOOKS_MAX: usize = 8;

impl RunWriter {
    /// Publishes a point: flushes first, so that everything it needs is durable before it exists.
    ///
    /// Returns the point as it was published. Where a collection condemned meanwhile what it needs,
    /// that was copied, and the point has another id and other places than `point`.
    ///
    /// Fails with `Collected` where something is gone that it needs: a collection was made by
    /// somebody who said that nobody else writes, or this run slept for most of a day. Nothing is
    /// published then.
    pub fn publish(&self, point: &RestorePoint) -> Result<RestorePoint, RepositoryError> {
        let _turn = self.turn();
        self.flush_in_turn()?;
        if self.known().lost_something() {
            self.poison(self.heal())?;
        }
        let published = self.publish_in_turn(point);
        match published {
            // The run's own packs may be good: the next point is judged by itself.
            Err(error) if error.kind() == RepositoryErrorKind::Collected => Err(error),
            published => self.poison(published),
        }
    }

    fn publish_in_turn(&self, point: &RestorePoint) -> Result<RestorePoint, RepositoryError> {
        let mut watch = self.watch().lock().unwrap_or_else(PoisonError::into_inner);
        if watch.is_late()? {
            watch.look(true)?;
        }
        let mut point = point.clone();
        if watch.may_need_mending(&point)? {
            match self.mend(&point) {
                Ok(mended) => point = mended.unwrap_or(point),
                // A host that reads no data can copy none. What the point needs is still there,
                // and every collector sees the point before it deletes that.
                Err(error)
                    if error.kind() == RepositoryErrorKind::WriteOnly && watch.is_in_time() => {}
                Err(error) => return Err(error),
            }
        }
        self.repository().put_point(&point)?;
        for _ in 0..LOOKS_MAX {
            match self.look_after(&mut watch, &point) {
                Ok(None) => return Ok(point),
                Ok(Some(mended)) => {
                    self.repository().put_point(&mended)?;
                    // Both are whole for now: whoever removes the first later does no harm.
                    drop(self.repository().remove_point(&point));
                    point = mended;
                }
                // What it needs is still there, and every collector sees the point before it
                // deletes that.
                Err(error)
                    if error.kind() != RepositoryErrorKind::Collected && watch.is_in_time() =>
                {
                    return Ok(point);
                }
                Err(error) => {
                    self.repository().remove_point(&point)?;
                    return Err(error);
                }
            }
        }
        Ok(point)
    }

    /// Looks once more; returns the point as it should be, where it should be another.
    fn look_after(
        &self,
        watch: &mut CondemnedWatch,
        point: &RestorePoint,
    ) -> Result<Option<RestorePoint>, RepositoryError> {
        let late = watch.is_late()?;
        if !watch.look(late)? || !watch.may_need_mending(point)? {
            return Ok(None);
        }
        self.mend(point)
    }

    /// Copies what is condemned of what a point needs; returns the point that needs none of it.
    fn mend(&self, point: &RestorePoint) -> Result<Option<RestorePoint>, RepositoryError> {
        let mended = Mender::new(self)?.mend(point)?;
        if mended.is_some() {
            self.flush_in_turn()?;
        }
        Ok(mended)
    }
}
