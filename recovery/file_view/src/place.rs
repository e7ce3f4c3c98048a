//! Places in the tree.

use guest_files::{FileName, NodeId, NodeKind, Owner, Times};

/// A place in a view: valid there alone, and for as long as the view lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewNode(pub(crate) Place);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// What is shown.
    Top,
    /// The folder of a VM, by its number among those of the view.
    Vm(u32),
    /// The link to a VM's newest point.
    Latest(u32),
    /// The folder of a point, by its number.
    Point(u32),
    /// What is said of a point.
    PointText(u32),
    /// The folder of a volume, by its number among the guest's.
    Volume { point: u32, volume: u32 },
    /// Why a volume cannot be read.
    VolumeText { point: u32, volume: u32 },
    /// A file, folder or link of the guest.
    Inside {
        point: u32,
        volume: u32,
        node: NodeId,
    },
}

impl ViewNode {
    /// The top folder.
    pub const TOP: Self = Self(Place::Top);

    /// Returns whether this is of a guest: not a folder, text or link that the view makes up.
    pub fn is_of_a_guest(self) -> bool {
        matches!(self.0, Place::Inside { .. })
    }
}

impl Place {
    /// Returns which point this belongs to.
    pub(crate) fn point(self) -> Option<u32> {
        match self {
            Self::Top | Self::Vm(_) | Self::Latest(_) => None,
            Self::Point(point)
            | Self::PointText(point)
            | Self::Volume { point, .. }
            | Self::VolumeText { point, .. }
            | Self::Inside { point, .. } => Some(point),
        }
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEntry {
    /// Its name.
    pub name: FileName,
    /// Which place it is.
    pub node: ViewNode,
}

/// What is said of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFacts {
    /// What it is.
    pub kind: NodeKind,
    /// Length of its content in bytes; of a link, the length of its target.
    pub size_bytes: u64,
    /// How many names it has.
    pub links: u32,
    /// Its times, those that there are. What a view makes up has the time of its point.
    pub times: Times,
    /// Whose it is in the guest; `None` for what the view makes up.
    pub owner: Option<Owner>,
}
