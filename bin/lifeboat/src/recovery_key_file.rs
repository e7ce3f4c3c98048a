//! The file that holds a recovery key. It never lies in the repository that it opens.

use std::path::Path;

use repository::RecoveryKey;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::password::read_secret_file;
use crate::secret_file;
use crate::store_choice::StoreChoice;

/// Writes the key to a new file that only its owner can read, and returns once it is durable.
pub(crate) fn write(
    path: &Path,
    key: &RecoveryKey,
    repository: &StoreChoice,
) -> Result<(), CliError> {
    let text = Zeroizing::new(format!(
        "Recovery key of the Lifeboat repository {}\n\
         Keep it away from the repository, in a safe place. Whoever has it can read the backups;\n\
         without it and without the password nobody can.\n\n{}\n",
        repository,
        *Zeroizing::new(key.to_text())
    ));
    secret_file::write_new(path, text.as_bytes(), repository)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

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
