//! Where the password comes from: never from the command line, which others can read.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::ui::Ui;

/// A password file that is longer is something else.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A password, which is wiped when it is let go.
pub(crate) type Password = Zeroizing<String>;

/// Whether a password is asked for once, or twice because it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Once,
    Twice,
}

/// Finds the password: a file, an open file's number, a command, the environment, or a prompt.
pub(crate) fn password(ui: &Ui, no_input: bool, asked: Asked) -> Result<Password, CliError> {
    let password = if let Some(path) = variable("LIFEBOAT_PASSWORD_FILE") {
        first_line(&read_secret_file(Path::new(&path))?)
    } else if let Some(number) = variable("LIFEBOAT_PASSWORD_FD") {
        from_descriptor(&number)?
    } else if let Some(command) = variable("LIFEBOAT_PASSWORD_COMMAND") {
        from_command(&command)?
    } else if let Some(text) = variable("LIFEBOAT_PASSWORD") {
        ui.warning(
            "a password in the environment can be read by others: use LIFEBOAT_PASSWORD_FILE",
        );
        Zeroizing::new(text)
    } else if no_input || !std::io::stdin().is_terminal() {
        return Err(CliError::usage("no password is given, and nobody can be asked for one").hint(
            "set LIFEBOAT_PASSWORD_FILE or LIFEBOAT_PASSWORD_COMMAND, LIFEBOAT_KEY_FILE, or LIFEBOAT_RECOVERY_KEY_FILE",
        ));
    } else {
        prompt("Password of the repository: ", asked)?
    };
    if password.is_empty() {
        return Err(CliError::usage("the password is empty")
            .hint("the password is the first line of LIFEBOAT_PASSWORD_FILE, or of what the command prints"));
    }
    Ok(password)
}

/// Finds the password of the repository that points are copied to, where it has one of its own.
pub(crate) fn target_password() -> Result<Option<Password>, CliError> {
    let password = if let Some(path) = named_file("LIFEBOAT_TO_PASSWORD_FILE") {
        first_line(&read_secret_file(&path)?)
    } else if let Some(command) = variable("LIFEBOAT_TO_PASSWORD_COMMAND") {
        from_command(&command)?
    } else {
        return Ok(None);
    };
    if password.is_empty() {
        return Err(CliError::usage(
            "the password of the repository to copy to is empty",
        ));
    }
    Ok(Some(password))
}

/// Returns the file that a variable names, where it is set.
pub(crate) fn named_file(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Finds the password that is to be new: a file, or a prompt.
pub(crate) fn new_password(no_input: bool) -> Result<Password, CliError> {
    let password = if let Some(path) = named_file("LIFEBOAT_NEW_PASSWORD_FILE") {
        first_line(&read_secret_file(&path)?)
    } else if no_input || !std::io::stdin().is_terminal() {
        return Err(
            CliError::usage("no new password is given, and nobody can be asked for one")
                .hint("set LIFEBOAT_NEW_PASSWORD_FILE"),
        );
    } else {
        prompt("New password of the repository: ", Asked::Twice)?
    };
    if password.is_empty() {
        return Err(CliError::usage("the new password is empty")
            .hint("the password is the first line of LIFEBOAT_NEW_PASSWORD_FILE"));
    }
    Ok(password)
}

/// Reads the password from a file that whoever started the program has open.
#[cfg(unix)]
fn from_descriptor(number: &str) -> Result<Password, CliError> {
    if number.is_empty() || number.len() > 6 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CliError::usage(
            "LIFEBOAT_PASSWORD_FD is not the number of an open file",
        ));
    }
    let path = Path::new("/dev/fd").join(number);
    Ok(first_line(&read_secret_file(&path)?))
}

#[cfg(not(unix))]
fn from_descriptor(_: &str) -> Result<Password, CliError> {
    Err(
        CliError::usage("LIFEBOAT_PASSWORD_FD is for systems that have such numbers")
            .hint("use LIFEBOAT_PASSWORD_FILE or LIFEBOAT_PASSWORD_COMMAND"),
    )
}

/// Reads a small file that holds a secret.
pub(crate) fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| CliError::io(&name, error))?;
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| CliError::io(&name, error))?;
    Ok(text)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn from_command(command: &str) -> Result<Password, CliError> {
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let failed = |how: String| {
        let message = format!("the command in LIFEBOAT_PASSWORD_COMMAND {how}");
        CliError::new(ExitCode::Failed, "password-command", message)
    };
    let output = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let text = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("failed: {}", output.status)));
    }
    let text = std::str::from_utf8(&text).map_err(|_| failed("did not print UTF-8".to_owned()))?;
    Ok(first_line(text))
}

/// Returns the password in a text: its first line.
pub(crate) fn first_line(text: &str) -> Password {
    // An editor that adds a byte order mark must not change the password.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}

fn prompt(question: &str, asked: Asked) -> Result<Password, CliError> {
    let read = |text: &str| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| CliError::io("the terminal", error))
    };
    let password = read(question)?;
    if asked == Asked::Twice && *password != *read("The same password again: ")? {
        return Err(CliError::usage("the two passwords are not the same"));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        assert_eq!(*first_line("secret\n"), "secret");
        assert_eq!(*first_line("with space \r\nmore"), "with space ");
        assert_eq!(*first_line("\u{feff}secret"), "secret");
        assert_eq!(*first_line(""), "");
    }
}
