//! Making folders and small files, durably.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::{BlockDevice as _, DiskError, DiskErrorKind, NewImage as _, flush_folder};
use disk_image::{ImageFormat, NewImageOptions, create};
use repository::{Repository, Stream};

use crate::error::Cause;

/// A configuration that is larger is not one.
const CONFIGURATION_BYTES_MAX: u64 = 64 << 20;

/// Reads a configuration out of the repository.
pub(crate) fn read_configuration(
    repository: &Repository,
    stream: &Stream,
) -> Result<Vec<u8>, Cause> {
    if stream.size_bytes > CONFIGURATION_BYTES_MAX {
        let what = format!("a configuration of {} bytes cannot be", stream.size_bytes);
        return Err(DiskError::new(DiskErrorKind::Unsupported, what)
            .in_file(&stream.name)
            .into());
    }
    let mut bytes = vec![0; usize::try_from(stream.size_bytes).unwrap_or(0)];
    repository.open_stream(stream)?.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Makes a folder and those above it, durably, and remembers which ones were not there.
pub(crate) fn make_folder(folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), DiskError> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        let failed = |what: &str, error| DiskError::io(&folder.display().to_string(), what, error);
        match fs::create_dir(folder) {
            Ok(()) => made.push(folder.to_owned()),
            // Somebody was faster: it is not ours to remove.
            Err(_) if folder.is_dir() => continue,
            Err(error) => return Err(failed("cannot make this folder", error)),
        }
        // What a folder holds is durable only if its own name is.
        flush_folder(folder.parent().unwrap_or(Path::new("")))
            .map_err(|error| failed("cannot flush the folder above", error))?;
    }
    Ok(())
}

/// Writes a small new file as carefully as an image: durable, and whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<u64, DiskError> {
    let target = create(
        path,
        &NewImageOptions::new(ImageFormat::Raw, bytes.len() as u64),
    )?;
    target.write_at(0, bytes)?;
    Box::new(target).finish()?;
    Ok(bytes.len() as u64)
}
