//! Publishing a point beside collectors (format page, section 11).
//!
//! ```text
//!   flush ─► looked long ago? look ─► something lost? look, heal
//!        ─► may need what is condemned? mend ─► put the point
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
        match self.publish_in_turn(point) {
            // The run's own packs may be good: the next point is judged by itself.
            Err(error) if speaks_of_the_point(&error) => Err(error),
            published => self.poison(published),
        }
    }

    fn publish_in_turn(&self, point: &RestorePoint) -> Result<RestorePoint, RepositoryError> {
        let mut watch = self.watch().lock().unwrap_or_else(PoisonError::into_inner);
        if watch.is_late()? {
            watch.look(true)?;
        }
        if self.known().lost_something() {
            // No forwarding object leads to what was condemned meanwhile.
            watch.look(false)?;
            self.heal()?;
        }
        let mut point = point.clone();
        if watch.may_need_mending(&point)? {
            point = self.mend(&watch, &point)?.unwrap_or(point);
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
                    return Err(match self.repository().remove_point(&point) {
                        Ok(()) => error,
                        Err(refused) => left_behind(&error, &refused),
                    });
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
        self.mend(watch, point)
    }

    /// Copies what is condemned of what a point needs; returns the point that needs none of it, or
    /// `None` where the point is good as it is.
    fn mend(
        &self,
        watch: &CondemnedWatch,
        point: &RestorePoint,
    ) -> Result<Option<RestorePoint>, RepositoryError> {
        let mut mender = Mender::new(self)?;
        let mended = match mender.mend(point) {
            // A host that reads no data can copy none. What the point needs is still there, and
            // every collector sees the point before it deletes that.
            Err(error)
                if error.kind() == RepositoryErrorKind::WriteOnly
                    && watch.is_in_time_for(mender.held()) =>
            {
                return Ok(None);
            }
            mended => mended?,
        };
        if mended.is_some() {
            self.flush_in_turn()?;
        }
        Ok(mended)
    }
}

/// Returns whether an error says something of one point, and nothing of what the run has stored.
fn speaks_of_the_point(error: &RepositoryError) -> bool {
    matches!(
        error.kind(),
        RepositoryErrorKind::Collected | RepositoryErrorKind::WriteOnly
    )
}

/// A point may lack something, and could not be taken back: most hosts that only write may not.
fn left_behind(error: &RepositoryError, refused: &RepositoryError) -> RepositoryError {
    let what = format!("a restore point was published that may lack data: {error}");
    RepositoryError::new(RepositoryErrorKind::Collected, what).hint(format!(
        "it could not be taken back ({refused}): run the backup again, and have the repository's \
         owner check the point"
    ))
}
