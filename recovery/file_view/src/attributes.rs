//! Extended attributes, and the named streams that are shown among them.

use guest_files::{FileName, GuestFileSystem, NodeId, Stream};

use crate::place::Place;
use crate::view::FileView;
use crate::{ViewError, ViewErrorKind, ViewNode};

/// Largest named stream of NTFS that is shown as an extended attribute: what Linux allows.
const ATTRIBUTE_MAX_BYTES: u64 = 64 << 10;

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
            // One that is not listed has no value either: its beginning is not all of it.
            let named = streams.find(|own| Some(&own.name) == stream.as_ref());
            let named = named.filter(|own| own.size_bytes <= ATTRIBUTE_MAX_BYTES);
            named.map(|own| value_of(system, node, &own)).transpose()
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

/// Reads all of a stream, which has no more than [`ATTRIBUTE_MAX_BYTES`].
fn value_of(
    system: &dyn GuestFileSystem,
    node: NodeId,
    stream: &Stream,
) -> Result<Vec<u8>, ViewError> {
    let len = usize::try_from(stream.size_bytes.min(ATTRIBUTE_MAX_BYTES)).unwrap_or(0);
    let content = system.open(node, Some(&stream.name))?;
    let mut value = vec![0; len];
    let mut done = 0;
    while let Some(rest) = value.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match content.read_at(done as u64, rest)? {
            0 => {
                let what = format!("stream {} ends after {done} of {len} bytes", stream.name);
                return Err(ViewError::new(ViewErrorKind::Unreadable, what));
            }
            read => done += read,
        }
    }
    Ok(value)
}
