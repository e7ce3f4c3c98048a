//! Which volume of one point is which of another.

use guest_reader::{DisksFacts, VolumeFacts};
use volume_map::Content;

/// A volume in two points; at least one of the numbers is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeMatch {
    /// Its number in the older point.
    pub old: Option<u32>,
    /// Its number in the newer one.
    pub new: Option<u32>,
}

/// Whether a volume's files can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeFiles {
    /// It has a file system that is read.
    Readable,
    /// It holds no files of its own: it is a part of others, set aside, or swap.
    None,
    /// It may hold some, and this is in the way.
    Hidden(String),
}

/// Says whether a volume's files can be looked at.
pub fn volume_files(facts: &VolumeFacts) -> VolumeFiles {
    if !facts.is_own() || facts.content == Content::Swap {
        return VolumeFiles::None;
    }
    match &facts.obstacle {
        Some(obstacle) => VolumeFiles::Hidden(obstacle.what.clone()),
        None => VolumeFiles::Readable,
    }
}

/// Matches the volumes of two points that people look for files in, in the order of the newer point;
/// those that only the older one has come last.
///
/// A volume is the same where the id of its file system says so, else where it comes from the same
/// place, else where it is called the same.
pub fn match_volumes(old: &DisksFacts, new: &DisksFacts) -> Vec<VolumeMatch> {
    let mut rest: Vec<(u32, &VolumeFacts)> = (0..)
        .zip(&old.volumes)
        .filter(|(_, it)| it.is_own())
        .collect();
    let news: Vec<(u32, &VolumeFacts)> = (0..)
        .zip(&new.volumes)
        .filter(|(_, it)| it.is_own())
        .collect();
    let mut matched: Vec<Option<u32>> = vec![None; news.len()];
    let tests: [fn(&VolumeFacts, &VolumeFacts) -> bool; 3] = [
        |old, new| !new.uuid.is_empty() && old.uuid == new.uuid && old.content == new.content,
        |old, new| old.origin == new.origin,
        |old, new| old.name == new.name,
    ];
    for is_same in tests {
        for ((_, new), place) in news.iter().zip(&mut matched) {
            if place.is_some() {
                continue;
            }
            // The one in the same place first, where a clone has the same id.
            let fits = |wanted: &dyn Fn(&VolumeFacts) -> bool| {
                rest.iter()
                    .position(|(_, old)| is_same(old, new) && wanted(old))
            };
            let at = fits(&|old| old.name == new.name).or_else(|| fits(&|_| true));
            *place = at.map(|at| rest.remove(at).0);
        }
    }
    let both = news.iter().zip(matched).map(|((new, _), old)| VolumeMatch {
        old,
        new: Some(*new),
    });
    let gone = rest.iter().map(|(old, _)| VolumeMatch {
        old: Some(*old),
        new: None,
    });
    both.chain(gone).collect()
}
