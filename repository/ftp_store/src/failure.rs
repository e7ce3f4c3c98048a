//! The FTP library's errors as a store's.

use std::io;

use object_store::{StoreError, StoreErrorKind};
use suppaftp::FtpError;

/// Returns what a server's code means (RFC 959, section 4.2.1).
fn kind_of_code(code: u32) -> StoreErrorKind {
    match code {
        452 | 552 => StoreErrorKind::NoSpace,
        // A bad name or password, no account, a policy.
        430 | 530..=536 | 553 => StoreErrorKind::Denied,
        400..=499 => StoreErrorKind::Unavailable,
        500..=504 => StoreErrorKind::Unsupported,
        550 => StoreErrorKind::NotFound,
        _ => StoreErrorKind::Io,
    }
}

/// Returns what sort of failure the server, or the way to it, met.
pub(crate) fn kind_of(error: &FtpError) -> StoreErrorKind {
    match error {
        FtpError::UnexpectedResponse(response) => kind_of_code(response.status.code()),
        FtpError::ConnectionError(error) => kind_of_io(error),
        FtpError::SecureError(_) => StoreErrorKind::Denied,
        // A connection that ends in the middle of an answer is told so too.
        FtpError::BadResponse => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Io,
    }
}

/// Returns what sort of failure a connection met.
pub(crate) fn kind_of_io(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        // rustls's errors come so: a certificate, or bytes that are no TLS.
        io::ErrorKind::InvalidData => StoreErrorKind::Denied,
        _ => StoreErrorKind::Unavailable,
    }
}

/// Makes a store's error of a failed command: `what` was done to `name`.
pub(crate) fn failed(name: &str, what: &str, error: &FtpError) -> StoreError {
    StoreError::new(
        kind_of(error),
        name,
        format!("{what}: {}", printable(&shown(error))),
    )
}

fn shown(error: &FtpError) -> String {
    match error {
        FtpError::UnexpectedResponse(response) => {
            String::from_utf8_lossy(&response.body).trim().to_owned()
        }
        other => other.to_string(),
    }
}

/// What comes from a server may be anything: neither long nor a terminal's commands are shown.
fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use suppaftp::Status;
    use suppaftp::types::Response;

    use super::*;

    #[test]
    fn a_servers_codes_are_told_apart_and_its_words_made_printable() {
        let error = |status, body: &[u8]| {
            let body = body.to_vec();
            failed(
                "a",
                "cannot",
                &FtpError::UnexpectedResponse(Response { status, body }),
            )
        };
        let kind = |status| error(status, b"").kind();
        assert_eq!(kind(Status::NotAvailable), StoreErrorKind::Unavailable);
        assert_eq!(kind(Status::FileUnavailable), StoreErrorKind::NotFound);
        assert_eq!(kind(Status::NotLoggedIn), StoreErrorKind::Denied);
        assert_eq!(kind(Status::ExceededStorage), StoreErrorKind::NoSpace);
        let text = error(Status::FileUnavailable, b"550 \x1b[2J no\r\n").to_string();
        assert_eq!(text, "a: cannot: 550 ?[2J no");
    }
}
