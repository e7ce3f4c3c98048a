//! What both formats hold: a tree of named values.

/// Most nodes that a tree may have when it is read. Real configurations have about 500.
pub(crate) const MAX_NODES: usize = 262_144;

/// Most levels that a tree may have. Real configurations have about 8.
pub(crate) const MAX_DEPTH: usize = 64;

/// A tree of named values. The root has no name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// What lies under the root, in order.
    pub children: Vec<Node>,
}

/// A named value or branch. Siblings may have the same name, and their order counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name, unique among siblings only by custom.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// More nodes, in order.
    Branch(Vec<Node>),
    /// A signed number.
    Integer(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A double as its IEEE 754 bits, so that trees compare exactly.
    Double(u64),
    /// Text, without the terminating NUL that a file may store.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Yes or no.
    Bool(bool),
}

impl Value {
    /// Names the type, for errors.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Branch(_) => "a node",
            Self::Integer(_) => "an integer",
            Self::Unsigned(_) => "an unsigned integer",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Bool(_) => "a bool",
        }
    }
}

impl Tree {
    /// Returns the first node at `path`, its names joined by `/`. Names compare without regard to
    /// ASCII case, as hosts write GUIDs either way.
    pub fn get(&self, path: &str) -> Option<&Node> {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let node = find(&self.children, first)?;
        if rest.is_empty() {
            Some(node)
        } else {
            node.get(rest)
        }
    }
}

impl Node {
    /// Makes a branch.
    pub fn branch(name: impl Into<String>, children: Vec<Self>) -> Self {
        Self::new(name, Value::Branch(children))
    }

    /// Makes a node of text.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name, Value::Text(text.into()))
    }

    /// Makes a node of a signed number.
    pub fn integer(name: impl Into<String>, number: i64) -> Self {
        Self::new(name, Value::Integer(number))
    }

    /// Makes a node of yes or no.
    pub fn bool(name: impl Into<String>, value: bool) -> Self {
        Self::new(name, Value::Bool(value))
    }

    /// Makes a node.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }

    /// Returns the nodes below this one; none below a value.
    pub fn children(&self) -> &[Self] {
        match &self.value {
            Value::Branch(children) => children,
            _ => &[],
        }
    }

    /// Returns the first node at `path` below this one, its names joined by `/`.
    pub fn get(&self, path: &str) -> Option<&Self> {
        path.split('/')
            .try_fold(self, |node, name| find(node.children(), name))
    }
}

fn find<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes
        .iter()
        .find(|node| node.name.eq_ignore_ascii_case(name))
}
