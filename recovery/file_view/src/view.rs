//! The tree.

use std::sync::Arc;

use guest_files::{GuestFileSystem, NodeId, NodeKind, Time, Times};

use crate::open_points::OpenPoints;
use crate::place::Place;
use crate::top_folders::{point_folders, vm_folders};
use crate::view_point::OpenView;
use crate::{
    Layout, ViewEntry, ViewError, ViewErrorKind, ViewFacts, ViewFile, ViewNode, ViewPoint,
    folder_names,
};

/// Name of the text that says what a point is.
pub const POINT_TEXT: &str = "WHAT-THIS-IS.txt";
/// Name of the text that stands for the files of a volume that cannot be read.
pub const VOLUME_TEXT: &str = "WHY-IT-IS-EMPTY.txt";
/// Name of the link to a VM's newest point.
pub(crate) const LATEST: &str = "latest";

/// Restore points as one tree. Several threads may ask it at once.
pub struct FileView {
    pub(crate) points: OpenPoints,
    vms: Vec<Vm>,
    pub(crate) top: Vec<ViewEntry>,
    newest: Time,
}

/// A VM's folder.
pub(crate) struct Vm {
    pub(crate) points: Vec<ViewEntry>,
    pub(crate) newest: Time,
}

impl FileView {
    /// Makes a tree of restore points. Nothing is opened before somebody enters a point.
    pub fn new(mut points: Vec<ViewPoint>, layout: Layout, open: Arc<OpenView>) -> Self {
        points.sort_by(|one, other| {
            let key = |point: &ViewPoint| (point.started, point.id.clone());
            key(one).cmp(&key(other))
        });
        let newest = newest(points.iter());
        let (top, vms) = match layout {
            Layout::Points => {
                let vms: Vec<&str> = points.iter().map(|point| &*point.vm_identity).collect();
                let with_vm = vms.windows(2).any(|pair| pair.first() != pair.last());
                let all: Vec<_> = (0..).zip(&points).collect();
                (point_folders(&all, with_vm), Vec::new())
            }
            Layout::ByVm => vm_folders(&points),
        };
        Self {
            points: OpenPoints::new(open, points),
            vms,
            top,
            newest,
        }
    }

    /// Returns the points, in the order of their times.
    pub fn points(&self) -> impl Iterator<Item = &ViewPoint> {
        self.points.all()
    }

    /// Says what is known of a place.
    ///
    /// # Errors
    ///
    /// `NotFound`, and what keeps it from being read.
    pub fn facts(&self, node: ViewNode) -> Result<ViewFacts, ViewError> {
        let mut facts = self.facts_of(&[node]);
        facts.pop().unwrap_or_else(|| Err(not_found()))
    }

    /// Says what is known of several places, in their order: of one folder's entries with one
    /// question.
    pub fn facts_of(&self, nodes: &[ViewNode]) -> Vec<Result<ViewFacts, ViewError>> {
        let mut all = Vec::with_capacity(nodes.len());
        for group in nodes.chunk_by(|one, other| volume_of(*one) == volume_of(*other)) {
            match group.first().copied().and_then(volume_of) {
                Some((point, volume)) => all.extend(self.facts_inside(point, volume, group)),
                None => all.extend(group.iter().map(|node| self.facts_made(node.0))),
            }
        }
        all
    }

    fn facts_inside(
        &self,
        point: u32,
        volume: u32,
        nodes: &[ViewNode],
    ) -> Vec<Result<ViewFacts, ViewError>> {
        let ids: Vec<NodeId> = nodes.iter().filter_map(|node| node_id(*node)).collect();
        let asked = self.points.get(point).and_then(|open| {
            open.ask(move |desk| {
                let facts = ids.iter().map(|id| facts(desk.guest.open(volume)?, *id));
                facts.collect::<Vec<Result<ViewFacts, ViewError>>>()
            })
        });
        asked.unwrap_or_else(|error| nodes.iter().map(|_| Err(error.clone())).collect())
    }

