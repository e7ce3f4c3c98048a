//! The store.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use object_store::{
    ObjectInfo, ObjectRetention, ObjectStore, StoreError, StoreErrorKind, check_object_name,
};
use rusty_s3::Method;

use crate::answer::Answer;
use crate::clock::parse_date;
use crate::failure::refused;
use crate::http_client::HttpClient;
use crate::listing::{EntryKind, Listing, each_entry};
use crate::opening::{has_versions, location, must_have_locks};
use crate::part_upload::PartUpload;
use crate::request::S3Request;
use crate::versions::{OldestFinder, OldestVersion, VersionCache, ids_to_remove, look_up};
use crate::{LockPeriod, S3Limits, S3Options};

/// A store in a bucket, or below a prefix of one.
pub struct S3Store {
    pub(crate) client: HttpClient,
    pub(crate) lock: Option<LockPeriod>,
    limits: S3Limits,
    location: String,
    prefix: String,
    /// Whether the bucket keeps versions, or kept them once.
    versioned: bool,
    versions: VersionCache,
    /// Whether the server does not know `If-None-Match`, so that the store looks before it writes.
    looks_first: AtomicBool,
}

impl S3Store {
    /// Opens a bucket, which must be there.
    ///
    /// Fails with `NotFound` where it is not, `Denied` where the keys are wrong, and `Unsupported`
    /// where locks are asked for in a bucket that has none.
    pub fn open(options: &S3Options) -> Result<Self, StoreError> {
        let client = HttpClient::new(options)?;
        let location = location(options);
        let versioned = has_versions(&client, &location, options)?;
        if options.lock.is_some() {
            must_have_locks(&client, &location)?;
        }
        Ok(Self {
            client,
            lock: options.lock,
            limits: options.limits,
            prefix: options.prefix.clone(),
            location,
            versioned,
            versions: VersionCache::default(),
            looks_first: AtomicBool::new(false),
        })
    }

    /// Returns whether the bucket keeps versions: an object is then its oldest one.
    pub fn is_versioned(&self) -> bool {
        self.versioned
    }

    /// Returns the name of an object in the bucket.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns the id of the version that is the object; nothing in a bucket without versions.
    pub(crate) fn version_of(&self, name: &str) -> Result<Option<String>, StoreError> {
        match self.versioned {
            true => Ok(Some(self.oldest(name)?.id)),
            false => Ok(None),
        }
    }

    fn oldest(&self, name: &str) -> Result<OldestVersion, StoreError> {
        let key = self.key(name);
        if let Some(version) = self.versions.get(&key) {
            return Ok(version);
        }
        let found = look_up(&self.client, name, &key)?.ok_or_else(|| {
            StoreError::new(StoreErrorKind::NotFound, name, "this object is not there")
        })?;
        self.versions.remember(&key, &found);
        Ok(found)
    }

    /// Asks for an object, with its version. A version that another host removed meanwhile is
    /// looked up again, once.
    fn read(
        &self,
        name: &str,
        range: Option<(u64, u64)>,
        limit_bytes: u64,
    ) -> Result<Answer, StoreError> {
        check_object_name(name)?;
        let key = self.key(name);
        let remembered = self.versioned && self.versions.get(&key).is_some();
        let version = self.version_of(name)?;
        let mut request =
            S3Request::new(Method::Get, Some(key.clone())).version(version.as_deref());
        request.limit_bytes = limit_bytes;
        if let Some((offset, len)) = range {
            let last = offset.saturating_add(len).saturating_sub(1);
            request = request.header("range", format!("bytes={offset}-{last}"));
        }
        let what = "cannot read this object";
        let answer = self.client.send(name, what, &request)?;
        if answer.is_success() {
            return Ok(answer);
        }
        let error = refused(name, what, &answer);
        if remembered && error.kind() == StoreErrorKind::NotFound {
            self.versions.forget(&key);
            return self.read(name, range, limit_bytes);
        }
        Err(error)
    }

    fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        self.versions.forget(&self.key(name));
        match self.size_bytes(name) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes an object, on the condition that there is none where `condition` says so.
    fn put(&self, name: &str, bytes: &[u8], condition: bool) -> Result<(), StoreError> {
        let condition = condition.then(|| ("if-none-match", "*".to_owned()));
        let lock_headers = self.lock_headers(name)?;
        if bytes.len() > self.limits.part_bytes {
            let upload = PartUpload {
                client: &self.client,
                limits: self.limits,
                object: name,
                key: self.key(name),
                lock_headers,
                condition,
            };
            return upload.run(bytes);
        }
        let what = "cannot write this object";
        let mut request = S3Request::new(Method::Put, Some(self.key(name))).body(bytes);
        request.headers.extend(condition);
        request.headers.extend(lock_headers);
        let answer = self.client.send(name, what, &request)?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(refused(name, what, &answer)),
        }
    }

    fn delete(&self, name: &str, version: Option<&str>) -> Result<(), StoreError> {
        let what = "cannot remove this object";
        let request = S3Request::new(Method::Delete, Some(self.key(name))).version(version);
        let answer = self.client.send(name, what, &request)?;
        if answer.is_success() {
            return Ok(());
        }
        let error = refused(name, what, &answer);
        match error.kind() {
            StoreErrorKind::NotFound => Ok(()),
            // Servers say of a lock what they say of a missing right.
            StoreErrorKind::Denied | StoreErrorKind::Io if self.is_locked(name, version) => {
                let message = format!("{error}: a lock keeps it");
                Err(StoreError::new(StoreErrorKind::Locked, name, message))
            }
            _ => Err(error),
        }
    }

    fn is_locked(&self, name: &str, version: Option<&str>) -> bool {
        let now = SystemTime::from(self.client.clock().now());
        version.is_some()
            && self
                .lock_state(name, version)
                .is_ok_and(|state| state.legal_hold || state.until.is_some_and(|until| until > now))
    }
}

