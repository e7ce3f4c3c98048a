//! From the server's refusals, and from those of the network, to a store's errors.

use object_store::{StoreError, StoreErrorKind};

use crate::answer::Answer;
use crate::xml;

/// Longest text of a server that is shown.
const TEXT_CHARS_MAX: usize = 300;

/// What an error answer says.
#[derive(Debug, Default)]
pub(crate) struct ServerError {
    pub(crate) code: String,
    text: String,
}

impl ServerError {
    /// Reads the body of an answer; one that is no error message says nothing.
    pub(crate) fn read(body: &[u8]) -> Self {
        match xml::parse(body) {
            Ok(root) if root.name == "Error" => Self {
                code: shown(root.text_of("Code").unwrap_or_default()),
                text: shown(root.text_of("Message").unwrap_or_default()),
            },
            _ => Self::default(),
        }
    }
}

/// Returns text for people: no control characters, not too long.
fn shown(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_control() { ' ' } else { one })
        .take(TEXT_CHARS_MAX)
        .collect()
}

/// Makes the error of an answer that is no success.
pub(crate) fn refused(object: &str, what: &str, answer: &Answer) -> StoreError {
    let error = ServerError::read(&answer.body);
    let kind = kind_of(answer.status, &error.code);
    let mut message = format!("{what}: the server says {}", answer.status);
    for part in [&error.code, &error.text] {
        if !part.is_empty() {
            message.push_str(", ");
            message.push_str(part);
        }
    }
    if let Some(hint) = hint_of(answer, &error.code) {
        message.push_str(": ");
        message.push_str(&hint);
    }
    StoreError::new(kind, object, message)
}

/// Says what a refusal means. The code counts before the number, which servers use differently.
fn kind_of(status: u16, code: &str) -> StoreErrorKind {
    match code {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "RequestTimeout"
        | "InternalError"
        | "ServiceUnavailable"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "TooManyRequests" => return StoreErrorKind::Unavailable,
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientStorage"
        | "StorageFull"
        | "NoSpace" => return StoreErrorKind::NoSpace,
        "ObjectLocked" => return StoreErrorKind::Locked,
        "NotImplemented" => return StoreErrorKind::Unsupported,
        "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket" => return StoreErrorKind::NotFound,
        "InvalidRange" => return StoreErrorKind::WrongSize,
        _ => {}
    }
    match status {
        401 | 403 => StoreErrorKind::Denied,
        404 => StoreErrorKind::NotFound,
        408 | 429 | 500 | 502..=504 => StoreErrorKind::Unavailable,
        412 => StoreErrorKind::Exists,
        416 => StoreErrorKind::WrongSize,
        501 => StoreErrorKind::Unsupported,
        507 => StoreErrorKind::NoSpace,
        _ => StoreErrorKind::Io,
    }
}

fn hint_of(answer: &Answer, code: &str) -> Option<String> {
    let hint = match (answer.status, code) {
        (_, "NoSuchBucket") => "make the bucket first, or see that its name is right".to_owned(),
        (_, "InvalidAccessKeyId") => "see that AWS_ACCESS_KEY_ID is right".to_owned(),
        (_, "SignatureDoesNotMatch") => {
            "see that AWS_SECRET_ACCESS_KEY and the region are right".to_owned()
        }
        (_, "ExpiredToken") => "AWS_SESSION_TOKEN has run out".to_owned(),
        (_, "RequestTimeTooSkewed") => "set this machine's clock".to_owned(),
        (300..400, _) => match answer.header("x-amz-bucket-region") {
            Some(region) => format!("the bucket is in the region {}", shown(region)),
            None => {
                "the bucket is somewhere else: see that endpoint and region are right".to_owned()
            }
        },
        _ => return None,
    };
    Some(hint)
}

/// Makes the error of a request that got no whole answer.
pub(crate) fn unanswered(object: &str, what: &str, error: &ureq::Error) -> StoreError {
    let (kind, why) = match error {
        ureq::Error::Timeout(stage) => (
            StoreErrorKind::Unavailable,
            format!("no answer in time ({stage})"),
        ),
        ureq::Error::HostNotFound => (
            StoreErrorKind::Unavailable,
            "the server's name is not known".to_owned(),
        ),
        ureq::Error::ConnectionFailed => (
            StoreErrorKind::Unavailable,
            "no connection with the server".to_owned(),
        ),
        ureq::Error::Io(error) if is_tls(error) => (
            StoreErrorKind::Io,
            format!(
                "no TLS connection: {error}; a certificate of your own is named with ca-file=FILE"
            ),
        ),
        ureq::Error::Io(error) => (StoreErrorKind::Unavailable, error.to_string()),
        ureq::Error::Rustls(error) => (StoreErrorKind::Io, format!("no TLS connection: {error}")),
        ureq::Error::Tls(error) => (StoreErrorKind::Io, format!("no TLS connection: {error}")),
        // These repeat no URL.
        ureq::Error::Protocol(error) => (StoreErrorKind::Unavailable, error.to_string()),
        ureq::Error::BodyExceedsLimit(limit) => (
            StoreErrorKind::Io,
            format!("the answer has more than {limit} bytes"),
        ),
        _ => (
            StoreErrorKind::Io,
            "the request could not be made".to_owned(),
        ),
    };
    StoreError::new(kind, object, format!("{what}: {why}"))
}

fn is_tls(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> StoreError {
        let answer = Answer {
            status,
            headers: ureq::http::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        refused("packs/aa", "cannot write", &answer)
    }

    fn error_of(status: u16, code: &str) -> StoreErrorKind {
        let body = format!("<Error><Code>{code}</Code><Message>no\u{7}</Message></Error>");
        refusal(status, &body).kind()
    }

    #[test]
    fn the_code_counts_before_the_number() {
        for (status, code, kind) in [
            (503, "SlowDown", StoreErrorKind::Unavailable),
            (500, "InternalError", StoreErrorKind::Unavailable),
            (
                409,
                "ConditionalRequestConflict",
                StoreErrorKind::Unavailable,
            ),
            (403, "AccessDenied", StoreErrorKind::Denied),
            (403, "QuotaExceeded", StoreErrorKind::NoSpace),
            (507, "XMinioStorageFull", StoreErrorKind::NoSpace),
            (404, "NoSuchKey", StoreErrorKind::NotFound),
            (412, "PreconditionFailed", StoreErrorKind::Exists),
            (416, "InvalidRange", StoreErrorKind::WrongSize),
            (501, "NotImplemented", StoreErrorKind::Unsupported),
            (400, "ObjectLocked", StoreErrorKind::Locked),
            (400, "Whatever", StoreErrorKind::Io),
            (418, "", StoreErrorKind::Io),
        ] {
            assert_eq!(error_of(status, code), kind, "{status} {code}");
        }
    }

    #[test]
    fn any_body_makes_an_error() {
        for body in [
            "",
            "<html>",
            "\u{0}",
            "<Error><Code>",
            "<Error/>",
            "plain words",
        ] {
            assert_eq!(
                refusal(503, body).kind(),
                StoreErrorKind::Unavailable,
                "{body:?}"
            );
        }
        let text = refusal(403, "<Error><Message>a\u{1b}[31mb</Message></Error>").to_string();
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
