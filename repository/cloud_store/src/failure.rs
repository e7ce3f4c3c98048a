//! OpenDAL's errors as a store's.

use std::error::Error as _;

use object_store::{Secret, StoreError, StoreErrorKind};
use opendal::{Error, ErrorKind};

/// What servers say of an object that a policy or a hold keeps.
const LOCKED: &[&str] = &[
    "BlobImmutableDueToPolicy",
    "BlobImmutableDueToLegalHold",
    "ContainerHasLegalHold",
    "retentionPolicyNotMet",
    "objectUnderActiveHold",
];
/// How much of an error's text is shown, in characters.
const SHOWN: usize = 300;
/// The longest chain of causes that is followed.
const CAUSES: usize = 8;

/// Makes a store's errors, without secrets.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    hidden: Vec<Secret>,
}

impl Failures {
    /// Takes `secret` out of what is shown, and the parts of one that has the form of a query.
    pub(crate) fn hiding(secret: &Secret) -> Self {
        let mut hidden = vec![secret.clone()];
        for pair in secret.reveal().trim_start_matches('?').split('&') {
            if let Some(("sig", value)) = pair.split_once('=') {
                hidden.push(Secret::new(value.to_owned()));
                // Servers repeat it as they understood it.
                let decoded = value
                    .replace("%2B", "+")
                    .replace("%2F", "/")
                    .replace("%3D", "=");
                hidden.push(Secret::new(decoded));
            }
        }
        Self { hidden }
    }

    /// Makes an error of a failed request: `what` was done to `name`.
    pub(crate) fn failed(&self, name: &str, what: &str, error: &Error) -> StoreError {
        let text = format!("{what}: {}", self.shown(error));
        StoreError::new(kind_of(error), name, text)
    }

    /// Returns an error's text, cut short and printable. OpenDAL's context, which has the URL, is
    /// not part of it.
    fn shown(&self, error: &Error) -> String {
        let mut text = match status_of(error) {
            Some(status) => format!("{status} {}", error.message()),
            None => error.message().to_owned(),
        };
        let mut cause = error.source();
        for _ in 0..CAUSES {
            let Some(error) = cause else { break };
            text.push_str(": ");
            match error.downcast_ref::<Error>() {
                Some(error) => text.push_str(error.message()),
                None => text.push_str(&error.to_string()),
            }
            cause = error.source();
        }
        for secret in &self.hidden {
            if !secret.reveal().is_empty() {
                text = text.replace(secret.reveal(), "(hidden)");
            }
        }
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        text.chars().take(SHOWN).map(printable).collect()
    }
}

/// Returns what sort of failure this is.
pub(crate) fn kind_of(error: &Error) -> StoreErrorKind {
    if LOCKED.iter().any(|code| error.message().contains(code)) {
        return StoreErrorKind::Locked;
    }
    match error.kind() {
        ErrorKind::NotFound => StoreErrorKind::NotFound,
        ErrorKind::AlreadyExists | ErrorKind::ConditionNotMatch => StoreErrorKind::Exists,
        ErrorKind::PermissionDenied | ErrorKind::ConfigInvalid => StoreErrorKind::Denied,
        ErrorKind::RateLimited => StoreErrorKind::Unavailable,
        ErrorKind::RangeNotSatisfied => StoreErrorKind::WrongSize,
        ErrorKind::Unsupported => StoreErrorKind::Unsupported,
        _ if error.is_temporary() => StoreErrorKind::Unavailable,
        _ => match status_of(error) {
            Some(401) => StoreErrorKind::Denied,
            Some(408 | 425) => StoreErrorKind::Unavailable,
            Some(416) => StoreErrorKind::WrongSize,
            Some(507) => StoreErrorKind::NoSpace,
            Some(501) => StoreErrorKind::Unsupported,
            // What else a server may be unable to do for a while.
            Some(status) if status > 501 => StoreErrorKind::Unavailable,
            Some(_) => StoreErrorKind::Io,
            None => kind_without_answer(error),
        },
    }
}

/// A request that was not signed had keys that are none, unless the server that makes tokens of
/// keys was not reached.
fn kind_without_answer(error: &Error) -> StoreErrorKind {
    let mut cause = error.source();
    for _ in 0..CAUSES {
        let Some(error) = cause else { break };
        if error
            .downcast_ref::<Error>()
            .is_some_and(Error::is_temporary)
        {
            return StoreErrorKind::Unavailable;
        }
        cause = error.source();
    }
    match error.message().starts_with("signing http request") {
        true => StoreErrorKind::Denied,
        false => StoreErrorKind::Io,
    }
}

/// Returns the status of the answer that an error is about. OpenDAL keeps it in the error's context
/// alone, which is only shown: before the server's own words, and after the URL, which has no spaces.
fn status_of(error: &Error) -> Option<u16> {
    let shown = error.to_string();
    let (_, rest) = shown.split_once("response: Parts { status: ")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_say_what_can_be_done() {
        let error = |kind| Error::new(kind, "as the test wants");
        let answered = |status: u16| {
            error(ErrorKind::Unexpected)
                .with_context("response", format!("Parts {{ status: {status}, headers"))
        };
        for (error, kind) in [
            (error(ErrorKind::NotFound), StoreErrorKind::NotFound),
            (error(ErrorKind::ConditionNotMatch), StoreErrorKind::Exists),
            (error(ErrorKind::PermissionDenied), StoreErrorKind::Denied),
            (error(ErrorKind::RateLimited), StoreErrorKind::Unavailable),
            (
                error(ErrorKind::Unexpected).set_temporary(),
                StoreErrorKind::Unavailable,
            ),
            (answered(400), StoreErrorKind::Io),
            (answered(401), StoreErrorKind::Denied),
            (answered(408), StoreErrorKind::Unavailable),
            (answered(507), StoreErrorKind::NoSpace),
            (
                Error::new(ErrorKind::Conflict, "code: BlobImmutableDueToPolicy"),
                StoreErrorKind::Locked,
            ),
            (
                Error::new(ErrorKind::Unexpected, "signing http request"),
                StoreErrorKind::Denied,
            ),
            (error(ErrorKind::Unexpected), StoreErrorKind::Io),
        ] {
            assert_eq!(kind_of(&error), kind, "{error}");
        }
    }

    #[test]
    fn neither_urls_nor_secrets_are_shown_nor_what_moves_a_cursor() {
        let token = Secret::new("?sv=2022-11-02&sig=a%2Bb%3D".to_owned());
        let failures = Failures::hiding(&token);
        let error = Error::new(ErrorKind::Unexpected, "sig a+b= is\x1b[2J wrong: a%2Bb%3D")
            .with_context("uri", "https://x/?sig=a%2Bb%3D");
        let shown = failures.failed("name", "cannot", &error).to_string();
        assert_eq!(shown, "name: cannot: sig (hidden) is [2J wrong: (hidden)");
    }
}
