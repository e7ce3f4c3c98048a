//! The tree.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use guest_files::{FileName, GuestFileSystem, NodeId, NodeKind, Time, Times};
use jiff::tz::TimeZone;

use crate::guest_thread::{Desk, GuestThread};
use crate::open_points::OpenPoints;
use crate::place::Place;
use crate::point_text::{shown, state};
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
const LATEST: &str = "latest";
/// Largest named stream of NTFS that is shown as an extended attribute: what Linux allows.
const ATTRIBUTE_MAX_BYTES: u64 = 64 << 10;

/// Restore points as one tree. Several threads may ask it at once.
pub struct FileView {
    points: OpenPoints,
    vms: Vec<Vm>,
    top: Vec<ViewEntry>,
    newest: Time,
}

struct Vm {
    points: Vec<ViewEntry>,
    newest: Time,
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

    /// Lists a folder.
    ///
    /// # Errors
    ///
    /// `NotAFolder`, and what keeps a point or folder from being read.
    pub fn list(&self, folder: ViewNode) -> Result<Vec<ViewEntry>, ViewError> {
        match folder.0 {
            Place::Top => Ok(self.top.clone()),
            Place::Vm(vm) => {
                let own = &self.vm(vm)?.points;
                let latest = entry(LATEST, Place::Latest(vm));
                Ok(own.iter().cloned().chain(latest).collect())
            }
            Place::Point(point) => {
                let open = self.points.get(point)?;
                let volumes = open.folders.iter().map(|(name, volume)| ViewEntry {
                    name: name.clone(),
                    node: ViewNode(Place::Volume {
                        point,
                        volume: *volume,
                    }),
                });
                let text = entry(POINT_TEXT, Place::PointText(point));
                Ok(volumes.chain(text).collect())
            }
            Place::Volume { point, volume } => {
                let open = self.points.get(point)?;
                let listed = open.ask(move |desk| match desk.guest.open(volume) {
                    Ok(system) => list(system, system.root()).map(Some),
                    Err(_) => Ok(None),
                })??;
                Ok(match listed {
                    Some(entries) => inside(point, volume, entries),
                    None => entry(VOLUME_TEXT, Place::VolumeText { point, volume })
                        .into_iter()
                        .collect(),
                })
            }
            Place::Inside {
                point,
                volume,
                node,
            } => {
                let open = self.points.get(point)?;
                let entries = open.ask(move |desk| list(desk.guest.open(volume)?, node))??;
                Ok(inside(point, volume, entries))
            }
            _ => Err(not_a_folder()),
        }
    }

