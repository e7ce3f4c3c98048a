//! Which points are open.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use guest_reader::VolumeFacts;

use crate::guest_thread::GuestThread;
use crate::point_text::shown;
use crate::view_point::OpenView;
use crate::{ViewError, ViewErrorKind, ViewPoint};

/// Most restore points that are open at once.
pub const OPEN_POINTS_MAX: usize = 8;

/// The points of a view, some of them open.
pub(crate) struct OpenPoints {
    open: Arc<OpenView>,
    points: Vec<Shown>,
    /// Those that are open or being opened, used longest ago first.
    recent: Mutex<VecDeque<usize>>,
}

/// A point of a view.
struct Shown {
    about: ViewPoint,
    place: Mutex<Option<Arc<GuestThread>>>,
    /// Its volumes when it was opened for the first time: places name them by their numbers.
    volumes: OnceLock<Vec<VolumeFacts>>,
}

impl Shown {
    /// Opens it, for the first time or again.
    fn open(&self, open: &Arc<OpenView>) -> Result<Arc<GuestThread>, ViewError> {
        let opened = GuestThread::start(open, &self.about)?;
        let now = &opened.about.facts.volumes;
        let before = self.volumes.get_or_init(|| now.clone());
        let is_same = |(one, other): (&VolumeFacts, &VolumeFacts)| {
            one.name == other.name && one.origin == other.origin
        };
        if before.len() != now.len() || !before.iter().zip(now).all(is_same) {
            let names = |volumes: &[VolumeFacts]| {
                let names: Vec<String> = volumes.iter().map(|own| shown(&own.name)).collect();
                names.join(", ")
            };
            let what = format!(
                "restore point {} has other volumes than when it was opened first ({} before, {} \
                 now), and is not shown any more; begin anew to see it",
                self.about.id,
                names(before),
                names(now)
            );
            return Err(ViewError::new(ViewErrorKind::Unreadable, what));
        }
        Ok(Arc::new(opened))
    }
}

impl OpenPoints {
    pub(crate) fn new(open: Arc<OpenView>, points: Vec<ViewPoint>) -> Self {
        let points = points.into_iter().map(|about| Shown {
            about,
            place: Mutex::new(None),
            volumes: OnceLock::new(),
        });
        Self {
            open,
            points: points.collect(),
            recent: Mutex::new(VecDeque::new()),
        }
    }

    /// Returns the points, whether open or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ViewPoint> {
        self.points.iter().map(|point| &point.about)
    }

    /// Returns what is known of a point without opening it.
    pub(crate) fn about(&self, point: u32) -> Option<&ViewPoint> {
        let number = usize::try_from(point).ok()?;
        self.points.get(number).map(|point| &point.about)
    }

    /// Returns a point, opened if it is not.
    ///
    /// # Errors
    ///
    /// `NotFound` for a number that no point has, `TooMany` where files of [`OPEN_POINTS_MAX`] others
    /// are open, and `Unreadable` where it cannot be opened.
    pub(crate) fn get(&self, point: u32) -> Result<Arc<GuestThread>, ViewError> {
        let number = usize::try_from(point).unwrap_or(usize::MAX);
        let Some(wanted) = self.points.get(number) else {
            let what = format!("there is no restore point {point}");
            return Err(ViewError::new(ViewErrorKind::NotFound, what));
        };
        // Others that want this point wait here, and find it open.
        let mut place = lock(&wanted.place);
        if place.as_ref().is_some_and(|open| open.is_over()) {
            *place = None;
        }
        if let Some(open) = &*place {
            self.used(number);
            return Ok(Arc::clone(open));
        }
        self.make_room(number)?;
        match wanted.open(&self.open) {
            Ok(open) => {
                *place = Some(Arc::clone(&open));
                Ok(open)
            }
            Err(error) => {
                lock(&self.recent).retain(|other| *other != number);
                Err(error)
            }
        }
    }

    fn used(&self, number: usize) {
        let mut recent = lock(&self.recent);
        recent.retain(|other| *other != number);
        recent.push_back(number);
    }

    /// Takes a place among those that are open, if need be that of one nobody reads.
    fn make_room(&self, number: usize) -> Result<(), ViewError> {
        let mut recent = lock(&self.recent);
        recent.retain(|other| *other != number);
        if recent.len() >= OPEN_POINTS_MAX {
            let idle = recent.iter().position(|other| self.close_if_idle(*other));
            match idle {
                Some(at) => drop(recent.remove(at)),
                None => {
                    let what =
                        format!("files of {OPEN_POINTS_MAX} restore points are open already");
                    return Err(ViewError::new(ViewErrorKind::TooMany, what));
                }
            }
        }
        recent.push_back(number);
        Ok(())
    }

    /// Closes a point, unless somebody reads it or it is just being opened.
    fn close_if_idle(&self, number: usize) -> bool {
        // Never waits: whoever holds the place may be waiting for the list that the caller holds.
        let place = self.points.get(number).map(|point| point.place.try_lock());
        let Some(Ok(mut place)) = place else {
            return false;
        };
        let is_idle = place
            .as_ref()
            .is_some_and(|open| Arc::strong_count(open) == 1);
        if is_idle {
            *place = None;
        }
        is_idle
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
