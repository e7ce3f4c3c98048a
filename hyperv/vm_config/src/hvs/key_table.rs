//! Key tables and the entries in them.

use super::fields::Fields;
use super::layout::{
    ARRAY, BOOL, DOUBLE, ENTRY_BYTES, ENTRY_CRC_OFFSET, FILE_OBJECT_POINTER_BYTES, FREE,
    IN_FILE_OBJECT, INTEGER, KEY_TABLE_HEADER_BYTES, KEY_TABLE_SIGNATURE, NODE, STRING, UNSIGNED,
};
use super::object_table::Object;
use crate::ConfigError;
use crate::tree::{MAX_NODES, Value};

/// Names an entry: key table and offset inside it.
pub(super) type Key = (u16, u32);

/// A key table's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyTable {
    pub(super) index: u16,
    pub(super) sequence: u16,
    object: Object,
}

/// An entry of a key table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) parent: Key,
    pub(super) sequence: u32,
    pub(super) name: String,
    /// A branch is still empty.
    pub(super) value: Value,
    pub(super) place: EntryPlace,
}

/// Where an entry lies in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryPlace {
    /// Offset of its header.
    pub(super) at: usize,
    /// Size with slack.
    pub(super) len: usize,
    /// Offset of its data, counted from its header.
    pub(super) data: usize,
    /// The data is the entry's own, not in a file object.
    pub(super) inline: bool,
}

/// Reads a key table's header.
pub(super) fn header(file: &[u8], object: Object) -> Result<KeyTable, ConfigError> {
    Fields::take(file, "key table", object.offset, object.len)?;
    let fields = Fields::take(file, "key table", object.offset, KEY_TABLE_HEADER_BYTES)?;
    let signature = fields.u16(0)?;
    if signature != KEY_TABLE_SIGNATURE {
        return Err(
            ConfigError::expected("key table signature", KEY_TABLE_SIGNATURE, signature)
                .at(object.offset),
        );
    }
    fields.check_crc(6)?;
    Ok(KeyTable {
        index: fields.u16(2)?,
        sequence: fields.u16(4)?,
        object,
    })
}

/// Reads the entries of key tables. One reader serves all tables of a file, so that what it
/// makes stays bounded by the file.
pub(super) struct EntryReader<'a> {
    file: &'a [u8],
    /// Bytes of values that may still be taken. Honest values do not overlap.
    budget: usize,
    pub(super) entries: Vec<Entry>,
}

