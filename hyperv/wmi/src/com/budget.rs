//! How much one answer may hold.

use crate::limits::{DEPTH_MAX, ENUMERATION_BYTES_MAX, INSTANCES_MAX, VALUES_MAX};
use crate::{WmiError, WmiErrorKind};

/// What is left of the limits of one query, object or method call.
pub(super) struct Budget {
    instances: usize,
    bytes: usize,
    depth: usize,
}

impl Budget {
    /// Starts with what [`crate::limits`] allow.
    pub(super) fn new() -> Self {
        Self {
            instances: INSTANCES_MAX,
            bytes: ENUMERATION_BYTES_MAX,
            depth: DEPTH_MAX,
        }
    }

    /// Counts an instance and goes into it.
    pub(super) fn enter_instance(&mut self) -> Result<(), WmiError> {
        self.instances = less(self.instances, 1, "instances")?;
        self.depth = less(self.depth, 1, "instances inside each other")?;
        Ok(())
    }

    /// Comes out of an instance.
    pub(super) fn leave_instance(&mut self) {
        self.depth += 1;
    }

    /// Counts a text.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<(), WmiError> {
        self.bytes = less(self.bytes, bytes, "bytes")?;
        Ok(())
    }

    /// Counts an array, and each of its values as large as a [`crate::Value`].
    pub(super) fn spend_values(&mut self, values: usize) -> Result<(), WmiError> {
        less(VALUES_MAX, values, "values in an array")?;
        self.spend_bytes(values * size_of::<crate::Value>())
    }
}

fn less(left: usize, spent: usize, of_what: &str) -> Result<usize, WmiError> {
    left.checked_sub(spent).ok_or_else(|| {
        let what = format!("the host sent more {of_what} than one answer may have");
        WmiError::new(WmiErrorKind::TooLarge, what)
    })
}
