//! The file of a start-up key (BDE format, "BitLocker External Key (BEK) file").

use uuid::Uuid;
use zeroize::Zeroizing;

use super::entry::{entries, role, value};
use super::fields::{u32_at, uuid_at};
use super::key::KEY_BYTES;
use crate::{UnlockError, UnlockErrorKind};

const HEADER_BYTES: usize = 48;
/// Of an external key before its properties: its identifier and when it was made.
const EXTERNAL_KEY_BYTES: usize = 24;
/// Those that Windows writes have less than 200 bytes.
const FILE_MAX_BYTES: usize = 64 << 10;

/// A start-up key.
pub(super) struct KeyFile {
    /// The protector that it opens.
    pub(super) id: Uuid,
    pub(super) key: Zeroizing<[u8; KEY_BYTES]>,
}

impl KeyFile {
    /// Says whether bytes look like such a file: its first numbers are their length, 1, 48 and the
    /// length again.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        let len = u32::try_from(bytes.len()).ok();
        (HEADER_BYTES..=FILE_MAX_BYTES).contains(&bytes.len())
            && len == Some(u32_at(bytes, 0))
            && u32_at(bytes, 4) == 1
            && u32_at(bytes, 8) == 48
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, UnlockError> {
        Self::find(bytes).ok_or_else(|| {
            let what = "this is no start-up key of BitLocker (a file whose name ends in .BEK)";
            UnlockError::new(UnlockErrorKind::WrongKey, what)
        })
    }

    fn find(bytes: &[u8]) -> Option<Self> {
        if !Self::is_one(bytes) {
            return None;
        }
        let found = entries(bytes.get(HEADER_BYTES..)?)?;
        let external = found
            .iter()
            .find(|entry| entry.is(role::STARTUP_KEY, value::EXTERNAL_KEY))?;
        let properties = entries(external.value.get(EXTERNAL_KEY_BYTES..)?)?;
        let key = properties
            .iter()
            .find(|entry| entry.is(role::PROPERTY, value::KEY))?;
        // Four bytes before the key say what it is for.
        let key = key.value.get(4..)?;
        Some(Self {
            id: uuid_at(external.value, 0),
            key: Zeroizing::new(key.try_into().ok()?),
        })
    }
}
