//! A file of Windows' registry, read by position.

use std::cell::Cell;

use guest_files::{FileError, FileErrorKind, GuestFile};

/// Where cells count from.
const BINS_OFFSET: u64 = 4096;
/// Longest list that is read, in bytes: one of 65,535 keys is half of it.
const LIST_MAX_BYTES: usize = 1 << 20;
/// Longest name that is read, in bytes: Windows allows 255 letters to a key.
const NAME_MAX_BYTES: usize = 512;
/// Most keys in one key.
const KEYS_MAX: usize = 65_535;
/// Most bytes that are read of one hive, so that no hive keeps its reader busy.
const BUDGET_BYTES: usize = 16 << 20;
/// How much of a cell is read before its length is known.
const FIRST_BYTES: usize = 1024;
/// Where the name begins in a key, and in a value.
const KEY_NAME: usize = 76;
const VALUE_NAME: usize = 20;

/// An open hive.
pub(crate) struct Hive<'a> {
    file: &'a dyn GuestFile,
    root: u32,
    /// Bytes that may still be read.
    budget_bytes: Cell<usize>,
}

/// A value of a key: its name, and where its data lies.
pub(crate) struct Value {
    pub(crate) name: String,
    len_bytes: u32,
    /// An offset, or up to four bytes of data.
    place: [u8; 4],
}