impl ObjectStore for S3Store {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_object_name(name)?;
        if !self.looks_first.load(Ordering::Relaxed) {
            match self.put(name, bytes, true) {
                Err(error) if error.kind() == StoreErrorKind::Unsupported => {}
                Err(error) if error.kind() == StoreErrorKind::Exists => {
                    let message = "an object of this name is there already";
                    return Err(StoreError::new(StoreErrorKind::Exists, name, message));
                }
                result => return result,
            }
        }
        if self.is_there(name)? {
            let message = "an object of this name is there already";
            return Err(StoreError::new(StoreErrorKind::Exists, name, message));
        }
        self.put(name, bytes, false)?;
        // Only now is it clear what the server did not know.
        self.looks_first.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        Ok(self.read(name, None, limit_bytes)?.body)
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let short = |why: String| StoreError::new(StoreErrorKind::WrongSize, name, why);
        if buf.is_empty() {
            // S3 has no empty ranges.
            return match self.size_bytes(name)? {
                size_bytes if size_bytes < offset => {
                    Err(short(format!("this object has {size_bytes} bytes")))
                }
                _ => Ok(()),
            };
        }
        let answer = self.read(name, Some((offset, len)), len)?;
        if answer.status != 206 {
            let message = "the server gives no part of an object";
            return Err(StoreError::new(StoreErrorKind::Unsupported, name, message));
        }
        if answer.body.len() != buf.len() {
            let found = answer.body.len();
            return Err(short(format!(
                "this object has {found} of the {len} bytes at {offset} that were expected"
            )));
        }
        if !starts_at(&answer, offset) {
            let message = "the server gave another part of the object";
            return Err(StoreError::new(StoreErrorKind::Io, name, message));
        }
        buf.copy_from_slice(&answer.body);
        Ok(())
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        check_object_name(name)?;
        if self.versioned {
            // What is remembered may be gone: this asks.
            self.versions.forget(&self.key(name));
            return Ok(self.oldest(name)?.size_bytes);
        }
        let what = "cannot look at this object";
        let request = S3Request::new(Method::Head, Some(self.key(name)));
        let answer = self.client.send(name, what, &request)?;
        if !answer.is_success() {
            return Err(refused(name, what, &answer));
        }
        answer.content_length().ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Io,
                name,
                "the server does not tell the length",
            )
        })
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        if let Some(folder) = prefix.strip_suffix('/') {
            check_object_name(folder)?;
        }
        let full = self.key(prefix);
        let own = self.prefix.len();
        let mut show = |key: &str, size_bytes: u64, modified: SystemTime| {
            let Some(name) = key.get(own..) else { return };
            // What another program put there is none of ours.
            if check_object_name(name).is_ok() {
                visit(ObjectInfo {
                    name: name.to_owned(),
                    size_bytes,
                    modified,
                });
            }
        };
        if !self.versioned {
            return each_entry(
                &self.client,
                prefix,
                Listing::Objects,
                &full,
                &mut |entry| {
                    if let EntryKind::Object { size_bytes } = entry.kind {
                        show(&entry.key, size_bytes, entry.modified);
                    }
                    ControlFlow::Continue(())
                },
            );
        }
        let mut show = |(key, version): (String, OldestVersion)| {
            self.versions.remember(&key, &version);
            show(&key, version.size_bytes, version.modified);
        };
        let mut finder = OldestFinder::default();
        each_entry(
            &self.client,
            prefix,
            Listing::Versions,
            &full,
            &mut |entry| {
                if let Some(object) = finder.next(entry) {
                    show(object);
                }
                ControlFlow::Continue(())
            },
        )?;
        if let Some(object) = finder.end() {
            show(object);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        check_object_name(name)?;
        if !self.versioned {
            return self.delete(name, None);
        }
        let key = self.key(name);
        for id in ids_to_remove(&self.client, name, &key)? {
            self.delete(name, Some(&id))?;
        }
        self.versions.forget(&key);
        Ok(())
    }

    /// Every answer has a date, also a refusal.
    fn now(&self) -> Result<SystemTime, StoreError> {
        let what = "cannot ask for the time";
        let request = S3Request::new(Method::Head, None);
        let answer = self.client.send(&self.location, what, &request)?;
        let date = answer.header("date").and_then(parse_date);
        date.map(SystemTime::from).ok_or_else(|| {
            let message = format!("{what}: the server does not tell it");
            StoreError::new(StoreErrorKind::Unsupported, &self.location, message)
        })
    }

    fn retention(&self) -> Option<&dyn ObjectRetention> {
        self.lock.map(|_| self as &dyn ObjectRetention)
    }
}

/// Tells whether the part that came begins where it was asked to.
fn starts_at(answer: &Answer, offset: u64) -> bool {
    let range = answer.header("content-range").unwrap_or_default();
    let first = range
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split('-').next())
        .and_then(|first| first.parse::<u64>().ok());
    first == Some(offset)
}
