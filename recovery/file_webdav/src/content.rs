//! What GET and HEAD give of a file (RFC 9110, 14).

use std::io;
use std::sync::Arc;

use file_view::{ViewError, ViewFacts, ViewFile, ViewNode};
use guest_files::NodeKind;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, StatusCode};

use crate::answer::{Answer, empty, set, streamed};
use crate::properties::{FILE_TYPE, TEXT_TYPE, http_date};
use crate::service::Service;

/// Bytes that are read and sent at once.
const PIECE_BYTES: usize = 256 << 10;

/// Which bytes of a file are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// From the first byte to the one behind the last.
    Range(u64, u64),
    /// A range that the file does not have.
    Beyond,
}

/// Gives a file, or a part of it.
pub(crate) fn content(
    service: &Arc<Service>,
    node: ViewNode,
    facts: &ViewFacts,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Answer, ViewError> {
    let etag = service.etag(node);
    if header(headers, &IF_NONE_MATCH).is_some_and(|known| names(known, &etag)) {
        let mut answer = empty(StatusCode::NOT_MODIFIED);
        set(&mut answer, ETAG, &etag);
        return Ok(answer);
    }
    let content = Content::open(service, node, facts)?;
    let size_bytes = content.size_bytes();
    // Of another state of the file the client wants all; there is none.
    let goes_on = header(headers, &IF_RANGE).is_none_or(|known| known == etag);
    let asked = header(headers, &RANGE).filter(|_| goes_on && method == Method::GET);
    let part = asked.map_or(Part::All, |asked| part(asked, size_bytes));
    let (status, begin, end) = match part {
        Part::All => (StatusCode::OK, 0, size_bytes),
        Part::Range(begin, end) => (StatusCode::PARTIAL_CONTENT, begin, end),
        Part::Beyond => {
            let mut answer = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer, CONTENT_RANGE, &format!("bytes */{size_bytes}"));
            return Ok(answer);
        }
    };
    let mut answer = if method == Method::HEAD {
        empty(status)
    } else {
        streamed(status, Box::new(pieces(service, content, begin, end)))
    };
    set(&mut answer, CONTENT_LENGTH, &(end - begin).to_string());
    if let Part::Range(begin, end) = part {
        let range = format!("bytes {begin}-{}/{size_bytes}", end.saturating_sub(1));
        set(&mut answer, CONTENT_RANGE, &range);
    }
    let content_type = if node.is_of_a_guest() {
        FILE_TYPE
    } else {
        TEXT_TYPE
    };
    set(&mut answer, CONTENT_TYPE, content_type);
    set(&mut answer, ACCEPT_RANGES, "bytes");
    set(&mut answer, ETAG, &etag);
    if let Some(date) = facts.times.modified.and_then(http_date) {
        set(&mut answer, LAST_MODIFIED, &date);
    }
    Ok(answer)
}

enum Content {
    File(ViewFile),
    /// Where a link leads.
    Target(Vec<u8>),
}

impl Content {
    fn open(service: &Service, node: ViewNode, facts: &ViewFacts) -> Result<Self, ViewError> {
        match facts.kind {
            NodeKind::Link => Ok(Self::Target(service.view.link(node)?)),
            _ => Ok(Self::File(service.view.open(node)?)),
        }
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.size_bytes(),
            Self::Target(target) => target.len() as u64,
        }
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, ViewError> {
        match self {
            Self::File(file) => file.read_at(offset, len),
            Self::Target(target) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = target.get(begin..).unwrap_or_default();
                Ok(rest.get(..len).unwrap_or(rest).to_vec())
            }
        }
    }
}

fn pieces(
    service: &Arc<Service>,
    content: Content,
    begin: u64,
    end: u64,
) -> impl FnMut() -> io::Result<Option<Vec<u8>>> + Send + use<> {
    let service = Arc::clone(service);
    let mut at = begin;
    move || {
        let rest = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        if rest == 0 {
            return Ok(None);
        }
        match content.read_at(at, rest.min(PIECE_BYTES)) {
            Ok(bytes) if bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                at += bytes.len() as u64;
                Ok(Some(bytes))
            }
            Err(error) => {
                service.failed(&error);
                Err(io::Error::other(error))
            }
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns whether a list of tags has this one.
fn names(list: &str, etag: &str) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Reads a range. What is not understood, or names several, asks for everything, which is always
/// right.
fn part(asked: &str, size_bytes: u64) -> Part {
    let Some((first, last)) = asked
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Part::All;
    };
    let number = |text: &str| match text.bytes().all(|digit| digit.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    match (first, last) {
        ("", last) => match number(last) {
            Some(0) => Part::Beyond,
            Some(_) if size_bytes == 0 => Part::Beyond,
            Some(len) => Part::Range(size_bytes.saturating_sub(len), size_bytes),
            None => Part::All,
        },
        (first, "") => match number(first) {
            Some(first) if first < size_bytes => Part::Range(first, size_bytes),
            Some(_) => Part::Beyond,
            None => Part::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first > last => Part::All,
            (Some(first), Some(_)) if first >= size_bytes => Part::Beyond,
            (Some(first), Some(last)) => Part::Range(first, last.saturating_add(1).min(size_bytes)),
            _ => Part::All,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_file() {
        for (asked, expected) in [
            ("bytes=0-0", Part::Range(0, 1)),
            ("bytes=90-", Part::Range(90, 100)),
            ("bytes=90-200", Part::Range(90, 100)),
            ("bytes=-10", Part::Range(90, 100)),
            ("bytes=-200", Part::Range(0, 100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-4", Part::All),
            ("bytes=0-1,5-6", Part::All),
            ("bytes=+1-2", Part::All),
            ("bytes=0-99999999999999999999", Part::All),
            ("lines=1-2", Part::All),
        ] {
            assert_eq!(part(asked, 100), expected, "{asked}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Beyond);
        assert_eq!(part("bytes=-1", 0), Part::Beyond);
    }
}