    /// Says what is known of what the view makes up.
    fn facts_made(&self, place: Place) -> Result<ViewFacts, ViewError> {
        let (kind, size_bytes) = match place {
            Place::Latest(vm) => (NodeKind::Link, self.latest(vm)?.name.as_bytes().len()),
            Place::PointText(point) => (NodeKind::File, self.point_text(point)?.len()),
            Place::VolumeText { point, volume } => {
                (NodeKind::File, self.volume_text(point, volume)?.len())
            }
            _ => (NodeKind::Folder, 0),
        };
        let time = match place {
            Place::Vm(vm) | Place::Latest(vm) => self.vm(vm)?.newest,
            _ => match place.point() {
                Some(point) => self.points.about(point).ok_or_else(not_found)?.time(),
                None => self.newest,
            },
        };
        Ok(ViewFacts {
            kind,
            size_bytes: size_bytes as u64,
            links: 1,
            times: Times {
                modified: Some(time),
                accessed: Some(time),
                changed: Some(time),
                created: Some(time),
            },
            owner: None,
        })
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// `IsAFolder`, `WrongKind`, `TooMany`, and what keeps its content from being read.
    pub fn open(&self, file: ViewNode) -> Result<ViewFile, ViewError> {
        match file.0 {
            Place::PointText(point) => Ok(ViewFile::text(&self.point_text(point)?)),
            Place::VolumeText { point, volume } => {
                Ok(ViewFile::text(&self.volume_text(point, volume)?))
            }
            Place::Inside {
                point,
                volume,
                node,
            } => {
                let open = self.points.get(point)?;
                let (file, size_bytes) = open.ask(move |desk| desk.open(volume, node))??;
                Ok(ViewFile::inside(open, file, size_bytes))
            }
            Place::Latest(_) => Err(ViewError::new(ViewErrorKind::WrongKind, "it is a link")),
            _ => Err(ViewError::new(ViewErrorKind::IsAFolder, "it is a folder")),
        }
    }

    /// Says where a link leads: a path of the guest, or one beside the link.
    ///
    /// # Errors
    ///
    /// `WrongKind` for what is no link.
    pub fn link(&self, link: ViewNode) -> Result<Vec<u8>, ViewError> {
        match link.0 {
            Place::Latest(vm) => Ok(self.latest(vm)?.name.as_bytes().to_vec()),
            Place::Inside {
                point,
                volume,
                node,
            } => {
                let open = self.points.get(point)?;
                open.ask(move |desk| Ok(desk.guest.open(volume)?.link(node)?.target))?
            }
            _ => Err(ViewError::new(ViewErrorKind::WrongKind, "it is no link")),
        }
    }

    /// Returns what a link of the view itself leads to; anything else as it is. For faces that know
    /// no links.
    pub fn follow(&self, node: ViewNode) -> ViewNode {
        match node.0 {
            Place::Latest(vm) => self.latest(vm).map_or(node, |newest| newest.node),
            _ => node,
        }
    }

    pub(crate) fn vm(&self, vm: u32) -> Result<&Vm, ViewError> {
        let at = usize::try_from(vm).unwrap_or(usize::MAX);
        self.vms.get(at).ok_or_else(not_found)
    }

    pub(crate) fn latest(&self, vm: u32) -> Result<&ViewEntry, ViewError> {
        self.vm(vm)?.points.last().ok_or_else(not_found)
    }
}

pub(crate) fn newest<'p>(points: impl Iterator<Item = &'p ViewPoint>) -> Time {
    let times = points.map(ViewPoint::time);
    times.max().unwrap_or(Time {
        seconds: 0,
        nanoseconds: 0,
    })
}

/// Says what is known of a guest's file.
fn facts(system: &dyn GuestFileSystem, id: NodeId) -> Result<ViewFacts, ViewError> {
    let node = system.node(id)?;
    let size_bytes = match node.kind {
        NodeKind::Link => system.link(id)?.target.len() as u64,
        _ => node.size_bytes,
    };
    Ok(ViewFacts {
        kind: node.kind,
        size_bytes,
        links: node.links,
        times: node.times,
        owner: Some(node.owner),
    })
}

pub(crate) fn entry(name: &str, place: Place) -> Option<ViewEntry> {
    let name = folder_names::file_name(name)?;
    let node = ViewNode(place);
    Some(ViewEntry { name, node })
}

/// Returns the point and volume of a guest's file; `None` for what the view makes up.
fn volume_of(node: ViewNode) -> Option<(u32, u32)> {
    match node.0 {
        Place::Inside { point, volume, .. } => Some((point, volume)),
        _ => None,
    }
}

fn node_id(node: ViewNode) -> Option<NodeId> {
    match node.0 {
        Place::Inside { node, .. } => Some(node),
        _ => None,
    }
}

pub(crate) fn not_found() -> ViewError {
    ViewError::new(ViewErrorKind::NotFound, "there is no such file or folder")
}

pub(crate) fn not_a_folder() -> ViewError {
    ViewError::new(ViewErrorKind::NotAFolder, "it is no folder")
}
