//! Where an object is: `\\HOST\root\virtualization\v2:Class.Key="value"`.

use std::fmt;

use crate::limits::PATH_BYTES_MAX;

/// The path of an object (DSP0207; WMI's `__PATH`).
///
/// Two paths are equal when they name the same object, so the host and the order of the keys do
/// not count, nor does the case of names.
#[derive(Debug, Clone, Default)]
pub struct ObjectPath {
    host: Option<String>,
    namespace: String,
    class: String,
    keys: Vec<(String, String)>,
}

impl ObjectPath {
    /// Makes the path of a class, to which keys are added.
    pub fn new(namespace: impl Into<String>, class: impl Into<String>) -> Self {
        Self {
            host: None,
            namespace: namespace.into(),
            class: class.into(),
            keys: Vec::new(),
        }
    }

    /// Adds a key.
    #[must_use]
    pub fn with_key(mut self, name: &str, value: impl Into<String>) -> Self {
        self.keys.push((name.to_owned(), value.into()));
        self
    }

    /// Names the host, as WMI itself does in every path that it gives out.
    #[must_use]
    pub fn on_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Reads a path. One without host or namespace is relative, and has an empty namespace.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        // A colon or a dot inside a quoted key is not a separator; keys come last.
        let quoted = text.find('"').unwrap_or(text.len());
        let head = text.get(..quoted)?;
        let (place, object_start) = match head.find(':') {
            Some(colon) => (text.get(..colon)?, colon + 1),
            None => ("", 0),
        };
        let mut path = Self::default();
        let place = place.replace('/', "\\");
        match place.strip_prefix("\\\\") {
            Some(rest) => {
                let (host, namespace) = rest.split_once('\\')?;
                path.host = Some(host.to_owned()).filter(|host| host != ".");
                path.namespace = namespace.to_owned();
            }
            None => path.namespace = place,
        }
        let object = text.get(object_start..)?;
        let class_end = object.find(['.', '=']).unwrap_or(object.len());
        path.class = object.get(..class_end)?.to_owned();
        if path.class.is_empty() || path.class.contains(['"', '\\', ' ']) {
            return None;
        }
        let rest = object.get(class_end..)?;
        if let Some(keys) = rest.strip_prefix('.') {
            path.keys = parse_keys(keys)?;
        } else if !rest.is_empty() && rest != "=@" {
            return None;
        }
        Some(path)
    }

    /// Returns the host that the path names.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the namespace, such as `root\virtualization\v2`; empty in a relative path.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the class.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Returns the keys, in the order they came.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of a key.
    pub fn key(&self, name: &str) -> Option<&str> {
        self.keys()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns the path without host and namespace: `Class.Key="value"`.
    pub fn relative(&self) -> String {
        let keys: Vec<String> = self
            .keys()
            .map(|(name, value)| format!("{name}={}", quote(value)))
            .collect();
        if keys.is_empty() {
            return self.class.clone();
        }
        format!("{}.{}", self.class, keys.join(","))
    }

    fn comparable(&self) -> (String, Vec<(String, &str)>) {
        let mut keys: Vec<_> = self
            .keys()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        keys.sort_unstable();
        (self.class.to_lowercase(), keys)
    }
}

impl PartialEq for ObjectPath {
    fn eq(&self, other: &Self) -> bool {
        let same_namespace = self.namespace.is_empty()
            || other.namespace.is_empty()
            || self.namespace.eq_ignore_ascii_case(&other.namespace);
        same_namespace && self.comparable() == other.comparable()
    }
}

impl Eq for ObjectPath {}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "\\\\{host}\\")?;
        }
        if !self.namespace.is_empty() {
            write!(f, "{}:", self.namespace)?;
        }
        f.write_str(&self.relative())
    }
}

/// Writes a text as a literal of WQL or of a path: in double quotes, with `\` and `"` escaped.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads `Name="value",Name=5`.
fn parse_keys(text: &str) -> Option<Vec<(String, String)>> {
    let mut keys = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => parse_quoted(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after.get(..end)?.to_owned(), after.get(end..)?)
            }
        };
        keys.push((name.to_owned(), value));
        if tail.is_empty() {
            return Some(keys);
        }
        rest = tail.strip_prefix(',')?;
    }
}

/// Reads up to the closing quote; returns the value and what follows.
fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_real_path_is_read() {
        let text = r#"\\HV1\root\virtualization\v2:Msvm_DiskDrive.CreationClassName="Msvm_DiskDrive",DeviceID="Microsoft:5E\\3",SystemName="HV1""#;
        let path = ObjectPath::parse(text).unwrap();
        assert_eq!(path.host(), Some("HV1"));
        assert_eq!(path.namespace(), crate::VIRTUALIZATION);
        assert_eq!(path.class(), "Msvm_DiskDrive");
        assert_eq!(path.key("deviceid"), Some(r"Microsoft:5E\3"));
        assert_eq!(path.to_string(), text);
        let relative = r#"Msvm_DiskDrive.SystemName="HV1",DeviceID="Microsoft:5E\\3",CreationClassName="Msvm_DiskDrive""#;
        assert_eq!(ObjectPath::parse(relative), Some(path));
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [
            "",
            ":",
            r#"X.A="open"#,
            "\\\\host",
            "X.A",
            "X=1",
            "a b",
            r#"X.A="1"B="2""#,
        ] {
            assert_eq!(ObjectPath::parse(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn paths_come_back(value in any::<String>(), number in 0_u32..100) {
            let path = ObjectPath::new(crate::CIMV2, "C")
                .with_key("K", value)
                .with_key("N", number.to_string())
                .on_host("H");
            prop_assert_eq!(ObjectPath::parse(&path.to_string()), Some(path));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = ObjectPath::parse(&text);
        }
    }
}
