//! What administrators set about volumes.

use crate::{SimError, SimErrorKind, SimHost, Volume};

impl SimHost {
    /// Changes anything about a volume but its drive: its file system, where its snapshots keep what
    /// is overwritten.
    ///
    /// Errors: `NotFound`.
    pub fn change_volume(
        &self,
        drive: &str,
        change: impl FnOnce(&mut Volume),
    ) -> Result<(), SimError> {
        self.act(|state| {
            let volumes = &mut state.facts_mut().volumes;
            let volume = volumes
                .iter_mut()
                .find(|volume| volume.drive.eq_ignore_ascii_case(drive));
            let volume = volume.ok_or_else(|| {
                SimError::new(
                    SimErrorKind::NotFound,
                    format!("there is no volume {drive}"),
                )
            })?;
            change(volume);
            Ok(())
        })
    }
}
