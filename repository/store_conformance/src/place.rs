//! Where the suite may write.

use std::fmt::Write as _;
use std::time::SystemTime;

use object_store::{ObjectInfo, ObjectStore, StoreError, StoreErrorKind};

use crate::case::{Failure, must};
use crate::suite::SuiteOptions;

/// The store, a second handle of it, and a prefix that nobody else writes to.
pub(crate) struct Place<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) second: &'a dyn ObjectStore,
    pub(crate) options: SuiteOptions,
    prefix: String,
}

impl<'a> Place<'a> {
    pub(crate) fn new(
        store: &'a dyn ObjectStore,
        second: &'a dyn ObjectStore,
        options: SuiteOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            second,
            options,
            prefix: new_prefix()?,
        })
    }

    /// Returns the prefix, which ends with `/`.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the name of an object of ours.
    pub(crate) fn name(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }

    /// Fails unless an object holds these bytes, read through the second handle.
    pub(crate) fn must_hold(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let limit_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(1);
        let found = self.second.get(name, limit_bytes.saturating_mul(2))?;
        must(found == bytes, || {
            format!(
                "wrote {} bytes and read back {} others",
                bytes.len(),
                found.len()
            )
        })
    }

    /// Lists what lies below a folder of ours, through the second handle.
    pub(crate) fn list(&self, below: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        list(self.second, &self.name(below))
    }

    /// Removes all that was written. Returns how many objects stay, until when where that is
    /// known, and why the first of them does.
    pub(crate) fn clean_up(&self) -> Leftover {
        clean_up(self.store, &self.prefix)
    }
}

/// What could not be cleaned up.
#[derive(Debug, Default, Clone)]
pub(crate) struct Leftover {
    pub(crate) objects: u64,
    pub(crate) locked_until: Option<SystemTime>,
    pub(crate) why: Option<String>,
}

pub(crate) fn clean_up(store: &dyn ObjectStore, prefix: &str) -> Leftover {
    let mut left = Leftover::default();
    let names = match list(store, prefix) {
        Ok(objects) => objects,
        Err(error) => {
            left.why = Some(error.to_string());
            return left;
        }
    };
    for ObjectInfo { name, .. } in names {
        if let Err(error) = store.remove(&name) {
            left.objects += 1;
            if error.kind() == StoreErrorKind::Locked
                && let Some(retention) = store.retention()
                && let Ok(until) = retention.locked_until(&name)
            {
                left.locked_until = left.locked_until.max(until);
            }
            left.why.get_or_insert(error.to_string());
        }
    }
    left
}

pub(crate) fn list(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
    let mut found = Vec::new();
    store.list(prefix, &mut |object| found.push(object))?;
    found.sort();
    Ok(found)
}

/// Returns a prefix that no repository uses and no other run of the suite has.
pub(crate) fn new_prefix() -> Result<String, StoreError> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Io,
            "lifeboat-test-",
            format!("no random numbers: {error}"),
        )
    })?;
    let mut prefix = String::from("lifeboat-test-");
    for byte in random {
        // Writing to a string cannot fail.
        let _ = write!(prefix, "{byte:02x}");
    }
    prefix.push('/');
    Ok(prefix)
}

/// Returns bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    while bytes.len() < len {
        bytes.extend_from_slice(&numbers.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Numbers that look random: SplitMix64.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
