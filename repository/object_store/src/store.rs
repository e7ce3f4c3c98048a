//! The contract of a store.

use std::sync::Arc;
use std::time::SystemTime;

use crate::StoreError;

/// Objects under names, written once.
///
/// Names are as [`crate::check_object_name`] allows. All calls may come from several threads and
/// several machines at once.
pub trait ObjectStore: Send + Sync {
    /// Returns what people call the store: a path or a URL, without secrets.
    fn location(&self) -> String;

    /// Writes a new object and returns once it would survive a power cut.
    ///
    /// Fails with `Exists`, and leaves the object as it is, where there is one of that name.
    /// After any other failure the object is either not there or whole.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Reads a whole object of at most `limit_bytes`; a longer one is `WrongSize`.
    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError>;

    /// Fills `buf` from `offset` of an object; a shorter object is `WrongSize`.
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError>;

    /// Returns the length of an object in bytes.
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError>;

    /// Calls `visit` for each object whose name begins with `prefix`, in no order. `prefix` is
    /// empty or ends with `/`. An object that comes or goes meanwhile may be seen or not.
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError>;

    /// Removes an object; one that is not there is no error. `Locked` where the store keeps it
    /// until a later time, whoever asks.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// Returns the time by the clock that [`ObjectInfo::modified`] is told by: the store's own,
    /// which all hosts share, not this machine's.
    fn now(&self) -> Result<SystemTime, StoreError>;

    /// Returns how many bytes can still be written, where the store tells.
    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Returns what locks objects against removal, where the store can.
    fn retention(&self) -> Option<&dyn ObjectRetention> {
        None
    }
}

impl<S: ObjectStore + ?Sized> ObjectStore for Arc<S> {
    fn location(&self) -> String {
        (**self).location()
    }
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        (**self).put_new(name, bytes)
    }
    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        (**self).get(name, limit_bytes)
    }
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        (**self).get_range(name, offset, buf)
    }
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        (**self).size_bytes(name)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        (**self).list(prefix, visit)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        (**self).remove(name)
    }
    fn now(&self) -> Result<SystemTime, StoreError> {
        (**self).now()
    }
    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        (**self).free_bytes()
    }
    fn retention(&self) -> Option<&dyn ObjectRetention> {
        (**self).retention()
    }
}

/// Keeps objects from being removed before a time, by anybody.
pub trait ObjectRetention: Send + Sync {
    /// Returns until when an object that is written now will be locked.
    fn new_objects_until(&self) -> Result<SystemTime, StoreError>;

    /// Returns until when an object is locked; `None` where it is not.
    fn locked_until(&self, name: &str) -> Result<Option<SystemTime>, StoreError>;

    /// Locks an object until `until`, or longer where it is locked for longer already: a lock is
    /// never shortened.
    fn extend(&self, name: &str, until: SystemTime) -> Result<(), StoreError>;
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// When it was written, by the clock of [`ObjectStore::now`].
    pub modified: SystemTime,
}
