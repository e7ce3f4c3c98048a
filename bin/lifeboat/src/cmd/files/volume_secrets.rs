//! What opens a guest's encrypted volumes.

use std::path::{Path, PathBuf};

use clap::Args;
use guest_reader::{SecretKind, Secrets, Unlocked};
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::password::{first_line, read_secret_file};
use crate::secret_file;
use crate::ui::Ui;

/// Files that hold secrets: what is in them is tried on each encrypted volume that it may fit.
#[derive(Debug, Clone, Args)]
pub(super) struct SecretArgs {
    /// A file whose first line is a password of encrypted volumes (BitLocker, LUKS); may be repeated
    #[arg(long, value_name = "FILE")]
    volume_password_file: Vec<PathBuf>,
    /// A key file of encrypted volumes: LUKS's, or BitLocker's startup key (.BEK); may be repeated
    #[arg(long, value_name = "FILE")]
    volume_key_file: Vec<PathBuf>,
    /// A file with recovery keys of encrypted volumes, as Windows saves and prints them; may be repeated
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Vec<PathBuf>,
}

/// Which file each secret is from.
pub(super) struct SecretFiles(Vec<PathBuf>);

impl SecretArgs {
    /// Reads the files.
    pub(super) fn read(&self) -> Result<(Secrets, SecretFiles), CliError> {
        let (mut secrets, mut files) = (Secrets::default(), SecretFiles(Vec::new()));
        let mut add = |path: &Path, kind, secret: Zeroizing<Vec<u8>>| {
            let name = path.display();
            if secret.is_empty() {
                return Err(CliError::usage(format!("{name}: there is no secret in it")));
            }
            files.0.push(path.to_owned());
            let added = secrets.add(kind, secret);
            added.map_err(|error| CliError::usage(format!("{name}: {error}")))
        };
        for path in &self.volume_password_file {
            let password = first_line(&read_secret_file(path)?);
            let password = Zeroizing::new(password.as_bytes().to_vec());
            add(path, SecretKind::Password, password)?;
        }
        for path in &self.volume_key_file {
            // One more than may be, so that it is not taken for the whole.
            let limit = u64::try_from(Secrets::MAX_BYTES).unwrap_or(u64::MAX) + 1;
            add(path, SecretKind::KeyFile, secret_file::read(path, limit)?)?;
        }
        for path in &self.recovery_key_file {
            let text = text(&secret_file::read(path, RECOVERY_KEY_FILE_BYTES_MAX)?);
            let text = text.ok_or_else(|| {
                CliError::usage(format!("{}: it is no text", path.display()))
                    .hint("save it as UTF-8 or as Windows does, in UTF-16")
            })?;
            for key in recovery_keys(&text) {
                add(path, SecretKind::RecoveryKey, key)?;
            }
        }
        Ok((secrets, files))
    }
}

/// A file of recovery keys that is longer is something else.
const RECOVERY_KEY_FILE_BYTES_MAX: u64 = 1 << 20;

impl SecretFiles {
    /// Says which files opened nothing, and which volumes stay closed.
    pub(super) fn tell(&self, ui: &Ui, unlocked: &Unlocked) {
        let closed = unlocked.closed.iter();
        let closed = closed.map(|it| format!("/{} ({}): {}", it.name, it.content.name(), it.why));
        let closed: Vec<String> = closed.collect();
        let mut told: Vec<&Path> = Vec::new();
        for path in &self.0 {
            let of_file = self.0.iter().zip(&unlocked.opened);
            let mut of_file = of_file.filter(|(other, _)| *other == path);
            if told.contains(&path.as_path()) || of_file.any(|(_, opened)| !opened.is_empty()) {
                continue;
            }
            told.push(path);
            let name = path.display();
            ui.warning(&match closed.as_slice() {
                [] => format!("{name} opens none of the volumes, and none is closed"),
                closed => format!(
                    "{name} opens none of the volumes; closed stay {}",
                    closed.join("; ")
                ),
            });
        }
        if told.is_empty() {
            for volume in &closed {
                ui.warning(&format!("still closed: {volume}"));
            }
        }
    }
}

/// Takes what Windows saves, which is UTF-16, or UTF-8; `None` for what is no text. Nothing of it is
/// copied but into what is returned.
fn text(bytes: &[u8]) -> Option<Zeroizing<String>> {
    // As long as it becomes: what grows leaves copies behind.
    let Some(units) = bytes.strip_prefix(b"\xff\xfe") else {
        let read = std::str::from_utf8(bytes).ok()?;
        let mut text = Zeroizing::new(String::with_capacity(read.len()));
        text.push_str(read);
        return Some(text);
    };
    let (units, rest) = units.as_chunks::<2>();
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for letter in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        text.push(letter.ok()?);
    }
    rest.is_empty().then_some(text)
}

/// Returns the keys in a text: eight groups of six digits each, or else its first line, which is what
/// other systems than Windows write.
fn recovery_keys(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '-');
    let is_key = |word: &&str| {
        let is_group = |group: &str| group.len() == 6 && !group.contains('-');
        word.split('-').count() == 8 && word.split('-').all(is_group)
    };
    let keys = words.filter(is_key);
    let keys: Vec<_> = keys
        .map(|key| Zeroizing::new(key.as_bytes().to_vec()))
        .collect();
    if !keys.is_empty() {
        return keys;
    }
    let line = first_line(text);
    vec![Zeroizing::new(line.trim().as_bytes().to_vec())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "123456-234567-345678-456789-567890-678901-789012-890123";

    fn found(text: &str) -> Vec<String> {
        let keys = recovery_keys(text).into_iter();
        keys.map(|key| String::from_utf8(key.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn the_keys_of_a_file_are_found_among_its_words() {
        let page = format!(
            "BitLocker recovery key\r\nIdentifier:\r\n\tC1A2-9D4E-11\r\nKey:\r\n\t{KEY}\r\n"
        );
        assert_eq!(found(&page), [KEY]);
        assert_eq!(found(&format!("{KEY} {KEY}")), [KEY, KEY]);
        assert_eq!(found(" rbvd-cjhe-ukgf \nmore"), ["rbvd-cjhe-ukgf"]);
        assert_eq!(found(""), [""]);
    }

    #[test]
    fn a_page_that_windows_saved_is_read() {
        let page: Vec<u8> = format!("\u{feff}Key: {KEY}\r\n")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(found(&text(&page).unwrap()), [KEY]);
        assert_eq!(found(&text(KEY.as_bytes()).unwrap()), [KEY]);
    }

    #[test]
    fn what_is_no_text_is_none() {
        let key = KEY.as_bytes();
        assert_eq!(text(&[b"Schl\xfcssel: ", key].concat()), None);
        assert_eq!(text(b"\xff\xfe1\x002"), None);
        assert_eq!(text(b"\xff\xfe\x00\xd8"), None);
    }
}
