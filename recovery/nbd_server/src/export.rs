//! What clients find under a name.

use std::sync::Arc;

use block_io::BlockDevice;

/// A device under a name, read-only.
#[derive(Clone)]
pub struct Export {
    name: String,
    description: String,
    device: Arc<dyn BlockDevice>,
}

impl Export {
    /// The most that a name or a description may have, in bytes (section "Values", "strings").
    pub const STRING_BYTES_MAX: usize = 4096;

    /// Makes an export. A longer name or description than the protocol has room for is cut.
    pub fn read_only(name: &str, description: &str, device: Arc<dyn BlockDevice>) -> Self {
        Self {
            name: cut(name),
            description: cut(description),
            device,
        }
    }

    /// Returns the name that clients ask for.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    pub(crate) fn device(&self) -> &dyn BlockDevice {
        &*self.device
    }
}

/// Cuts a text to what the protocol allows, between two characters.
pub(crate) fn cut(text: &str) -> String {
    let mut end = text.len().min(Export::STRING_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// Returns the export of this name; no name asks for the first one.
pub(crate) fn find<'a>(exports: &'a [Export], name: &str) -> Option<&'a Export> {
    if name.is_empty() {
        return exports.first();
    }
    exports.iter().find(|export| export.name == name)
}
