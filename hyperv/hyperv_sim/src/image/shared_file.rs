//! Files with two names: that of a file of the host, and that in a snapshot of its volume.
//!
//! Disks are large, snapshots many. Where a file can have two names, a snapshot is another name,
//! and whoever changes a disk in place gives it a copy of its own first. Configurations are replaced
//! as a whole when they change, so they can be shared, too; all other files are small and copied.

use std::fs;
use std::io;
use std::path::Path;

use block_io::{DiskError, ImageFile as _, LayerExtentKind, OsFile, WritableFile as _};

/// Bytes that are copied at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Makes `target` hold what `source` holds now, whatever happens to `source` later.
pub(crate) fn share_or_copy(source: &Path, target: &Path) -> io::Result<()> {
    if can_be_shared(source) && fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    fs::copy(source, target).map(|_| ())
}

/// Returns whether a file is replaced as a whole when it changes, or changed in place by those alone
/// who call [`unshare`].
fn can_be_shared(path: &Path) -> bool {
    const SHARED: [&str; 9] = [
        "vhd", "vhdx", "avhd", "avhdx", "vmcx", "vmrs", "vmgs", "xml", "bin",
    ];
    let extension = path.extension().and_then(|extension| extension.to_str());
    let fits = extension.is_some_and(|own| SHARED.contains(&own.to_ascii_lowercase().as_str()));
    // Elsewhere nothing tells whether a file has a second name.
    cfg!(unix) && fits
}

/// Gives a file that has another name too a copy of its own, before it is changed in place.
pub(crate) fn unshare(path: &Path) -> Result<(), DiskError> {
    if !is_shared(path) {
        return Ok(());
    }
    let own = path.with_extension("unshared");
    let failed = |error| DiskError::io(&path.display().to_string(), "cannot copy", error);
    match fs::remove_file(&own) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    copy_data(path, &own)?;
    fs::rename(&own, path).map_err(failed)
}

/// Copies a file without its holes.
fn copy_data(source: &Path, target: &Path) -> Result<(), DiskError> {
    let source = OsFile::open_held_still(source)?;
    let target = OsFile::create_new(target)?;
    let failed = |error| DiskError::io(source.name(), "cannot copy", error);
    let size_bytes = source.size_bytes().map_err(failed)?;
    target.set_size_bytes(size_bytes).map_err(failed)?;
    let mut buffer = Vec::new();
    let mut offset = 0;
    while offset < size_bytes {
        let extent = source.file_extent_at(offset, size_bytes - offset);
        let extent = extent.map_err(failed)?;
        let mut len_bytes = extent.len_bytes.clamp(1, size_bytes - offset);
        if extent.kind == LayerExtentKind::Data {
            len_bytes = len_bytes.min(PIECE_BYTES);
            buffer.resize(usize::try_from(len_bytes).unwrap_or(0), 0);
            source.read_exact_at(offset, &mut buffer).map_err(failed)?;
            target.write_all_at(offset, &buffer).map_err(failed)?;
        }
        offset += len_bytes;
    }
    Ok(())
}

#[cfg(unix)]
fn is_shared(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().is_ok_and(|metadata| metadata.nlink() > 1)
}

#[cfg(not(unix))]
fn is_shared(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_its_own_holds_the_same_and_leaves_the_other_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|own| own.to_le_bytes()[1]).collect();
        fs::write(at("a.vhdx"), &bytes).unwrap();
        let file = OsFile::open_writable(&at("a.vhdx")).unwrap();
        file.set_size_bytes(9_000_000).unwrap();
        drop(file);
        let whole = fs::read(at("a.vhdx")).unwrap();
        share_or_copy(&at("a.vhdx"), &at("b.vhdx")).unwrap();
        assert!(is_shared(&at("a.vhdx")));
        unshare(&at("a.vhdx")).unwrap();
        assert!(!is_shared(&at("a.vhdx")) && !is_shared(&at("b.vhdx")));
        assert!(fs::read(at("a.vhdx")).unwrap() == whole);
        assert!(fs::read(at("b.vhdx")).unwrap() == whole);
    }
}
