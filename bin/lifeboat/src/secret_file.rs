//! Files that hold a secret: only their owner reads them, and they never lie in the repository
//! that they open.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::store_choice::StoreChoice;

/// Reads at most `limit_bytes` of a file.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| CliError::io(&name, error))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit_bytes)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::io(&name, error))?;
    Ok(bytes)
}

/// Writes a secret to a new file that only its owner can read, and returns once it is durable.
///
/// Refused inside the repository, and where there is such a file already.
pub(crate) fn write_new(
    path: &Path,
    secret: &[u8],
    repository: &StoreChoice,
) -> Result<(), CliError> {
    refuse_inside_repository(path, repository)?;
    let name = path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("{name}: this file exists already");
            CliError::new(ExitCode::TargetExists, "exists", message)
                .hint("it may hold the key of another repository: choose another name")
        }
        _ => CliError::io(&name, error),
    })?;
    let written = file.write_all(secret).and_then(|()| file.sync_all());
    let folder = path.parent().unwrap_or(Path::new(""));
    let flush = || block_io::flush_folder(folder);
    written.and_then(|()| flush()).map_err(|error| {
        // It holds no whole key: nobody must take it for one.
        drop(fs::remove_file(path));
        CliError::io(&name, error)
    })
}

/// Fails for a file inside the repository's folder.
pub(crate) fn refuse_inside_repository(
    path: &Path,
    repository: &StoreChoice,
) -> Result<(), CliError> {
    match repository.folder() {
        Some(folder) => refuse_inside(path, folder),
        None => Ok(()),
    }
}

fn refuse_inside(path: &Path, repository: &Path) -> Result<(), CliError> {
    let (file, folder) = (resolved(path), resolved(repository));
    if !file.starts_with(&folder) {
        return Ok(());
    }
    let message = format!(
        "{}: the recovery key must not lie inside the repository",
        path.display()
    );
    Err(CliError::usage(message).hint(
        "whoever gets the repository would get the key with it: choose a file in another place",
    ))
}

/// Resolves links as far as the path exists; the rest stays as it is.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in absolute.ancestors() {
        if let Ok(found) = fs::canonicalize(ancestor) {
            let rest = absolute.strip_prefix(ancestor).unwrap_or(Path::new(""));
            // Joining nothing would add a separator.
            return if rest == Path::new("") {
                found
            } else {
                found.join(rest)
            };
        }
    }
    absolute
}
