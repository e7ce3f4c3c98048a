//! What is asked of a bucket before it is used.

use std::ops::ControlFlow;

use object_store::{StoreError, StoreErrorKind};
use rusty_s3::Method;

use crate::failure::refused;
use crate::http_client::HttpClient;
use crate::listing::{Listing, each_entry};
use crate::request::S3Request;
use crate::{S3Options, xml};

/// Returns what people call a bucket.
pub(crate) fn location(options: &S3Options) -> String {
    let path = options.prefix.trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    let place = format!("s3://{}{slash}{path}", options.bucket);
    match options.endpoint.host_str() {
        Some(host) if !host.ends_with(".amazonaws.com") => {
            let port = options.endpoint.port().map(|port| format!(":{port}"));
            format!("{place} at {host}{}", port.unwrap_or_default())
        }
        _ => place,
    }
}

/// Asks whether a bucket has versions, and with that whether it is there at all.
pub(crate) fn has_versions(
    client: &HttpClient,
    location: &str,
    options: &S3Options,
) -> Result<bool, StoreError> {
    let what = "cannot open the bucket";
    let request = S3Request::new(Method::Get, None).query("versioning", "");
    let answer = client.send(location, what, &request)?;
    if answer.is_success() {
        let root = xml::parse(&answer.body).unwrap_or_default();
        // A bucket that keeps no more versions still has those that it kept.
        return Ok(matches!(
            root.text_of("Status"),
            Some("Enabled" | "Suspended")
        ));
    }
    let error = refused(location, what, &answer);
    match error.kind() {
        // A server without versions.
        StoreErrorKind::Unsupported => Ok(false),
        // An account that may not ask for settings may still list versions: only then can it read
        // them by their ids.
        StoreErrorKind::Denied => {
            let first = &mut |_| ControlFlow::Break(());
            match each_entry(client, location, Listing::Versions, &options.prefix, first) {
                Ok(()) => Ok(true),
                Err(listed) if options.lock.is_some() => Err(listed),
                Err(_) => {
                    match each_entry(client, location, Listing::Objects, &options.prefix, first) {
                        Ok(()) => Ok(false),
                        Err(_) => Err(error),
                    }
                }
            }
        }
        _ => Err(error),
    }
}

/// Fails unless the bucket has object lock, as far as this account may see that.
pub(crate) fn must_have_locks(client: &HttpClient, location: &str) -> Result<(), StoreError> {
    let what = "cannot see whether the bucket has object lock";
    let request = S3Request::new(Method::Get, None).query("object-lock", "");
    let answer = client.send(location, what, &request)?;
    let root = xml::parse(&answer.body).unwrap_or_default();
    if answer.is_success() && root.text_of("ObjectLockEnabled").map(str::trim) == Some("Enabled") {
        return Ok(());
    }
    let error = refused(location, what, &answer);
    match error.kind() {
        // The first write will tell.
        StoreErrorKind::Denied => Ok(()),
        StoreErrorKind::Unavailable => Err(error),
        _ => Err(StoreError::new(
            StoreErrorKind::Unsupported,
            location,
            "this bucket has no object lock: most servers turn it on only when a bucket is made",
        )),
    }
}
