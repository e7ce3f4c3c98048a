//! From a tree to the file's bytes.

use super::fields::seal;
use super::layout::{
    ARRAY, BOOL, DOUBLE, ENTRY_BYTES, ENTRY_CRC_OFFSET, FILE_OBJECT, FILE_OBJECT_THRESHOLD,
    FORMAT_VERSION, FREE, HEADER_BYTES, HEADER_OFFSETS, IN_FILE_OBJECT, INTEGER, KEY_TABLE,
    KEY_TABLE_HEADER_BYTES, KEY_TABLE_SIGNATURE, LOG_ENTRIES, LOG_HEADER_BYTES, LOG_SIGNATURE,
    MAX_FILE_BYTES, NODE, OBJECT_BYTES, OBJECT_TABLE, OBJECT_TABLE_HEADER_BYTES,
    OBJECT_TABLE_OFFSET, OBJECT_TABLE_SIGNATURE, PAGE_BYTES, SIGNATURE, STRING, UNSIGNED,
};
use crate::ConfigError;
use crate::tree::{MAX_DEPTH, Node, Tree, Value};

/// Slots of a page-sized object table; the last leads to the next table.
const SLOTS: usize = (PAGE_BYTES - OBJECT_TABLE_HEADER_BYTES) / OBJECT_BYTES;
/// What hosts leave behind every value.
const SLACK_BYTES: usize = 12;
/// Room that hosts give the log behind its header.
const LOG_DATA_PAGES: usize = 8;

/// Writes a container of version 4.0 that [`read_vmcx`](crate::read_vmcx) reads back as an equal
/// tree, but for NULs at the end of a text, which the format cannot tell from padding.
///
/// It follows what real files show, but no real host has been shown one yet. The demo, the
/// simulated host and tests use it; a backup keeps the host's own file.
///
/// # Errors
///
/// `Unsupported` where a name has more than 254 bytes or a NUL, the tree is too deep, or the file
/// would exceed 64 MiB.
pub fn write_vmcx(tree: &Tree) -> Result<Vec<u8>, ConfigError> {
    let mut writer = Writer {
        tables: Vec::new(),
        file_objects: Vec::new(),
    };
    writer.children(&tree.children, (0, 0), 1)?;
    writer.finish()
}

struct Writer {
    /// Key tables without the free entry at their end.
    tables: Vec<Vec<u8>>,
    /// File objects, each padded to whole pages, with their offset.
    file_objects: Vec<(usize, Vec<u8>)>,
}

impl Writer {
    fn children(
        &mut self,
        nodes: &[Node],
        parent: (u16, u32),
        depth: usize,
    ) -> Result<(), ConfigError> {
        if depth > MAX_DEPTH && !nodes.is_empty() {
            return Err(ConfigError::unsupported(
                "tree",
                format!("expected at most {MAX_DEPTH} levels"),
            ));
        }
        for (sequence, node) in (1_u32..).zip(nodes) {
            let place = self.entry(node, parent, sequence)?;
            self.children(node.children(), place, depth + 1)?;
        }
        Ok(())
    }

    /// Stores an entry and returns its table and offset.
    fn entry(
        &mut self,
        node: &Node,
        parent: (u16, u32),
        sequence: u32,
    ) -> Result<(u16, u32), ConfigError> {
        let name_len = u8::try_from(node.name.len() + 1)
            .ok()
            .filter(|_| !node.name.contains('\0'))
            .ok_or_else(|| {
                ConfigError::unsupported(
                    node.name.clone(),
                    "expected a name of at most 254 bytes without NUL",
                )
            })?;
        let (kind, flags, data) = self.data(&node.value)?;
        let slack = if kind == NODE { 0 } else { SLACK_BYTES };
        let meaningful = ENTRY_BYTES + usize::from(name_len) + data.len();
        let mut entry = Vec::with_capacity(meaningful + slack + ENTRY_BYTES);
        entry.extend([kind, flags]);
        let table = self.table_with_room(meaningful + slack)?;
        let room = PAGE_BYTES - table.1.len();
        let rest = room - (meaningful + slack);
        // A rest that cannot hold a free entry's header belongs to this entry.
        let len = if rest <= ENTRY_BYTES {
            room
        } else {
            meaningful + slack
        };
        entry.extend(le32(len));
        entry.extend(parent.0.to_le_bytes());
        entry.extend(parent.1.to_le_bytes());
        entry.extend([0; 4]);
        entry.extend(sequence.to_le_bytes());
        entry.push(name_len);
        entry.extend(node.name.bytes());
        entry.push(0);
        entry.extend(data);
        seal(&mut entry, ENTRY_CRC_OFFSET);
        entry.resize(len, 0);
        let offset = u32::try_from(table.1.len()).unwrap_or(u32::MAX);
        table.1.extend(entry);
        Ok((table.0, offset))
    }

