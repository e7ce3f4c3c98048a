//! What folders have in them.

use std::ops::ControlFlow;

use guest_files::{FileName, GuestFileSystem, NodeId};

use crate::place::Place;
use crate::view::{FileView, LATEST, POINT_TEXT, VOLUME_TEXT, entry, not_a_folder, not_found};
use crate::{ViewEntry, ViewError, ViewNode};

impl FileView {
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