    /// Finds what a folder has under a name; case counts where it does for the guest.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of [`FileView::list`].
    pub fn find(&self, folder: ViewNode, name: &[u8]) -> Result<ViewNode, ViewError> {
        let name = FileName::new(name).ok_or_else(not_found)?;
        let (point, volume, node) = match folder.0 {
            Place::Volume { point, volume } => (point, volume, None),
            Place::Inside {
                point,
                volume,
                node,
            } => (point, volume, Some(node)),
            _ => {
                return match folder.0 {
                    Place::Top => among(&self.top, &name),
                    Place::Vm(vm) if name.as_bytes() == LATEST.as_bytes() => {
                        Ok(ViewNode(Place::Latest(vm)))
                    }
                    Place::Vm(vm) => among(&self.vm(vm)?.points, &name),
                    _ => among(&self.list(folder)?, &name),
                };
            }
        };
        let is_text = node.is_none() && name.as_bytes() == VOLUME_TEXT.as_bytes();
        let open = self.points.get(point)?;
        let found = open.ask(move |desk| -> Result<_, ViewError> {
            let system = match desk.guest.open(volume) {
                Ok(system) => system,
                // The text is all that such a volume has.
                Err(_) if node.is_none() => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            Ok(Some(system.find(node.unwrap_or(system.root()), &name)?))
        })??;
        match found {
            Some(Some(node)) => Ok(ViewNode(Place::Inside {
                point,
                volume,
                node,
            })),
            None if is_text => Ok(ViewNode(Place::VolumeText { point, volume })),
            _ => Err(not_found()),
        }
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

    /// Returns the names of a place's extended attributes; named streams of NTFS are among them, as
    /// `user.NAME`.
    ///
    /// # Errors
    ///
    /// What keeps them from being read.
    pub fn attribute_names(&self, node: ViewNode) -> Result<Vec<Vec<u8>>, ViewError> {
        self.of_system(node, Vec::new(), |system, node| {
            let own = system.attributes(node)?;
            let streams = system.streams(node)?.into_iter();
            let streams = streams.filter(|stream| stream.size_bytes <= ATTRIBUTE_MAX_BYTES);
            let streams = streams.map(|stream| [b"user.", stream.name.as_bytes()].concat());
            let own = own.into_iter().map(|attribute| attribute.name);
            Ok(own.chain(streams).collect())
        })
    }

    /// Returns the value of an extended attribute; `None` where there is no such one.
    ///
    /// # Errors
    ///
    /// What keeps it from being read.
    pub fn attribute(&self, node: ViewNode, name: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let name = name.to_vec();
        self.of_system(node, None, move |system, node| {
            let mut own = system.attributes(node)?.into_iter();
            if let Some(attribute) = own.find(|attribute| attribute.name == name) {
                return Ok(Some(attribute.value));
            }
            let stream = name.strip_prefix(b"user.").and_then(FileName::new);
            let mut streams = system.streams(node)?.into_iter();
            let Some(stream) = streams.find(|own| Some(&own.name) == stream.as_ref()) else {
                return Ok(None);
            };
            let len = usize::try_from(stream.size_bytes.min(ATTRIBUTE_MAX_BYTES)).unwrap_or(0);
            let mut value = vec![0; len];
            let read = system
                .open(node, Some(&stream.name))?
                .read_at(0, &mut value)?;
            value.truncate(read);
            Ok(Some(value))
        })
    }

    /// Asks the file system of a guest's file; `otherwise` is the answer for everything else.
    fn of_system<T: Send + 'static>(
        &self,
        node: ViewNode,
        otherwise: T,
        ask: impl FnOnce(&dyn GuestFileSystem, NodeId) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        match node.0 {
            Place::Inside {
                point,
                volume,
                node,
            } => {
                let open = self.points.get(point)?;
                open.ask(move |desk| ask(desk.guest.open(volume)?, node))?
            }
            _ => Ok(otherwise),
        }
    }

    fn vm(&self, vm: u32) -> Result<&Vm, ViewError> {
        let at = usize::try_from(vm).unwrap_or(usize::MAX);
        self.vms.get(at).ok_or_else(not_found)
    }

    fn latest(&self, vm: u32) -> Result<&ViewEntry, ViewError> {
        self.vm(vm)?.points.last().ok_or_else(not_found)
    }

    fn point_text(&self, point: u32) -> Result<String, ViewError> {
        let open = self.points.get(point)?;
        let states = match open.states.get() {
            Some(states) => states,
            None => {
                let states = open.ask(|desk| states(desk))?;
                open.states.get_or_init(|| states)
            }
        };
        Ok(open.about.text(states))
    }

    fn volume_text(&self, point: u32, volume: u32) -> Result<String, ViewError> {
        let open = self.points.get(point)?;
        let why = open.ask(move |desk| desk.guest.open(volume).err().map(|why| why.to_string()))?;
        let why = why.ok_or_else(not_found)?;
        Ok(why_it_is_empty(&open, volume, &why))
    }
}

fn states(desk: &Desk<'_>) -> Vec<String> {
    let volumes = (0..).zip(&desk.guest.facts().volumes);
    volumes
        .map(|(number, volume)| state(desk.guest, number, volume))
        .collect()
}

fn why_it_is_empty(open: &GuestThread, volume: u32, why: &str) -> String {
    let what = open.volume(volume).map(|facts| {
        let name = shown(&facts.name);
        format!(
            "/{name} ({}, {} MiB)",
            facts.content.name(),
            facts.size_bytes >> 20
        )
    });
    format!(
        "The files of volume {} cannot be shown:\n\n{}\n",
        what.unwrap_or_default(),
        shown(why)
    )
}

/// Makes the folders of points, which have their numbers with them.
fn point_folders(points: &[(u32, &ViewPoint)], with_vm: bool) -> Vec<ViewEntry> {
    let zone = TimeZone::system();
    let names = points
        .iter()
        .map(|(_, point)| folder_names::of_point(point, &zone, with_vm));
    let names = folder_names::unique(names).into_iter();
    let named = names.zip(points);
    named
        .filter_map(|(name, (number, _))| entry(&name, Place::Point(*number)))
        .collect()
}

/// Makes the folders of VMs, by name, with those of their points.
fn vm_folders(points: &[ViewPoint]) -> (Vec<ViewEntry>, Vec<Vm>) {
    let mut by_vm = BTreeMap::<&str, Vec<(u32, &ViewPoint)>>::new();
    for (number, point) in (0..).zip(points) {
        let own = by_vm.entry(&point.vm_identity).or_default();
        own.push((number, point));
    }
    // A VM is called what its newest point calls it.
    let name = |points: &[(u32, &ViewPoint)]| {
        let newest = points.last().map(|(_, point)| point.vm_name.clone());
        newest.unwrap_or_default()
    };
    let mut named: Vec<_> = by_vm
        .into_iter()
        .map(|(identity, points)| (name(&points), identity, points))
        .collect();
    named.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let names: Vec<(&str, &str)> = named
        .iter()
        .map(|(name, identity, _)| (name.as_str(), *identity))
        .collect();
    let folders = folder_names::of_vms(&names);
    let top = (0..).zip(&folders);
    let top = top.filter_map(|(number, name)| entry(name, Place::Vm(number)));
    let vms = named.iter().map(|(_, _, points)| Vm {
        points: point_folders(points, false),
        newest: newest(points.iter().map(|(_, point)| *point)),
    });
    (top.collect(), vms.collect())
}

fn newest<'p>(points: impl Iterator<Item = &'p ViewPoint>) -> Time {
    let times = points.map(ViewPoint::time);
    times.max().unwrap_or(Time {
        seconds: 0,
        nanoseconds: 0,
    })
}