    /// Returns type, flags and data of a value; long ones move to a file object.
    fn data(&mut self, value: &Value) -> Result<(u8, u8, Vec<u8>), ConfigError> {
        let (kind, bytes) = match value {
            Value::Branch(children) => {
                let mut data = vec![0; 8];
                data.extend(le32(children.len() + 1));
                return Ok((NODE, 0, data));
            }
            Value::Integer(number) => return Ok((INTEGER, 0, number.to_le_bytes().to_vec())),
            Value::Unsigned(number) => return Ok((UNSIGNED, 0, number.to_le_bytes().to_vec())),
            Value::Double(bits) => return Ok((DOUBLE, 0, bits.to_le_bytes().to_vec())),
            Value::Bool(value) => return Ok((BOOL, 0, u32::from(*value).to_le_bytes().to_vec())),
            Value::Text(text) => (
                STRING,
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            ),
            Value::Bytes(bytes) => (ARRAY, bytes.clone()),
        };
        let mut data = Vec::new();
        data.extend(le32(bytes.len()));
        if bytes.len() < FILE_OBJECT_THRESHOLD {
            data.extend(bytes);
            return Ok((kind, 0, data));
        }
        let offset = self.end();
        data.extend((offset as u64).to_le_bytes());
        check_size(offset.saturating_add(bytes.len()))?;
        let mut object = bytes;
        object.resize(object.len().next_multiple_of(PAGE_BYTES), 0);
        self.file_objects.push((offset, object));
        Ok((kind, IN_FILE_OBJECT, data))
    }

    /// Returns where the next file object goes: they follow the first object table.
    fn end(&self) -> usize {
        self.file_objects
            .last()
            .map_or(OBJECT_TABLE_OFFSET + PAGE_BYTES, |(offset, bytes)| {
                offset + bytes.len()
            })
    }

    /// Returns a key table with room for `len` bytes, and its index.
    fn table_with_room(&mut self, len: usize) -> Result<(u16, &mut Vec<u8>), ConfigError> {
        if self
            .tables
            .last()
            .is_none_or(|table| table.len() + len > PAGE_BYTES)
        {
            self.tables.push(vec![0; KEY_TABLE_HEADER_BYTES]);
            check_size(self.tables.len() * PAGE_BYTES)?;
        }
        let index = u16::try_from(self.tables.len()).unwrap_or(u16::MAX);
        let table = self.tables.last_mut().ok_or_else(too_large)?;
        Ok((index, table))
    }

    fn finish(mut self) -> Result<Vec<u8>, ConfigError> {
        let first_key_table = self.end();
        for (index, table) in (1_u16..).zip(&mut self.tables) {
            fill_key_table(table, index);
        }
        let mut objects: Vec<(u8, usize, usize)> = self
            .file_objects
            .iter()
            .map(|(offset, bytes)| (FILE_OBJECT, *offset, bytes.len()))
            .collect();
        for index in 0..self.tables.len() {
            objects.push((KEY_TABLE, first_key_table + index * PAGE_BYTES, PAGE_BYTES));
        }
        let further_tables = first_key_table + self.tables.len() * PAGE_BYTES;
        let object_tables = object_tables(&objects, further_tables);
        let log_offset = further_tables + (object_tables.len() - 1) * PAGE_BYTES;
        let log_len = (1 + LOG_DATA_PAGES) * PAGE_BYTES;
        check_size(log_offset + log_len)?;

        let mut file = vec![0; OBJECT_TABLE_OFFSET];
        for (at, sequence) in HEADER_OFFSETS.into_iter().zip([2, 1]) {
            let header = header(sequence, log_offset, log_len);
            file.splice(at..at + HEADER_BYTES, header);
        }
        let mut object_tables = object_tables.into_iter();
        file.extend(object_tables.next().unwrap_or_default());
        for (_, object) in self.file_objects {
            file.extend(object);
        }
        for table in self.tables {
            file.extend(table);
        }
        for table in object_tables {
            file.extend(table);
        }
        file.extend(empty_log());
        file.resize(log_offset + log_len, 0);
        Ok(file)
    }
}

