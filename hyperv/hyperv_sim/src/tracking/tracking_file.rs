//! `.rct` and `.mrt` beside a disk's files.

use std::path::{Path, PathBuf};

use crate::host_folder::remove_if_there;
use crate::tracking::{DISABLED, INCONSISTENT, Tracking, tracking_error};
use crate::{SimError, SimErrorKind};

const EXTENSIONS: [&str; 2] = ["rct", "mrt"];

/// Returns the two files beside an image.
pub(crate) fn tracking_files(image: &Path) -> [PathBuf; 2] {
    EXTENSIONS.map(|extension| {
        let mut name = image.as_os_str().to_owned();
        name.push(format!(".{extension}"));
        PathBuf::from(name)
    })
}

/// Says whether a file's name is that of one of them.
pub(crate) fn is_tracking_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    EXTENSIONS
        .iter()
        .any(|extension| lower.ends_with(&format!("vhdx.{extension}")))
}

/// Reads what is known of a disk, from the file beside its base.
pub(crate) fn load(base: &Path) -> Result<Tracking, SimError> {
    let [rct, _] = tracking_files(base);
    let bytes = match std::fs::read(&rct) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(tracking_error(DISABLED));
        }
        Err(error) => return Err(SimError::io(rct.display(), error)),
    };
    serde_json::from_slice(&bytes).map_err(|_| tracking_error(INCONSISTENT))
}

/// Writes what is known of a disk beside its base.
pub(crate) fn save(base: &Path, tracking: &Tracking) -> Result<(), SimError> {
    let [rct, mrt] = tracking_files(base);
    let bytes = serde_json::to_vec(tracking)
        .map_err(|error| SimError::new(SimErrorKind::Storage, error.to_string()))?;
    std::fs::write(&rct, bytes).map_err(|error| SimError::io(rct.display(), error))?;
    mark(&mrt)
}

/// Makes the files beside a file that is not the base.
pub(crate) fn place_marks(image: &Path) -> Result<(), SimError> {
    tracking_files(image).iter().try_for_each(|path| mark(path))
}

fn mark(path: &Path) -> Result<(), SimError> {
    if path.exists() {
        return Ok(());
    }
    std::fs::write(path, b"mrt").map_err(|error| SimError::io(path.display(), error))
}

/// Removes the files beside an image.
pub(crate) fn remove_files(image: &Path) -> Result<(), SimError> {
    tracking_files(image)
        .iter()
        .try_for_each(|path| remove_if_there(path))
}
