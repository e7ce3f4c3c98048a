//! One connection: requests in, answers out, within bounds of size and time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SERVER,
    WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::access::{Access, Answer, Question};
use super::service::Service;

/// Bytes that framing and sealing may add to a message.
const FRAMING_BYTES: usize = 4 << 10;

/// Serves a connection to its end.
pub(super) async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // A small answer need not wait for the client's receipt of the one before.
    let _ = stream.set_nodelay(true);
    let access = Arc::new(Mutex::new(Access::default()));
    let silence_max = service.options().silence_max;
    let answer = service_fn(move |request| {
        let (service, access) = (Arc::clone(&service), Arc::clone(&access));
        async move { Ok::<_, Infallible>(respond(request, service, access).await) }
    });
    // An error is a client that left or does not speak HTTP; it has been told so.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(silence_max)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// Answers a request.
async fn respond(
    request: Request<Incoming>,
    service: Arc<Service>,
    access: Arc<Mutex<Access>>,
) -> Response<Full<Bytes>> {
    if request.uri().path().trim_end_matches('/') != "/wsman" {
        return response(Answer::last(StatusCode::NOT_FOUND));
    }
    if request.method() != Method::POST {
        return response(Answer::last(StatusCode::METHOD_NOT_ALLOWED));
    }
    let (parts, body) = request.into_parts();
    let bytes_max = service.options().envelope_bytes_max + FRAMING_BYTES;
    let body = Limited::new(body, bytes_max).collect();
    let body = match tokio::time::timeout(service.options().silence_max, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return response(Answer::last(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Err(_)) => return response(Answer::last(StatusCode::BAD_REQUEST)),
        Err(_) => return response(Answer::last(StatusCode::REQUEST_TIMEOUT)),
    };
    let question = Question {
        authorization: text(&parts.headers, &AUTHORIZATION),
        content_type: text(&parts.headers, &CONTENT_TYPE),
        is_identification: text(&parts.headers, &HeaderName::from_static("wsmanidentify"))
            .eq_ignore_ascii_case("unauthenticated"),
        body: body.into(),
    };
    let answer = tokio::task::spawn_blocking(move || service.answer(&question, &access)).await;
    response(answer.unwrap_or_else(|_| Answer::last(StatusCode::INTERNAL_SERVER_ERROR)))
}

/// Returns a header's text; empty where there is none.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("Microsoft-HTTPAPI/2.0"));
    if let Some(content_type) = answer.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for challenge in &answer.challenges {
        if let Ok(value) = HeaderValue::from_str(challenge) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    if answer.is_last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