/// Lists a folder of a guest.
fn list(
    system: &dyn GuestFileSystem,
    folder: NodeId,
) -> Result<Vec<(FileName, NodeId)>, ViewError> {
    let mut entries = Vec::new();
    system.list(folder, &mut |name, id| {
        entries.push((name, id));
        ControlFlow::Continue(())
    })?;
    Ok(entries)
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

fn inside(point: u32, volume: u32, entries: Vec<(FileName, NodeId)>) -> Vec<ViewEntry> {
    let place = |node| {
        ViewNode(Place::Inside {
            point,
            volume,
            node,
        })
    };
    let entries = entries.into_iter();
    entries
        .map(|(name, node)| ViewEntry {
            name,
            node: place(node),
        })
        .collect()
}

/// Finds an entry that the view makes up; in any case where there is none in this one, since Windows
/// asks so.
fn among(entries: &[ViewEntry], name: &FileName) -> Result<ViewNode, ViewError> {
    let is_like = |entry: &&ViewEntry| {
        let own = entry.name.as_bytes();
        own.eq_ignore_ascii_case(name.as_bytes())
    };
    let exact = entries.iter().find(|entry| entry.name == *name);
    let found = exact.or_else(|| entries.iter().find(is_like));
    found.map(|entry| entry.node).ok_or_else(not_found)
}

fn entry(name: &str, place: Place) -> Option<ViewEntry> {
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

fn not_found() -> ViewError {
    ViewError::new(ViewErrorKind::NotFound, "there is no such file or folder")
}

fn not_a_folder() -> ViewError {
    ViewError::new(ViewErrorKind::NotAFolder, "it is no folder")
}
