//! Where the keys to a store come from: the environment or a file, never the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::password::read_secret_file;

/// The variable that names a file of credentials.
const FILE: &str = "LIFEBOAT_STORE_CREDENTIALS_FILE";

/// Credentials by name, such as `AWS_SECRET_ACCESS_KEY`.
///
/// Where [`FILE`] names a file, its lines `NAME=value` come before the environment. The values are
/// in no error and no debug output.
pub(crate) struct StoreCredentials {
    from_file: BTreeMap<String, Zeroizing<String>>,
}

impl StoreCredentials {
    /// Reads the file, where there is one.
    pub(crate) fn read() -> Result<Self, CliError> {
        let file = std::env::var_os(FILE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        let from_file = match file {
            None => BTreeMap::new(),
            Some(file) => parse(&read_secret_file(&file)?).map_err(|line| {
                let message = format!("{}: line {line} is not NAME=value", file.display());
                CliError::usage(message).hint("lines that begin with # are comments")
            })?,
        };
        Ok(Self { from_file })
    }

    /// Takes the lines of a file, for tests.
    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Result<Self, usize> {
        parse(text).map(|from_file| Self { from_file })
    }

    /// Returns what stands under a name, where anything does.
    pub(crate) fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        if let Some(value) = self.from_file.get(name) {
            return Some(value.clone());
        }
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .map(Zeroizing::new)
    }

    /// Returns what must stand under a name.
    pub(crate) fn must_get(&self, name: &str) -> Result<Zeroizing<String>, CliError> {
        self.get(name).ok_or_else(|| {
            CliError::usage(format!("{name} is not set")).hint(format!(
                "set it in the environment, or as a line `{name}=...` of the file that {FILE} names"
            ))
        })
    }
}

impl fmt::Debug for StoreCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.from_file.keys()).finish()
    }
}

/// Reads lines `NAME=value`; fails with the number of the first line that is none.
fn parse(text: &str) -> Result<BTreeMap<String, Zeroizing<String>>, usize> {
    let mut found = BTreeMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(number + 1)?;
        let value = Zeroizing::new(value.trim().to_owned());
        found.insert(name.trim().to_owned(), value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_and_a_value_on_each_line() {
        let text = "# the bucket's\nAWS_ACCESS_KEY_ID=AKIA\n\nAWS_SECRET_ACCESS_KEY = a=b/c+ \r\n";
        let found = parse(text).unwrap();
        assert_eq!(*found["AWS_ACCESS_KEY_ID"], "AKIA");
        assert_eq!(*found["AWS_SECRET_ACCESS_KEY"], "a=b/c+");
        assert_eq!(parse("A=1\nsecret"), Err(2));
    }

    #[test]
    fn values_are_not_in_debug_output() {
        let from_file = parse("NAME=hush").unwrap();
        let shown = format!("{:?}", StoreCredentials { from_file });
        assert!(shown.contains("NAME") && !shown.contains("hush"), "{shown}");
    }
}
