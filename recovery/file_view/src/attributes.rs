//! Extended attributes, and the named streams that are shown among them.

use guest_files::{GuestFileSystem, NodeId, stream_attribute, stream_attribute_name};

use crate::place::Place;
use crate::view::FileView;
use crate::{ViewError, ViewNode};

impl FileView {
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
            let streams = streams.filter_map(|stream| stream_attribute_name(&stream));
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
            // One that is not listed has no value either: its beginning is not all of it.
            let mut streams = system.streams(node)?.into_iter();
            let named = streams.find(|own| stream_attribute_name(own).as_ref() == Some(&name));
            let read = named.map(|own| stream_attribute(system, node, &own));
            let read = read.transpose()?.flatten();
            Ok(read.map(|attribute| attribute.value))
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
}
