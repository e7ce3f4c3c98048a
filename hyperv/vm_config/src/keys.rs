//! Typed access to keys, with errors that name the key's path.

use uuid::Uuid;

use crate::ConfigError;
use crate::tree::{Node, Value};

/// A branch and the path that leads to it.
#[derive(Clone)]
pub(crate) struct Keys<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(node: &'a Node, path: impl Into<String>) -> Self {
        Self {
            node,
            path: path.into(),
        }
    }

    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the branch at `path` below this one.
    pub(crate) fn below(&self, path: &str) -> Option<Self> {
        let node = self.node.get(path)?;
        Some(Self::new(node, self.path_of(path)))
    }

    fn path_of(&self, path: &str) -> String {
        format!("{}/{path}", self.path)
    }

    fn wrong(&self, path: &str, expected: &str, found: &Value) -> ConfigError {
        ConfigError::expected(self.path_of(path), expected, found.type_name())
    }

    pub(crate) fn missing(&self, path: &str) -> ConfigError {
        ConfigError::corrupt(self.path_of(path), "expected this key, found none")
    }

    pub(crate) fn text(&self, path: &str) -> Result<Option<&'a str>, ConfigError> {
        match self.node.get(path).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(path, "a string", other)),
        }
    }

    pub(crate) fn unsigned(&self, path: &str) -> Result<Option<u64>, ConfigError> {
        match self.node.get(path).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Unsigned(number)) => Ok(Some(*number)),
            Some(Value::Integer(number)) => u64::try_from(*number)
                .map(Some)
                .map_err(|_| ConfigError::expected(self.path_of(path), "a number from 0", number)),
            Some(other) => Err(self.wrong(path, "an integer", other)),
        }
    }

    pub(crate) fn number(&self, path: &str) -> Result<Option<u32>, ConfigError> {
        let Some(number) = self.unsigned(path)? else {
            return Ok(None);
        };
        u32::try_from(number)
            .map(Some)
            .map_err(|_| ConfigError::expected(self.path_of(path), "a number below 2^32", number))
    }

    pub(crate) fn bool(&self, path: &str) -> Result<Option<bool>, ConfigError> {
        match self.node.get(path).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::Integer(number)) => Ok(Some(*number != 0)),
            Some(Value::Unsigned(number)) => Ok(Some(*number != 0)),
            Some(other) => Err(self.wrong(path, "a bool", other)),
        }
    }

    pub(crate) fn guid(&self, path: &str) -> Result<Option<Uuid>, ConfigError> {
        let Some(text) = self.text(path)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        Uuid::parse_str(text).map(Some).map_err(|_| {
            ConfigError::expected(self.path_of(path), "a GUID", format_args!("{text:?}"))
        })
    }
}
