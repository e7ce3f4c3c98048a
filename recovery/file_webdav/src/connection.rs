//! One connection: who may ask, and what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use file_view::ViewError;
use guest_files::NodeKind;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HOST, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::answer::{Answer, empty, plain, set, streamed, whole};
use crate::content::content;
use crate::file_page::page;
use crate::multistatus::Multistatus;
use crate::patient_stream::PatientStream;
use crate::question::Asked;
use crate::service::Service;

/// How long a client may be silent within a request, or before the next, and how long it may take
/// nothing of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Most bytes of a request's headers.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a question.
const QUESTION_BYTES_MAX: usize = 64 << 10;
/// All that may be asked.
const METHODS: &str = "OPTIONS, GET, HEAD, PROPFIND";

/// Serves a connection to its end.
pub(crate) async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // A small answer need not wait for the client's receipt of the one before.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(respond(request, service).await) }
    });
    // An error is a client that left or does not speak HTTP; it has been told so.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(
            TokioIo::new(PatientStream::new(stream, SILENCE_MAX)),
            answer,
        )
        .await;
}

async fn respond(request: Request<Incoming>, service: Arc<Service>) -> Answer {
    let is_known = service.knows(request.uri().path());
    let mut answer = answer_to(request, service).await;
    if !is_known {
        // The place is for those who know the word.
        set(&mut answer, CONNECTION, "close");
    }
    answer
}

async fn answer_to(request: Request<Incoming>, service: Arc<Service>) -> Answer {
    let host = request.headers().get(HOST);
    if !host.is_some_and(|host| host.to_str().is_ok_and(is_this_machine)) {
        let what = "ask for 127.0.0.1 or localhost: other names are not served";
        return plain(StatusCode::MISDIRECTED_REQUEST, what);
    }
    let method = request.method().clone();
    let is_question = method.as_str() == "PROPFIND";
    if method == Method::OPTIONS {
        return options();
    }
    if !is_question && method != Method::GET && method != Method::HEAD {
        let mut answer = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "restore points cannot be changed",
        );
        set(&mut answer, ALLOW, METHODS);
        return answer;
    }
    let Some(names) = service.names(request.uri().path()) else {
        return plain(StatusCode::NOT_FOUND, "there is no such file or folder");
    };
    if is_question {
        return question(request, service, names).await;
    }
    let headers = request.headers().clone();
    let answered = tokio::task::spawn_blocking(move || {
        let answer = get(&service, &names, &method, &headers);
        answer.unwrap_or_else(|error| failure(&service, &error))
    });
    answered
        .await
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Returns whether a `Host` is a name of this machine that no other machine can have.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

fn options() -> Answer {
    let mut answer = empty(StatusCode::OK);
    set(&mut answer, ALLOW, METHODS);
    set(&mut answer, HeaderName::from_static("dav"), "1");
    // Windows asks for it before it believes in WebDAV.
    set(&mut answer, HeaderName::from_static("ms-author-via"), "DAV");
    answer
}

async fn question(
    request: Request<Incoming>,
    service: Arc<Service>,
    names: Vec<Vec<u8>>,
) -> Answer {
    let depth = request.headers().get("depth");
    let with_entries = match depth.map(hyper::header::HeaderValue::as_bytes) {
        Some(b"0") => false,
        Some(b"1") => true,
        // No depth is an infinite one.
        _ => {
            let mut answer = empty(StatusCode::FORBIDDEN);
            *answer.body_mut() = whole(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
                 <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n",
            );
            set(&mut answer, CONTENT_TYPE, "application/xml; charset=utf-8");
            return answer;
        }
    };
    let body = Limited::new(request.into_body(), QUESTION_BYTES_MAX).collect();
    let body = match tokio::time::timeout(SILENCE_MAX, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the question is too long"),
        Err(_) => return empty(StatusCode::REQUEST_TIMEOUT),
    };
    let Some(asked) = Asked::parse(&body) else {
        return plain(StatusCode::BAD_REQUEST, "that is no PROPFIND");
    };
    let answered = tokio::task::spawn_blocking(move || {
        match Multistatus::of(&service, asked, &names, with_entries) {
            Ok(multistatus) => {
                let mut answer = streamed(StatusCode::MULTI_STATUS, multistatus.pieces());
                set(&mut answer, CONTENT_TYPE, "application/xml; charset=utf-8");
                answer
            }
            Err(error) => failure(&service, &error),
        }
    });
    answered
        .await
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

fn get(
    service: &Arc<Service>,
    names: &[Vec<u8>],
    method: &Method,
    headers: &hyper::HeaderMap,
) -> Result<Answer, ViewError> {
    let node = service.find(names)?;
    let facts = service.view.facts(node)?;
    if facts.kind != NodeKind::Folder {
        return content(service, node, &facts, method, headers);
    }
    let mut answer = if method == Method::HEAD {
        empty(StatusCode::OK)
    } else {
        let entries = service.view.list(node)?;
        streamed(StatusCode::OK, page(service, names, entries))
    };
    set(&mut answer, CONTENT_TYPE, "text/html; charset=utf-8");
    Ok(answer)
}

fn failure(service: &Service, error: &ViewError) -> Answer {
    plain(service.failed(error), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_anybody_can_have_are_not_this_machine() {
        for own in [
            "127.0.0.1",
            "127.0.0.1:8437",
            "localhost:1",
            "LOCALHOST",
            "[::1]:8437",
        ] {
            assert!(is_this_machine(own), "{own}");
        }
        for other in [
            "",
            "example.org",
            "127.0.0.1.example.org:80",
            "localhost.",
            "::1",
            "0",
        ] {
            assert!(!is_this_machine(other), "{other}");
        }
    }
}
