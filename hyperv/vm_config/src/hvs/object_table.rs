//! Object tables: where everything in the file lies.

use std::collections::HashSet;

use super::fields::Fields;
use super::layout::{
    OBJECT_BYTES, OBJECT_TABLE, OBJECT_TABLE_HEADER_BYTES, OBJECT_TABLE_OFFSET,
    OBJECT_TABLE_SIGNATURE,
};
use crate::ConfigError;

/// Something that lies in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    pub(super) kind: u8,
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// Reads all object tables and returns what they list, empty slots aside.
pub(super) fn objects(file: &[u8]) -> Result<Vec<Object>, ConfigError> {
    let mut objects = Vec::new();
    let mut seen = HashSet::from([OBJECT_TABLE_OFFSET]);
    let mut waiting = vec![OBJECT_TABLE_OFFSET];
    // Overlapping tables would be read many times over; honest ones fit the file together.
    let mut budget = file.len();
    while let Some(at) = waiting.pop() {
        for object in table(file, at, &mut budget)? {
            if object.kind != OBJECT_TABLE {
                objects.push(object);
            } else if seen.insert(object.offset) {
                waiting.push(object.offset);
            } else {
                return Err(ConfigError::corrupt(
                    "object table",
                    format!("the table at {:#x} is listed twice", object.offset),
                )
                .at(at));
            }
        }
    }
    Ok(objects)
}

fn table(file: &[u8], at: usize, budget: &mut usize) -> Result<Vec<Object>, ConfigError> {
    let head = Fields::take(file, "object table", at, OBJECT_TABLE_HEADER_BYTES)?;
    head.check_signature(OBJECT_TABLE_SIGNATURE)?;
    let count = head.len32(4)?;
    let bytes = count.saturating_mul(OBJECT_BYTES);
    *budget = budget.checked_sub(bytes).ok_or_else(|| {
        ConfigError::expected(
            "object table entry count",
            "no more entries than the file has room for",
            count,
        )
        .at(at.saturating_add(4))
    })?;
    let first = at.saturating_add(OBJECT_TABLE_HEADER_BYTES);
    Fields::take(file, "object table", first, bytes)?;
    let mut objects = Vec::new();
    for index in 0..count {
        let at = first.saturating_add(index.saturating_mul(OBJECT_BYTES));
        let entry = Fields::take(file, "object table entry", at, OBJECT_BYTES)?;
        entry.check_crc(1)?;
        let kind = entry.u8(0)?;
        if kind != 0 {
            objects.push(Object {
                kind,
                offset: entry.offset64(5)?,
                len: entry.len32(13)?,
            });
        }
    }
    Ok(objects)
}
