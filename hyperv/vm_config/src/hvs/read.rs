//! From the file's bytes to the tree.

use std::collections::{HashMap, HashSet};

use super::header::{self, Header};
use super::key_table::{self, Entry, EntryPlace, EntryReader, Key, KeyTable};
use super::layout::{KEY_TABLE, MAX_FILE_BYTES};
use super::{object_table, replay};
use crate::tree::{MAX_DEPTH, Node, Tree, Value};
use crate::{ConfigError, ConfigErrorKind};

/// A container that was read.
pub(crate) struct Opened {
    pub(crate) tree: Tree,
    /// Where each node lies, in the order of a walk that visits parents before children.
    pub(crate) places: Vec<EntryPlace>,
    /// The file's bytes with the log applied.
    pub(super) image: Vec<u8>,
    pub(super) header: Header,
}

impl Opened {
    /// Returns the file's bytes with the log applied and emptied.
    pub(crate) fn into_closed_image(mut self) -> Vec<u8> {
        replay::clear(&mut self.image, &self.header);
        self.image
    }
}

/// Reads a container.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened, ConfigError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ConfigError::new(
            ConfigErrorKind::Unsupported,
            "file size",
            format!(
                "expected at most {MAX_FILE_BYTES} bytes, found {}",
                bytes.len()
            ),
        ));
    }
    let header = header::current(bytes)?;
    let mut image = bytes.to_vec();
    replay::apply(&mut image, &header)?;
    let mut reader = EntryReader::new(&image);
    for table in key_tables(&image)? {
        reader.table(&table)?;
    }
    let (tree, places) = assemble(reader.entries)?;
    Ok(Opened {
        tree,
        places,
        image,
        header,
    })
}

/// Returns the key tables by index; where an index occurs twice, the greater sequence counts.
fn key_tables(file: &[u8]) -> Result<Vec<KeyTable>, ConfigError> {
    let mut seen = HashSet::new();
    let mut budget = file.len();
    let mut tables = Vec::new();
    for object in object_table::objects(file)? {
        if object.kind != KEY_TABLE || !seen.insert(object.offset) {
            continue;
        }
        budget = budget.checked_sub(object.len).ok_or_else(|| {
            ConfigError::corrupt(
                "key table size",
                "expected tables that fit the file together",
            )
            .at(object.offset)
        })?;
        tables.push(key_table::header(file, object)?);
    }
    tables.sort_by_key(|table| (table.index, std::cmp::Reverse(table.sequence)));
    tables.dedup_by_key(|table| table.index);
    Ok(tables)
}

/// Hangs every entry under its parent. Children may be stored before their parents, so all
/// entries are known before the first is placed.
fn assemble(mut entries: Vec<Entry>) -> Result<(Tree, Vec<EntryPlace>), ConfigError> {
    entries.sort_by_key(|entry| (entry.sequence, entry.key));
    let branches: HashMap<Key, bool> = entries
        .iter()
        .map(|entry| (entry.key, matches!(entry.value, Value::Branch(_))))
        .collect();
    let mut by_parent: HashMap<Key, Vec<Entry>> = HashMap::new();
    for entry in entries {
        if entry.parent != ROOT && branches.get(&entry.parent) != Some(&true) {
            return Err(ConfigError::expected(
                "key table entry parent",
                "a node",
                format_args!(
                    "{} at {:#x} of key table {}",
                    match branches.get(&entry.parent) {
                        Some(_) => "a value",
                        None => "nothing",
                    },
                    entry.parent.1,
                    entry.parent.0
                ),
            )
            .at(entry.place.at));
        }
        by_parent.entry(entry.parent).or_default().push(entry);
    }
    let mut places = Vec::new();
    let children = subtree(ROOT, &mut by_parent, &mut places, 1)?;
    // What the walk did not reach has itself among its parents.
    if let Some(entry) = by_parent.values().flatten().min_by_key(|entry| entry.key) {
        return Err(ConfigError::corrupt(
            "key table entry parent",
            "expected a path to the root, found a loop",
        )
        .at(entry.place.at));
    }
    Ok((Tree { children }, places))
}

const ROOT: Key = (0, 0);

fn subtree(
    parent: Key,
    by_parent: &mut HashMap<Key, Vec<Entry>>,
    places: &mut Vec<EntryPlace>,
    depth: usize,
) -> Result<Vec<Node>, ConfigError> {
    let mut nodes = Vec::new();
    for mut entry in by_parent.remove(&parent).unwrap_or_default() {
        if depth > MAX_DEPTH {
            return Err(ConfigError::unsupported(
                "key table entry parent",
                format!("expected at most {MAX_DEPTH} levels"),
            )
            .at(entry.place.at));
        }
        places.push(entry.place);
        if matches!(entry.value, Value::Branch(_)) {
            entry.value = Value::Branch(subtree(entry.key, by_parent, places, depth + 1)?);
        }
        nodes.push(Node::new(entry.name, entry.value));
    }
    Ok(nodes)
}