fn fill_key_table(table: &mut Vec<u8>, index: u16) {
    let rest = PAGE_BYTES - table.len();
    if rest > 0 {
        table.extend([FREE, 0]);
        table.extend(le32(rest));
        table.resize(PAGE_BYTES, 0);
    }
    let mut head = Vec::with_capacity(KEY_TABLE_HEADER_BYTES);
    head.extend(KEY_TABLE_SIGNATURE.to_le_bytes());
    head.extend(index.to_le_bytes());
    head.extend(1_u16.to_le_bytes());
    head.extend([0; 4]);
    seal(&mut head, 6);
    table.splice(..KEY_TABLE_HEADER_BYTES, head);
}

/// Makes the object tables, the first for its fixed place and the others from `further` on.
fn object_tables(objects: &[(u8, usize, usize)], further: usize) -> Vec<Vec<u8>> {
    let groups: Vec<_> = objects.chunks(SLOTS - 1).collect();
    let count = groups.len().max(1);
    (0..count)
        .map(|index| {
            let mut table = Vec::with_capacity(PAGE_BYTES);
            table.extend(OBJECT_TABLE_SIGNATURE.to_le_bytes());
            table.extend(le32(SLOTS));
            let group = groups.get(index).copied().unwrap_or_default();
            let empty = (0, 0, 0);
            for slot in 0..SLOTS - 1 {
                table.extend(object(*group.get(slot).unwrap_or(&empty)));
            }
            table.extend(object(if index + 1 < count {
                (OBJECT_TABLE, further + index * PAGE_BYTES, PAGE_BYTES)
            } else {
                empty
            }));
            table.resize(PAGE_BYTES, 0);
            table
        })
        .collect()
}

fn object((kind, offset, len): (u8, usize, usize)) -> Vec<u8> {
    let mut entry = vec![kind, 0, 0, 0, 0];
    entry.extend((offset as u64).to_le_bytes());
    entry.extend(le32(len));
    entry.push(u8::from(kind != 0));
    seal(&mut entry, 1);
    entry
}

fn header(sequence: u16, log_offset: usize, log_len: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(SIGNATURE.to_le_bytes());
    header.extend([0; 4]);
    header.extend(sequence.to_le_bytes());
    header.extend(FORMAT_VERSION.to_le_bytes());
    header.extend([0; 8]);
    header.extend(le32(PAGE_BYTES));
    header.extend((log_offset as u64).to_le_bytes());
    header.extend((log_len as u64).to_le_bytes());
    header.extend(le32(PAGE_BYTES));
    seal(&mut header, 4);
    header
}

/// A log that has nothing to apply. Hosts need one to be there.
fn empty_log() -> Vec<u8> {
    let mut log = Vec::with_capacity(LOG_HEADER_BYTES);
    log.extend(LOG_SIGNATURE.to_le_bytes());
    log.extend([0; 9]);
    log.extend(LOG_ENTRIES.to_le_bytes());
    log.resize(LOG_HEADER_BYTES, 0);
    seal(&mut log, 4);
    log
}

fn le32(len: usize) -> [u8; 4] {
    // Every length is that of a part of a file of at most 64 MiB.
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn check_size(bytes: usize) -> Result<(), ConfigError> {
    if bytes > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> ConfigError {
    ConfigError::unsupported(
        "tree",
        format!("expected values that fit a file of {MAX_FILE_BYTES} bytes"),
    )
}
