//! Keys of definition files that a typed configuration has no place for, such as what a VM does
//! when its host starts, or what is in its DVD drive.
//!
//! A host keeps all keys of a definition that it imports. This one keeps those that it can put back
//! where they were: outside of devices, and in devices that it writes itself.

use serde::{Deserialize, Serialize};
use vm_config::{Node, Tree, Value};

/// A key of a definition file that the host keeps and does not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherKey {
    /// Names below `configuration`, joined by `/`.
    pub path: String,
    /// What it holds.
    pub value: OtherValue,
}

/// What such a key holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherValue {
    /// A signed number.
    Integer(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A double as its bits.
    Double(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Yes or no.
    Bool(bool),
}

impl OtherKey {
    /// Makes a key of text.
    pub fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            value: OtherValue::Text(text.into()),
        }
    }

    /// Makes a key of a signed number.
    pub fn integer(path: impl Into<String>, number: i64) -> Self {
        Self {
            path: path.into(),
            value: OtherValue::Integer(number),
        }
    }
}

/// Returns the keys of a definition that are not among those of its typed configuration, as far as
/// they can be put back.
pub(crate) fn other_keys(tree: &Tree, typed: &Tree) -> Vec<OtherKey> {
    let mut found = Vec::new();
    let nodes = tree.get("configuration").map(Node::children);
    for node in nodes.unwrap_or_default() {
        let path = format!("configuration/{}", node.name);
        let is_device = node.name.starts_with('_');
        let is_ours = matches!(&*node.name, "simulation" | "manifest");
        if !is_ours && (!is_device || typed.get(&path).is_some()) {
            collect(node, &path, typed, &mut found);
        }
    }
    found
}

fn collect(node: &Node, path: &str, typed: &Tree, found: &mut Vec<OtherKey>) {
    let value = match &node.value {
        Value::Branch(children) => {
            for child in children {
                collect(child, &format!("{path}/{}", child.name), typed, found);
            }
            return;
        }
        Value::Integer(number) => OtherValue::Integer(*number),
        Value::Unsigned(number) => OtherValue::Unsigned(*number),
        Value::Double(bits) => OtherValue::Double(*bits),
        Value::Text(text) => OtherValue::Text(text.clone()),
        Value::Bytes(bytes) => OtherValue::Bytes(bytes.clone()),
        Value::Bool(value) => OtherValue::Bool(*value),
    };
    let below = path.split_once('/').map_or("", |(_, below)| below);
    let is_new = typed.get(path).is_none() && found.iter().all(|key| key.path != below);
    if is_new {
        found.push(OtherKey {
            path: below.to_owned(),
            value,
        });
    }
}

/// Puts keys into a tree where it has none of that name. Keys of a device that is not there go.
pub(crate) fn add_other_keys(tree: &mut Tree, keys: &[OtherKey]) {
    let Some(root) = tree.children.first_mut() else {
        return;
    };
    for key in keys {
        let device = key.path.split('/').next().unwrap_or_default();
        if !device.starts_with('_') || root.get(device).is_some() {
            put(root, &key.path, &key.value);
        }
    }
}

fn put(node: &mut Node, path: &str, value: &OtherValue) {
    let Value::Branch(children) = &mut node.value else {
        return;
    };
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let place = children
        .iter()
        .position(|child| child.name.eq_ignore_ascii_case(name));
    let below = match place {
        Some(_) if rest.is_empty() => return,
        Some(place) => children.get_mut(place),
        None if rest.is_empty() => {
            children.push(Node::new(name, plain(value)));
            return;
        }
        None => {
            children.push(Node::branch(name, Vec::new()));
            children.last_mut()
        }
    };
    if let Some(below) = below {
        put(below, rest, value);
    }
}

fn plain(value: &OtherValue) -> Value {
    match value {
        OtherValue::Integer(number) => Value::Integer(*number),
        OtherValue::Unsigned(number) => Value::Unsigned(*number),
        OtherValue::Double(bits) => Value::Double(*bits),
        OtherValue::Text(text) => Value::Text(text.clone()),
        OtherValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
        OtherValue::Bool(value) => Value::Bool(*value),
    }
}
