//! Pages of names, plain or with versions.

use std::ops::ControlFlow;
use std::time::SystemTime;

use object_store::{StoreError, StoreErrorKind};
use rusty_s3::Method;

use crate::clock::parse_iso;
use crate::failure::refused;
use crate::http_client::HttpClient;
use crate::request::S3Request;
use crate::xml::{self, Element};

/// Most pages of a listing: a hundred million names. A server that never ends does, here.
const PAGES_MAX: u32 = 100_000;
/// Longest continuation token or version id.
const TOKEN_BYTES_MAX: usize = 8192;

/// What a page holds, in the server's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) modified: SystemTime,
    pub(crate) kind: EntryKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// An object in a listing without versions.
    Object { size_bytes: u64 },
    /// A version of an object.
    Version { id: String, size_bytes: u64 },
    /// What a removal without an id leaves.
    DeleteMarker { id: String },
}

/// Which listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    Objects,
    Versions,
}

/// Calls `visit` for all entries whose key begins with `prefix`, until it breaks.
pub(crate) fn each_entry(
    client: &HttpClient,
    object: &str,
    listing: Listing,
    prefix: &str,
    visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let what = "cannot list the bucket";
    let mut next = Vec::new();
    for _ in 0..PAGES_MAX {
        let mut request = request(listing, prefix, &next);
        request = request.query("max-keys", client.limits().page_names.to_string());
        let answer = client.send(object, what, &request)?;
        if !answer.is_success() {
            return Err(refused(object, what, &answer));
        }
        let broken = |why: String| {
            StoreError::new(
                StoreErrorKind::Io,
                object,
                format!("{what}: the listing is broken: {why}"),
            )
        };
        let page = read_page(listing, &answer.body).map_err(broken)?;
        for entry in page.entries {
            if !entry.key.starts_with(prefix) {
                return Err(broken("it shows a name that was not asked for".to_owned()));
            }
            if visit(entry).is_break() {
                return Ok(());
            }
        }
        if page.next.is_empty() {
            return Ok(());
        }
        if page.next == next {
            return Err(broken("it does not go on".to_owned()));
        }
        next = page.next;
    }
    let message = format!("{what}: the listing has no end");
    Err(StoreError::new(StoreErrorKind::Io, object, message))
}

fn request(listing: Listing, prefix: &str, next: &[(&'static str, String)]) -> S3Request<'static> {
    let mut request = S3Request::new(Method::Get, None).query("prefix", prefix);
    request = match listing {
        Listing::Objects => request.query("list-type", "2"),
        Listing::Versions => request.query("versions", ""),
    };
    request.query.extend(next.iter().cloned());
    request
}

#[derive(Debug, Default)]
struct Page {
    entries: Vec<Entry>,
    /// What asks for the next page; empty on the last.
    next: Vec<(&'static str, String)>,
}

fn read_page(listing: Listing, body: &[u8]) -> Result<Page, String> {
    let root = xml::parse(body)?;
    let (name, tokens): (_, &[(&str, &'static str)]) = match listing {
        Listing::Objects => (
            "ListBucketResult",
            &[("NextContinuationToken", "continuation-token")],
        ),
        Listing::Versions => (
            "ListVersionsResult",
            &[
                ("NextKeyMarker", "key-marker"),
                ("NextVersionIdMarker", "version-id-marker"),
            ],
        ),
    };
    if root.name != name {
        return Err("this is no listing".to_owned());
    }
    let mut page = Page::default();
    for child in &root.children {
        let kind = match (child.name.as_str(), listing) {
            ("Contents", Listing::Objects) => EntryKind::Object {
                size_bytes: size_of(child)?,
            },
            ("Version", Listing::Versions) => EntryKind::Version {
                id: text_of(child, "VersionId")?,
                size_bytes: size_of(child)?,
            },
            ("DeleteMarker", Listing::Versions) => EntryKind::DeleteMarker {
                id: text_of(child, "VersionId")?,
            },
            _ => continue,
        };
        let modified = parse_iso(&text_of(child, "LastModified")?).ok_or("a time is none")?;
        page.entries.push(Entry {
            key: text_of(child, "Key")?,
            modified,
            kind,
        });
    }
    if root.text_of("IsTruncated").map(str::trim) == Some("true") {
        for (element, parameter) in tokens {
            match root.text_of(element) {
                Some(token) if token.len() <= TOKEN_BYTES_MAX && !token.is_empty() => {
                    page.next.push((parameter, token.to_owned()));
                }
                // A marker of a version may be missing where the next key begins.
                _ if *element == "NextVersionIdMarker" => {}
                _ => return Err(format!("it goes on, and has no {element}")),
            }
        }
    }
    Ok(page)
}

fn text_of(entry: &Element, name: &str) -> Result<String, String> {
    match entry.text_of(name) {
        Some(text) if text.len() <= TOKEN_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("an entry has no {name}")),
    }
}

fn size_of(entry: &Element) -> Result<u64, String> {
    let size = text_of(entry, "Size")?;
    size.trim()
        .parse()
        .map_err(|_| "a size is no number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_versions_is_read_in_order() {
        let body = b"<ListVersionsResult><IsTruncated>true</IsTruncated>\
            <NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>\
            <DeleteMarker><Key>a</Key><VersionId>3</VersionId>\
            <LastModified>2026-11-21T11:24:09Z</LastModified></DeleteMarker>\
            <Version><Key>a</Key><VersionId>1</VersionId><Size>5</Size>\
            <LastModified>2026-11-21T11:24:08.000Z</LastModified></Version></ListVersionsResult>";
        let page = read_page(Listing::Versions, body).unwrap();
        assert_eq!(page.entries.len(), 2);
        assert_eq!(
            page.entries[0].kind,
            EntryKind::DeleteMarker { id: "3".to_owned() }
        );
        let version = EntryKind::Version {
            id: "1".to_owned(),
            size_bytes: 5,
        };
        assert_eq!(page.entries[1].kind, version);
        let names: Vec<&str> = page.next.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["key-marker", "version-id-marker"]);
        assert!(read_page(Listing::Objects, body).is_err());
    }

    #[test]
    fn broken_pages_are_errors() {
        let page = |inner: &str| {
            let body = format!("<ListBucketResult>{inner}</ListBucketResult>");
            read_page(Listing::Objects, body.as_bytes())
        };
        assert!(page("").unwrap().entries.is_empty());
        for bad in [
            "<IsTruncated>true</IsTruncated>",
            "<Contents><Key>a</Key></Contents>",
            "<Contents><Key>a</Key><Size>-1</Size><LastModified>2026-11-21T11:24:09Z</LastModified></Contents>",
            "<Contents><Key>a</Key><Size>1</Size><LastModified>once</LastModified></Contents>",
            "<Contents>",
        ] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }
}
