//! The store.

use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use object_store::{ObjectInfo, ObjectStore, StoreError, StoreErrorKind, check_object_name};
use opendal::options::{ListOptions, WriteOptions};
use opendal::{Buffer, BytesRange, Entry, ErrorKind, HttpTransporter, Lister, Operator};
use tokio::runtime::Runtime;

use crate::failure::{Failures, kind_of};
use crate::transport::{BoundedTransport, LastDate, Patience};

/// Objects of one listing, at most: a server that tells of more does not tell the truth.
const MOST_OBJECTS: usize = 1 << 26;
/// Longer than any page of a listing takes; pages without names could go on for ever.
const LISTING_STEP: Duration = Duration::from_secs(900);
/// Asked after to learn the time. No object has this name.
const CLOCK: &str = "lifeboat-clock";

/// A store in a container or a bucket, or below a prefix of one.
pub struct CloudStore {
    operator: Operator,
    location: String,
    failures: Failures,
    date: LastDate,
    /// Taken out when the store is dropped: it must not be waited for.
    runtime: Option<Runtime>,
}

impl CloudStore {
    /// Opens the store of an operator, and asks whether it is there.
    pub(crate) fn open(
        operator: Operator,
        location: String,
        patience: Patience,
        failures: Failures,
    ) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("cloud")
            .enable_all()
            .build()
            .map_err(|error| StoreError::io(&location, "cannot start threads", error))?;
        let (transport, date) = BoundedTransport::new(&location, patience)?;
        let context = operator
            .base_context()
            .with_http_transport(HttpTransporter::new(transport));
        let store = Self {
            operator: operator.with_context(context),
            location,
            failures,
            date,
            runtime: Some(runtime),
        };
        store.must_be_there()?;
        Ok(store)
    }

    fn must_be_there(&self) -> Result<(), StoreError> {
        let options = ListOptions {
            limit: Some(1),
            recursive: true,
            ..ListOptions::default()
        };
        let first = async {
            self.operator
                .lister_options("", options)
                .await?
                .try_next()
                .await
        };
        match self.call(first)? {
            Ok(_) => Ok(()),
            Err(error) => {
                let what = "cannot look into this store";
                Err(self.failures.failed(&self.location, what, &error))
            }
        }
    }

    /// Waits for a call.
    fn call<T>(&self, call: impl Future<Output = T>) -> Result<T, StoreError> {
        match &self.runtime {
            Some(runtime) => Ok(runtime.block_on(call)),
            // Only `drop` takes it out.
            None => {
                let text = "this store is closed";
                Err(StoreError::new(StoreErrorKind::Io, &self.location, text))
            }
        }
    }

    /// Returns the bytes of a range, at most `limit_bytes` of them and one more.
    fn read(
        &self,
        name: &str,
        range: BytesRange,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, StoreError> {
        check_object_name(name)?;
        let read = async {
            let mut parts = self.operator.reader(name).await?.into_stream(range).await?;
            let mut bytes = Vec::new();
            while let Some(part) = parts.try_next().await? {
                let wanted = limit_bytes.saturating_add(1).saturating_sub(bytes.len());
                bytes.extend(part.slice(..part.len().min(wanted)).to_vec());
                if bytes.len() > limit_bytes {
                    break;
                }
            }
            Ok(bytes)
        };
        self.call(read)?.map_err(|error| {
            self.failures
                .failed(name, "cannot read this object", &error)
        })
    }

    async fn list_below(
        &self,
        prefix: &str,
        visit: &mut dyn FnMut(ObjectInfo),
    ) -> Result<(), StoreError> {
        let what = "cannot list this store";
        let failed = |error| self.failures.failed(prefix, what, &error);
        let options = ListOptions {
            recursive: true,
            ..ListOptions::default()
        };
        let lister = self.operator.lister_options(prefix, options).await;
        let mut lister = lister.map_err(failed)?;
        for _ in 0..MOST_OBJECTS {
            let Some(entry) = self
                .next_entry(prefix, &mut lister)
                .await?
                .map_err(failed)?
            else {
                return Ok(());
            };
            if let Some(object) = object(entry, prefix)? {
                visit(object);
            }
        }
        let text = "the server's listing does not end";
        Err(StoreError::new(StoreErrorKind::Io, prefix, text))
    }

    async fn next_entry(
        &self,
        prefix: &str,
        lister: &mut Lister,
    ) -> Result<opendal::Result<Option<Entry>>, StoreError> {
        tokio::time::timeout(LISTING_STEP, lister.try_next())
            .await
            .map_err(|_| {
                let text = "the server's listing does not go on";
                StoreError::new(StoreErrorKind::Unavailable, prefix, text)
            })
    }
}

