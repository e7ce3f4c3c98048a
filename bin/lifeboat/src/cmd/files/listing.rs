//! How files are shown.

use file_restore::Entry;
use guest_files::{FileName, Node, NodeKind, Owner, Time};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ui::{Align, Table, local_time, size};

/// Returns an empty table of files.
pub(super) fn table() -> Table {
    Table::new(&[
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("MODIFIED", Align::Left),
        ("NAME", Align::Left),
    ])
}

/// Returns a row of it.
pub(super) fn row(name: String, node: &Node) -> Vec<String> {
    let size = match node.kind {
        NodeKind::File => size(node.size_bytes),
        _ => String::new(),
    };
    let modified = node.times.modified.and_then(timestamp);
    vec![
        kind(node.kind).to_owned(),
        size,
        modified.map(local_time).unwrap_or_default(),
        name,
    ]
}

/// Writes the names of a path with slashes.
pub(crate) fn shown(path: &[FileName]) -> String {
    let names: Vec<String> = path.iter().map(ToString::to_string).collect();
    names.join("/")
}

/// Returns what programs are told of a file.
pub(super) fn record(path: &str, node: &Node) -> Value {
    let time = |time: Option<Time>| time.and_then(timestamp).map(|time| time.to_string());
    let mut record = json!({
        "path": path,
        "kind": kind(node.kind),
        "size": node.size_bytes,
        "links": node.links,
        "modified": time(node.times.modified),
        "accessed": time(node.times.accessed),
        "changed": time(node.times.changed),
        "created": time(node.times.created),
    });
    let more = match node.owner {
        Owner::Unix { user, group, mode } => {
            json!({ "user": user, "group": group, "mode": format!("{mode:04o}") })
        }
        Owner::Windows { attributes } => json!({ "attributes": attributes }),
    };
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
    record
}

/// Returns what programs are told of an entry of a walk.
pub(super) fn entry_record(base: &str, entry: &Entry) -> Value {
    record(&format!("{base}/{}", shown(&entry.path)), &entry.node)
}

pub(super) fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File => "file",
        NodeKind::Folder => "folder",
        NodeKind::Link => "link",
        NodeKind::Other => "other",
    }
}

fn timestamp(time: Time) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(time.nanoseconds).ok()?;
    Timestamp::new(time.seconds, nanoseconds).ok()
}
