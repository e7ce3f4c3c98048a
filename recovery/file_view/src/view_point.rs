//! What a view shows, and how a point is opened.

use file_restore::OwnNames;
use guest_files::Time;
use guest_reader::Guest;
use jiff::Timestamp;

/// A restore point in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewPoint {
    /// Its id.
    pub id: String,
    /// The VM's identity: points with the same one are of one VM.
    pub vm_identity: String,
    /// The VM's name.
    pub vm_name: String,
    /// The time of the point.
    pub started: Timestamp,
    /// How consistent it is, in a word or sentence for people.
    pub consistency: String,
    /// As it was at which checkpoint; `None` for its newest state.
    pub checkpoint: Option<String>,
}

impl ViewPoint {
    pub(crate) fn time(&self) -> Time {
        let nanoseconds = self.started.subsec_nanosecond();
        let second = self.started.as_second();
        match u32::try_from(nanoseconds) {
            Ok(nanoseconds) => Time {
                seconds: second,
                nanoseconds,
            },
            // Before 1970 they count backward.
            Err(_) => Time {
                seconds: second.saturating_sub(1),
                nanoseconds: u32::try_from(nanoseconds.saturating_add(1_000_000_000)).unwrap_or(0),
            },
        }
    }
}

/// What stands at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A folder for each VM, in it one for each of its points, and `latest`.
    ByVm,
    /// A folder for each point.
    Points,
}

/// A point that was opened.
pub struct OpenedPoint {
    /// Its guest.
    pub guest: Box<dyn Guest>,
    /// What the guest's own systems say of its volumes.
    pub names: OwnNames,
}

/// Opens a point; the text says why it cannot be opened.
pub type OpenView = dyn Fn(&ViewPoint) -> Result<OpenedPoint, String> + Send + Sync;
