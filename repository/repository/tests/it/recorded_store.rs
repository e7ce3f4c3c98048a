//! A store that remembers what it is asked.

use std::sync::Mutex;

use object_store::{ObjectInfo, ObjectStore, StoreError};

/// One request: what, of which object, and how many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) what: &'static str,
    pub(crate) object: String,
    pub(crate) bytes: u64,
}

/// A store that remembers what it is asked, and passes it on.
pub(crate) struct RecordedStore<S> {
    store: S,
    requests: Mutex<Vec<Request>>,
}

impl<S> RecordedStore<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store,
            requests: Mutex::default(),
        }
    }

    /// Returns the requests since the last call.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    fn add(&self, what: &'static str, object: &str, bytes: usize) {
        self.requests.lock().unwrap().push(Request {
            what,
            object: object.to_owned(),
            bytes: bytes as u64,
        });
    }
}

impl<S: ObjectStore> ObjectStore for RecordedStore<S> {
    fn location(&self) -> String {
        self.store.location()
    }
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.add("write", name, bytes.len());
        self.store.put_new(name, bytes)
    }
    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.store.get(name, limit_bytes)?;
        self.add("read", name, bytes.len());
        Ok(bytes)
    }
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.add("read", name, buf.len());
        self.store.get_range(name, offset, buf)
    }
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.add("length", name, 0);
        self.store.size_bytes(name)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        self.add("list", prefix, 0);
        self.store.list(prefix, visit)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.add("remove", name, 0);
        self.store.remove(name)
    }
    fn now(&self) -> Result<std::time::SystemTime, StoreError> {
        self.add("now", "", 0);
        self.store.now()
    }
}