impl<'a> EntryReader<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self {
            file,
            budget: file.len(),
            entries: Vec::new(),
        }
    }

    /// Reads all entries of a table.
    pub(super) fn table(&mut self, table: &KeyTable) -> Result<(), ConfigError> {
        let mut offset = KEY_TABLE_HEADER_BYTES;
        // What is left at the end and cannot hold an entry's header is padding.
        while table.object.len.saturating_sub(offset) >= ENTRY_BYTES {
            let at = table.object.offset.saturating_add(offset);
            let room = table.object.len - offset;
            let fields = Fields::take(self.file, "key table entry", at, room)?;
            let len = fields.len32(2)?;
            if len < ENTRY_BYTES || len > room {
                return Err(ConfigError::expected(
                    "key table entry size",
                    format_args!("{ENTRY_BYTES} to {room} bytes"),
                    len,
                )
                .at(at.saturating_add(2)));
            }
            if fields.u8(0)? != FREE {
                let fields = Fields::take(self.file, "key table entry", at, len)?;
                let key = (table.index, u32::try_from(offset).unwrap_or(u32::MAX));
                let entry = self.entry(fields, key, at, len)?;
                self.entries.push(entry);
            }
            offset = offset.saturating_add(len);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fields: Fields<'a>,
        key: Key,
        at: usize,
        len: usize,
    ) -> Result<Entry, ConfigError> {
        if self.entries.len() >= MAX_NODES {
            return Err(ConfigError::unsupported(
                "key tables",
                format!("expected at most {MAX_NODES} entries"),
            )
            .at(at));
        }
        let (kind, flags) = (fields.u8(0)?, fields.u8(1)?);
        let data = ENTRY_BYTES.saturating_add(usize::from(fields.u8(20)?));
        let inline = flags & IN_FILE_OBJECT == 0;
        let data_bytes = data_bytes(&fields, kind, inline, data).map_err(|error| error.at(at))?;
        let meaningful = data.saturating_add(data_bytes);
        if meaningful > len {
            return Err(ConfigError::expected(
                "key table entry",
                format_args!("{meaningful} bytes of header, name and data"),
                len,
            )
            .at(at));
        }
        self.spend(meaningful, at)?;
        Fields::take(self.file, "key table entry", at, meaningful)?.check_crc(ENTRY_CRC_OFFSET)?;
        let name = name(fields.bytes().get(ENTRY_BYTES..data).unwrap_or(&[]))
            .map_err(|error| error.at(at.saturating_add(ENTRY_BYTES)))?;
        let value = if inline {
            inline_value(&fields, kind, data, meaningful)?
        } else {
            self.file_object(&fields, kind, data, at)?
        };
        Ok(Entry {
            key,
            parent: (fields.u16(6)?, fields.u32(8)?),
            sequence: fields.u32(16)?,
            name,
            value,
            place: EntryPlace {
                at,
                len,
                data,
                inline,
            },
        })
    }

    fn file_object(
        &mut self,
        fields: &Fields<'a>,
        kind: u8,
        data: usize,
        at: usize,
    ) -> Result<Value, ConfigError> {
        let (len, offset) = (
            fields.len32(data)?,
            fields.offset64(data.saturating_add(4))?,
        );
        self.spend(len, at)?;
        let object = Fields::take(self.file, "file object", offset, len)?;
        match kind {
            STRING => Ok(Value::Text(text(object.bytes()))),
            ARRAY => Ok(Value::Bytes(object.bytes().to_vec())),
            INTEGER | UNSIGNED | DOUBLE | BOOL => inline_value(&object, kind, 0, len),
            _ => Err(unknown_type(kind).at(at)),
        }
    }

    fn spend(&mut self, bytes: usize, at: usize) -> Result<(), ConfigError> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(|| {
            ConfigError::corrupt("value size", "expected values that fit the file together").at(at)
        })?;
        Ok(())
    }
}

/// Returns how many bytes of data the checksum covers; the rest of the entry is slack.
fn data_bytes(
    fields: &Fields<'_>,
    kind: u8,
    inline: bool,
    data: usize,
) -> Result<usize, ConfigError> {
    if !inline {
        return Ok(FILE_OBJECT_POINTER_BYTES);
    }
    match kind {
        INTEGER | UNSIGNED | DOUBLE => Ok(8),
        BOOL => Ok(4),
        NODE => Ok(12),
        STRING | ARRAY => Ok(fields.len32(data)?.saturating_add(4)),
        _ => Err(unknown_type(kind)),
    }
}

fn unknown_type(kind: u8) -> ConfigError {
    ConfigError::expected("key table entry type", "1 or 3 to 9", kind)
}

fn inline_value(
    fields: &Fields<'_>,
    kind: u8,
    data: usize,
    end: usize,
) -> Result<Value, ConfigError> {
    let behind_length = || {
        fields
            .bytes()
            .get(data.saturating_add(4)..end)
            .unwrap_or(&[])
    };
    Ok(match kind {
        INTEGER => Value::Integer(fields.u64(data)?.cast_signed()),
        UNSIGNED => Value::Unsigned(fields.u64(data)?),
        DOUBLE => Value::Double(fields.u64(data)?),
        BOOL => Value::Bool(fields.u32(data)? != 0),
        STRING => Value::Text(text(behind_length())),
        ARRAY => Value::Bytes(behind_length().to_vec()),
        _ => Value::Branch(Vec::new()),
    })
}

fn name(bytes: &[u8]) -> Result<String, ConfigError> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(name) if !name.contains('\0') => Ok(name.to_owned()),
        _ => Err(ConfigError::corrupt(
            "key table entry name",
            "expected UTF-8 that ends with NUL",
        )),
    }
}

/// Text of UTF-16LE without the NULs at its end. A half surrogate, which Windows permits in names,
/// becomes U+FFFD.
fn text(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    let text: String = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    text.trim_end_matches('\0').to_owned()
}
