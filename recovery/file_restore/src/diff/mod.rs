//! What differs between the files of two restore points.
//!
//! ```text
//!   match_volumes ──► VolumePair (both file systems, and what of the volume changed)
//!                        │ TreeDiff: both trees in step, folder by folder, names sorted
//!                        ▼
//!                     Changed: added, removed, content, attributes
//! ```
//!
//! What a node says of itself is compared for every file. Content is read only where it may differ:
//! where the bytes of a file lie in the same places of the volume in both points, what did not change
//! there did not change in the file ([`VolumePair::content`]).

mod content;
mod tree_diff;
mod volumes;

pub use content::{Reading, Sameness, VolumePair};
pub use tree_diff::{Change, Changed, DiffItem, TreeDiff};
pub use volumes::{VolumeFiles, VolumeMatch, match_volumes, volume_files};
