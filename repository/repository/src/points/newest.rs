//! Finding one point without reading the others.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use crate::points::survey::timestamp;
use crate::{Repository, RepositoryError, RestorePoint};

/// How far the store's time of a point may be from the time at which the point says that all of it
/// was durable. Where it is farther, as in a copy of a repository, the store's order means nothing.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(24);

impl Repository {
    /// Finds the point of a VM that was made last among those that `accept` takes, in this
    /// handle's domain: what new data is compared with. Points that cannot be read are passed over.
    ///
    /// It lists the VM's points and opens the one that the store has had for the shortest time; all
    /// of them only where the store's times cannot be right.
    pub fn newest_point_of(
        &self,
        identity: &str,
        accept: impl Fn(&RestorePoint) -> bool,
    ) -> Result<Option<RestorePoint>, RepositoryError> {
        self.shared.reload_keys()?;
        let prefix = format!("points/{}/", self.shared.naming.group(identity));
        let mut objects: Vec<(SystemTime, String)> = Vec::new();
        self.shared.store.list(&prefix, &mut |object| {
            objects.push((object.modified, object.name));
        })?;
        objects.sort_unstable_by(|one, other| other.cmp(one));
        let mut seen: Vec<RestorePoint> = Vec::new();
        let mut in_order = true;
        for (written, object) in objects {
            let Ok(point) = self.read_point(&object) else {
                continue;
            };
            in_order &= is_near(point.finished, timestamp(written));
            if !accept(&point) {
                continue;
            }
            if in_order {
                return Ok(Some(point));
            }
            seen.push(point);
        }
        Ok(seen
            .into_iter()
            .max_by(|one, other| (one.finished, &one.id).cmp(&(other.finished, &other.id))))
    }
}

fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= CLOCKS_APART
}