/// Returns an entry of a listing as an object; what another program put there is none of ours.
fn object(entry: Entry, prefix: &str) -> Result<Option<ObjectInfo>, StoreError> {
    let (name, metadata) = entry.into_parts();
    let is_ours = name.starts_with(prefix) && check_object_name(&name).is_ok();
    if !metadata.is_file() || !is_ours {
        return Ok(None);
    }
    match metadata.last_modified() {
        Some(modified) => Ok(Some(ObjectInfo {
            size_bytes: metadata.content_length(),
            modified: modified.into(),
            name,
        })),
        None => {
            let text = "the server's listing has no times";
            Err(StoreError::new(StoreErrorKind::Unsupported, &name, text))
        }
    }
}

impl Drop for CloudStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudStore")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl ObjectStore for CloudStore {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_object_name(name)?;
        let options = WriteOptions {
            if_not_exists: true,
            ..WriteOptions::default()
        };
        let body = Buffer::from(bytes.to_vec());
        let Err(error) = self.call(self.operator.write_options(name, body, options))? else {
            return Ok(());
        };
        let is_there = match (kind_of(&error), error.kind()) {
            (StoreErrorKind::Exists, _) => true,
            // What a policy keeps is refused as such, and two writers at once may be told no more
            // than that they are two.
            (StoreErrorKind::Locked, _) | (_, ErrorKind::Conflict) => self.size_bytes(name).is_ok(),
            _ => false,
        };
        if is_there {
            let text = "an object of this name is there already";
            return Err(StoreError::new(StoreErrorKind::Exists, name, text));
        }
        let what = "cannot write this object";
        Err(self.failures.failed(name, what, &error))
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        let bytes = self.read(name, BytesRange::from(..), limit)?;
        if bytes.len() > limit {
            let text = format!("this object has more than {limit_bytes} bytes");
            return Err(StoreError::new(StoreErrorKind::WrongSize, name, text));
        }
        Ok(bytes)
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let wrong = |text: String| Err(StoreError::new(StoreErrorKind::WrongSize, name, text));
        if buf.is_empty() {
            // HTTP has no empty ranges.
            return match self.size_bytes(name)? {
                size_bytes if size_bytes < offset => {
                    wrong(format!("this object has {size_bytes} bytes"))
                }
                _ => Ok(()),
            };
        }
        let Some(end) = offset.checked_add(len) else {
            return wrong("no object is that long".to_owned());
        };
        let bytes = match self.read(name, BytesRange::from(offset..end), buf.len()) {
            Ok(bytes) => bytes,
            // OpenDAL tells a short object by text alone.
            Err(error) if error.kind() == StoreErrorKind::Io => {
                return match self.size_bytes(name) {
                    Ok(size_bytes) if size_bytes < end => {
                        wrong(format!("this object has {size_bytes} bytes"))
                    }
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        if bytes.len() != buf.len() {
            let text = "the server gave another part than was asked for";
            return Err(StoreError::new(StoreErrorKind::Io, name, text));
        }
        buf.copy_from_slice(&bytes);
        Ok(())
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        check_object_name(name)?;
        match self.call(self.operator.stat(name))? {
            Ok(metadata) => Ok(metadata.content_length()),
            Err(error) => Err(self
                .failures
                .failed(name, "cannot look at this object", &error)),
        }
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        if let Some(folder) = prefix.strip_suffix('/') {
            check_object_name(folder)?;
        }
        self.call(self.list_below(prefix, visit))?
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        check_object_name(name)?;
        match self.call(self.operator.delete(name))? {
            Ok(()) => Ok(()),
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => Ok(()),
            Err(error) => Err(self
                .failures
                .failed(name, "cannot remove this object", &error)),
        }
    }

    /// Every answer has a date, also that there is no such object. Whole seconds.
    fn now(&self) -> Result<SystemTime, StoreError> {
        match self.size_bytes(CLOCK) {
            Ok(_) => {}
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let date = *self
            .date
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        date.ok_or_else(|| {
            let text = "the server does not tell the time";
            StoreError::new(StoreErrorKind::Unsupported, &self.location, text)
        })
    }
}
