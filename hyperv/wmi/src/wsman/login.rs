//! The login of one connection.
//!
//! NTLM authenticates a connection, not a request (\[MS-NTHT\]): three tokens go to and fro in
//! requests without a body, and what follows on the same connection is that user's.
//!
//! ```text
//!   POST, Authorization: Negotiate <negotiate>   ▶   ◀ 401, WWW-Authenticate: Negotiate <challenge>
//!   POST, Authorization: Negotiate <authenticate>▶   ◀ anything but 401
//! ```
//!
//! Windows takes NTLM's own tokens under `Negotiate`, without SPNEGO around them; so do other
//! clients send them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use super::WsmanOptions;
use super::connection::{Connection, HttpAnswer};
use super::ntlm::NtlmClient;
use super::sealed::PLAIN_CONTENT_TYPE;
use crate::{WmiError, WmiErrorKind};

/// Bytes of the body of an answer during the login. Windows sends none, or a page of HTML.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Logs in with NTLM; returns what seals the messages from then on.
pub(super) async fn negotiate(
    connection: &mut Connection,
    options: &WsmanOptions,
    channel_binding: Option<&[u8]>,
) -> Result<NtlmClient, WmiError> {
    let mut client = NtlmClient::new(options, channel_binding);
    let token = client.negotiate()?;
    let answer = ask(connection, &token).await?;
    refuse_other_services(&answer, options)?;
    if answer.status != StatusCode::UNAUTHORIZED {
        let what = format!("{} asks for no login", options.address);
        return Err(WmiError::new(WmiErrorKind::Protocol, what));
    }
    let challenge = challenge(&answer).ok_or_else(|| not_offered(&answer, options))?;
    let token = client.authenticate(&challenge)?;
    let answer = ask(connection, &token).await?;
    refuse_other_services(&answer, options)?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(refused(options));
    }
    Ok(client)
}

async fn ask(connection: &mut Connection, token: &[u8]) -> Result<HttpAnswer, WmiError> {
    let value = format!("Negotiate {}", STANDARD.encode(token));
    let header = HeaderValue::from_str(&value).map_err(|error| {
        WmiError::new(WmiErrorKind::Protocol, "a token is no header").caused_by(error)
    })?;
    connection
        .post(PLAIN_CONTENT_TYPE, Some(header), Vec::new(), BODY_BYTES_MAX)
        .await
        .map_err(|broken| broken.error)
}

/// Returns the header of Basic.
pub(super) fn basic(options: &WsmanOptions) -> Result<HeaderValue, WmiError> {
    let pair = Zeroizing::new(format!("{}:{}", options.address.user, *options.password));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut header = HeaderValue::from_str(&value)
        .map_err(|_| WmiError::new(WmiErrorKind::Authentication, "the password is no header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Returns the token of `WWW-Authenticate: Negotiate <token>`.
fn challenge(answer: &HttpAnswer) -> Option<Vec<u8>> {
    let token = answer.challenges.iter().find_map(|challenge| {
        let (scheme, token) = challenge.trim().split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("Negotiate")
            .then(|| token.trim())
    })?;
    STANDARD
        .decode(token)
        .ok()
        .filter(|token| !token.is_empty())
}

/// Checks that what answers is a WS-Man service, and none that sends us elsewhere.
pub(super) fn refuse_other_services(
    answer: &HttpAnswer,
    options: &WsmanOptions,
) -> Result<(), WmiError> {
    let of = |kind, why: &str| {
        let what = format!(
            "{} {why} (HTTP {})",
            options.address,
            answer.status.as_u16()
        );
        Err(WmiError::new(kind, what))
    };
    match answer.status {
        status if status.is_redirection() => of(
            WmiErrorKind::Protocol,
            "sends us elsewhere, which is not followed",
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            of(WmiErrorKind::Protocol, "is no WS-Man service")
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            of(WmiErrorKind::Unreachable, "is not ready")
        }
        StatusCode::FORBIDDEN => of(WmiErrorKind::Denied, "refuses this user"),
        _ => Ok(()),
    }
}

fn not_offered(answer: &HttpAnswer, options: &WsmanOptions) -> WmiError {
    let schemes: Vec<String> = answer
        .challenges
        .iter()
        .filter_map(|challenge| challenge.split_whitespace().next())
        .map(super::codec::shortened)
        .collect();
    if schemes
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case("Negotiate"))
    {
        return refused(options);
    }
    let what = format!(
        "{} does not offer Negotiate but {schemes:?}; allow it on the host with \
         winrm set winrm/config/service/auth @{{Negotiate=\"true\"}}",
        options.address
    );
    WmiError::new(WmiErrorKind::Authentication, what)
}

/// Makes the error of a login that the host refused.
pub(super) fn refused(options: &WsmanOptions) -> WmiError {
    let WsmanOptions { address, .. } = options;
    let what = format!(
        "{address} refused the user {:?} or the password; a domain's user is DOMAIN\\USER or \
         USER@DOMAIN, one of the host itself HOST\\USER and, unless it is the built-in \
         administrator, needs the group Remote Management Users or LocalAccountTokenFilterPolicy",
        address.user
    );
    WmiError::new(WmiErrorKind::Authentication, what)
}
