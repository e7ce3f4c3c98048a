//! The file that holds a recovery key. It never lies in the repository that it opens.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use repository::RecoveryKey;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::password::read_secret_file;
use crate::store_choice::StoreChoice;

/// Writes the key to a new file that only its owner can read, and returns once it is durable.
pub(crate) fn write(
    path: &Path,
    key: &RecoveryKey,
    repository: &StoreChoice,
) -> Result<(), CliError> {
    repository
        .folder()
        .map_or(Ok(()), |folder| refuse_inside(path, folder))?;
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
    let text = Zeroizing::new(format!(
        "Recovery key of the Lifeboat repository {}\n\
         Keep it away from the repository, in a safe place. Whoever has it can read the backups;\n\
         without it and without the password nobody can.\n\n{}\n",
        repository,
        *Zeroizing::new(key.to_text())
    ));
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    let folder = path.parent().unwrap_or(Path::new(""));
    let flush = || block_io::flush_folder(folder);
    written.and_then(|()| flush()).map_err(|error| {
        // It holds no whole key: nobody must take it for one.
        drop(fs::remove_file(path));
        CliError::io(&name, error)
    })
}

/// Reads the key from a file: the line that begins as a key does.
pub(crate) fn read(path: &Path) -> Result<RecoveryKey, CliError> {
    let text = read_secret_file(path)?;
    let begins = |line: &&str| {
        line.get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("LB1-"))
    };
    let key = text.lines().map(str::trim).find(begins).unwrap_or(&text);
    Ok(RecoveryKey::parse(key)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_once_outside_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let choice = StoreChoice::Folder(folder.path().join("repository"));
        let key = RecoveryKey::generate().unwrap();
        let file = folder.path().join("key.txt");
        write(&file, &key, &choice).unwrap();
        assert_eq!(read(&file).unwrap().to_text(), key.to_text());
        let again = write(&file, &key, &choice).unwrap_err();
        assert_eq!(again.exit_code(), ExitCode::TargetExists);
        for inside in [
            "repository/key.txt",
            "repository/../repository/deep/key.txt",
        ] {
            let error = write(&folder.path().join(inside), &key, &choice).unwrap_err();
            assert_eq!(error.exit_code(), ExitCode::Usage, "{inside}");
        }
    }
}
