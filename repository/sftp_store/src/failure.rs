//! Errors of the SSH and SFTP libraries as a store's.

use object_store::{StoreError, StoreErrorKind};
use russh_sftp::client::error::Error;
use russh_sftp::protocol::StatusCode;

/// Returns what sort of failure the server, or the way to it, met.
pub(crate) fn kind_of(error: &Error) -> StoreErrorKind {
    match error {
        Error::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => StoreErrorKind::NotFound,
            StatusCode::PermissionDenied => StoreErrorKind::Denied,
            StatusCode::Eof => StoreErrorKind::WrongSize,
            StatusCode::OpUnsupported => StoreErrorKind::Unsupported,
            StatusCode::NoConnection | StatusCode::ConnectionLost => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Io,
        },
        Error::Limited(_) | Error::UnexpectedPacket => StoreErrorKind::Io,
        // The library tells a connection that ended by text alone.
        Error::IO(_) | Error::Timeout | Error::UnexpectedBehavior(_) => StoreErrorKind::Unavailable,
    }
}

/// Makes a store's error of a failed request: `what` was done to `name`.
pub(crate) fn failed(name: &str, what: &str, error: &Error) -> StoreError {
    StoreError::new(kind_of(error), name, format!("{what}: {}", shown(error)))
}

/// Returns an error's text, with what a server said cut short and made printable.
fn shown(error: &Error) -> String {
    let text = match error {
        Error::Timeout => return "the server did not answer in time".to_owned(),
        Error::Status(status) => {
            let code = status.status_code.to_string();
            match status.error_message.as_str() {
                "" => code,
                message if message == code => code,
                message => format!("{code}: {message}"),
            }
        }
        other => other.to_string(),
    };
    printable(&text)
}

/// What comes from a server may be anything: neither long nor a terminal's commands are shown.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_made_printable() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a?[2Jb?");
        assert_eq!(printable(&"x".repeat(1000)).len(), 200);
    }
}