impl<'a> Hive<'a> {
    pub(crate) fn open(file: &'a dyn GuestFile) -> Result<Self, FileError> {
        let mut base = [0; 512];
        let read = file.read_at(0, &mut base)?;
        if read < base.len() || !base.starts_with(b"regf") {
            return Err(corrupt("it does not begin with \"regf\""));
        }
        Ok(Self {
            file,
            root: u32_at(&base, 36),
            budget_bytes: Cell::new(BUDGET_BYTES),
        })
    }

    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    /// Finds a key in a key, as Windows does: by a name whose case does not count.
    pub(crate) fn subkey(&self, key: u32, name: &str) -> Result<Option<u32>, FileError> {
        let node = self.key(key)?;
        if u32_at(&node, 20) == 0 {
            return Ok(None);
        }
        for place in self.list(u32_at(&node, 28), true)? {
            let key = self.key(place)?;
            let own = name_at(&key, KEY_NAME, u16_at(&key, 72));
            let is_ascii = u16_at(&key, 2) & 0x20 != 0;
            if own.is_some_and(|own| text(own, is_ascii).eq_ignore_ascii_case(name)) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Returns the values of a key one by one; those without a name, or with one that is longer than
    /// any of Windows', are passed over.
    pub(crate) fn values(
        &self,
        key: u32,
    ) -> Result<impl Iterator<Item = Result<Value, FileError>> + '_, FileError> {
        let node = self.key(key)?;
        let count = usize::try_from(u32_at(&node, 36)).unwrap_or(usize::MAX);
        let list = match count {
            0 => Vec::new(),
            _ => self.cell(u32_at(&node, 40), LIST_MAX_BYTES)?,
        };
        let places = (0..list.len() / 4).take(count);
        let places = places.map(move |number| u32_at(&list, number * 4));
        Ok(places.filter_map(|place| self.value(place).transpose()))
    }

    fn value(&self, place: u32) -> Result<Option<Value>, FileError> {
        let cell = self.cell(place, VALUE_NAME + NAME_MAX_BYTES)?;
        if !cell.starts_with(b"vk") {
            return Err(corrupt("a value does not begin with \"vk\""));
        }
        let name = name_at(&cell, VALUE_NAME, u16_at(&cell, 2));
        Ok(name.map(|name| Value {
            name: text(name, u16_at(&cell, 16) & 1 != 0),
            len_bytes: u32_at(&cell, 4),
            place: u32_at(&cell, 8).to_le_bytes(),
        }))
    }

    /// Returns the data of a value; `None` for more than `max` bytes.
    pub(crate) fn data(&self, value: &Value, max: usize) -> Result<Option<Vec<u8>>, FileError> {
        /// The data stand where their place would.
        const INLINE: u32 = 1 << 31;
        let len = usize::try_from(value.len_bytes & !INLINE).unwrap_or(usize::MAX);
        if len > max {
            return Ok(None);
        }
        let bytes = if value.len_bytes & INLINE != 0 {
            value.place.to_vec()
        } else {
            self.cell(u32::from_le_bytes(value.place), len)?
        };
        Ok(bytes.get(..len).map(<[u8]>::to_vec))
    }

    fn key(&self, place: u32) -> Result<Vec<u8>, FileError> {
        let cell = self.cell(place, KEY_NAME + NAME_MAX_BYTES)?;
        if !cell.starts_with(b"nk") {
            return Err(corrupt("a key does not begin with \"nk\""));
        }
        Ok(cell)
    }

    /// Returns where the keys of a list are. A list of lists has no such lists in it.
    fn list(&self, place: u32, may_have_lists: bool) -> Result<Vec<u32>, FileError> {
        let cell = self.cell(place, LIST_MAX_BYTES)?;
        let count = usize::from(u16_at(&cell, 2));
        let elements = |bytes: usize| {
            let elements = cell.get(4..).unwrap_or(&[]).chunks_exact(bytes);
            elements.take(count).map(|element| u32_at(element, 0))
        };
        match cell.get(..2) {
            Some(b"lf" | b"lh") => Ok(elements(8).collect()),
            Some(b"li") => Ok(elements(4).collect()),
            Some(b"ri") if may_have_lists => {
                let mut all = Vec::new();
                for list in elements(4) {
                    all.extend(self.list(list, false)?);
                    if all.len() > KEYS_MAX {
                        return Err(corrupt("a key has more keys than any has"));
                    }
                }
                Ok(all)
            }
            _ => Err(corrupt("a list of keys is of no known kind")),
        }
    }

    /// Reads the cell at a place, without its length and at most `max` bytes of it.
    fn cell(&self, place: u32, max: usize) -> Result<Vec<u8>, FileError> {
        let offset = BINS_OFFSET + u64::from(place);
        let mut bytes = self.read(offset, max.saturating_add(4).min(FIRST_BYTES))?;
        if bytes.len() < 4 {
            return Err(corrupt("a cell lies beyond its end"));
        }
        // A cell in use says its length below zero.
        let len = i32::from_le_bytes(u32_at(&bytes, 0).to_le_bytes()).unsigned_abs();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let len = len.min(max.saturating_add(4));
        let read = bytes.len();
        if len > read {
            bytes.extend(self.read(offset + read as u64, len - read)?);
        }
        bytes.truncate(len);
        bytes.drain(..bytes.len().min(4));
        Ok(bytes)
    }

    /// Reads up to `len` bytes, of which there are fewer at the end of the file alone.
    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        let rest = self.budget_bytes.get().checked_sub(len);
        let rest = rest.ok_or_else(|| {
            corrupt("what is looked for is not in the 16 MiB that are read of it at most")
        })?;
        self.budget_bytes.set(rest);
        let mut bytes = vec![0; len];
        let read = self.file.read_at(offset, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// Returns the name in a key or value; `None` for one that is too long or cut.
fn name_at(cell: &[u8], offset: usize, len: u16) -> Option<&[u8]> {
    let len = usize::from(len);
    let name = cell.get(offset..)?.get(..len)?;
    (len <= NAME_MAX_BYTES).then_some(name)
}

fn corrupt(what: &str) -> FileError {
    FileError::new(
        FileErrorKind::Corrupt,
        format!("the registry file SYSTEM is damaged: {what}"),
    )
}

/// Reads a name: one byte a letter (Latin 1), or UTF-16.
fn text(bytes: &[u8], is_ascii: bool) -> String {
    if is_ascii {
        return bytes.iter().copied().map(char::from).collect();
    }
    let units = bytes.chunks_exact(2).map(|unit| u16_at(unit, 0));
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<2>());
    found.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>());
    found.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
