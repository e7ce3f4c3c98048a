//! Answers, and bodies that are made piece by piece.

use std::io;

use futures_util::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// An answer.
pub(crate) type Answer = Response<Body>;

/// Makes the next piece of a body; `None` at its end. It may block.
pub(crate) type Pieces = Box<dyn FnMut() -> io::Result<Option<Vec<u8>>> + Send>;

/// Makes an answer with a short text.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> Answer {
    let mut body: String = text.into();
    if !body.is_empty() {
        body.push('\n');
    }
    let mut answer = with_body(status, whole(body));
    set(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
    answer
}

/// Makes an answer with nothing in it.
pub(crate) fn empty(status: StatusCode) -> Answer {
    with_body(status, whole(String::new()))
}

/// Makes an answer whose body comes piece by piece.
pub(crate) fn streamed(status: StatusCode, pieces: Pieces) -> Answer {
    let stream = unfold(Some(pieces), |pieces| async move {
        let mut pieces = pieces?;
        let made = tokio::task::spawn_blocking(move || {
            let piece = pieces();
            (pieces, piece)
        });
        match made.await {
            Ok((pieces, Ok(Some(bytes)))) => {
                Some((Ok(Frame::data(Bytes::from(bytes))), Some(pieces)))
            }
            Ok((_, Ok(None))) => None,
            // The client sees that the connection ends before the answer does.
            Ok((_, Err(error))) => Some((Err(error), None)),
            Err(error) => Some((Err(io::Error::other(error)), None)),
        }
    });
    with_body(status, StreamBody::new(stream).boxed_unsync())
}

/// Makes a body that is here.
pub(crate) fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn with_body(status: StatusCode, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in [
        // Whatever a browser is given, nothing in it runs, and nothing of it tells the path.
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-downloads",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "private, no-store"),
    ] {
        set(&mut answer, name, value);
    }
    answer
}

/// Sets a header; a value that no header may have is left out.
pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
