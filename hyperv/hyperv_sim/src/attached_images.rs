//! Images that are attached to the host itself (contract 2.7).

use uuid::Uuid;

use crate::host_state::HostState;
use crate::{MountedImage, SimError, SimErrorKind};

impl HostState {
    /// `AttachVirtualHardDisk`: attaches an image to the host itself; returns its id.
    pub(crate) fn mount_image(&mut self, path: &str, read_only: bool) -> Result<Uuid, SimError> {
        if !self.local_path(path)?.is_file() {
            return Err(SimError::new(
                SimErrorKind::NotFound,
                format!("the system cannot find the file {path}"),
            ));
        }
        let mounted = &self.facts.mounted;
        if mounted
            .iter()
            .any(|image| image.path.eq_ignore_ascii_case(path))
        {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!("{path} is attached already"),
            ));
        }
        let id = self.new_guid();
        self.facts_mut().mounted.push(MountedImage {
            id,
            path: path.to_owned(),
            read_only,
        });
        Ok(id)
    }

    /// `DetachVirtualHardDisk`.
    pub(crate) fn unmount_image(&mut self, id: Uuid) -> Result<(), SimError> {
        self.facts_mut().mounted.retain(|image| image.id != id);
        Ok(())
    }
}
