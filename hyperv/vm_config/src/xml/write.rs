//! From a tree to XML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::decode::{Encoding, encode};
use crate::ConfigError;
use crate::tree::{MAX_DEPTH, Node, Tree, Value};

/// Writes a tree as hosts up to 2012 R2 do: UTF-16LE with a byte order mark.
///
/// [`read_xml`](crate::read_xml) reads it back as an equal tree, except that an unsigned number
/// which fits a signed one comes back signed: XML has one type for both.
///
/// # Errors
///
/// `Unsupported` where the tree has not exactly one root `configuration`, is too deep, or holds a
/// name, a character or a value that XML has no form for.
pub fn write_xml(tree: &Tree) -> Result<Vec<u8>, ConfigError> {
    let [root] = tree.children.as_slice() else {
        return Err(ConfigError::unsupported("tree", "expected one root"));
    };
    if root.name != "configuration" || !matches!(root.value, Value::Branch(_)) {
        return Err(ConfigError::unsupported(
            root.name.clone(),
            "expected the root configuration",
        ));
    }
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\r\n");
    element(root, 0, &mut text)?;
    Ok(encode(&text, Encoding::Utf16Le))
}

fn element(node: &Node, depth: usize, text: &mut String) -> Result<(), ConfigError> {
    if depth >= MAX_DEPTH {
        return Err(ConfigError::unsupported(
            node.name.clone(),
            format!("expected at most {MAX_DEPTH} levels"),
        ));
    }
    check_name(&node.name)?;
    let indent = "  ".repeat(depth);
    let name = &node.name;
    let (kind, value) = match &node.value {
        Value::Branch(children) => {
            text.push_str(&format!("{indent}<{name}>\r\n"));
            for child in children {
                element(child, depth + 1, text)?;
            }
            text.push_str(&format!("{indent}</{name}>\r\n"));
            return Ok(());
        }
        Value::Text(value) => ("string", checked(name, value)?),
        Value::Integer(number) => ("integer", number.to_string()),
        Value::Unsigned(number) => ("integer", number.to_string()),
        Value::Bool(true) => ("bool", "True".to_owned()),
        Value::Bool(false) => ("bool", "False".to_owned()),
        Value::Bytes(bytes) => ("bytes", STANDARD.encode(bytes)),
        Value::Double(_) => {
            return Err(ConfigError::unsupported(
                name.clone(),
                "XML has no type for a double",
            ));
        }
    };
    text.push_str(&format!(
        "{indent}<{name} type=\"{kind}\">{value}</{name}>\r\n"
    ));
    Ok(())
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let mut characters = name.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let rest = characters
        .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.'));
    if first && rest {
        return Ok(());
    }
    Err(ConfigError::unsupported(
        name,
        "expected a name of ASCII letters, digits, '_', '-' and '.'",
    ))
}

fn checked(name: &str, text: &str) -> Result<String, ConfigError> {
    let allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(allowed) {
        return Ok(escape(text));
    }
    Err(ConfigError::unsupported(
        name,
        "XML has no form for a control character",
    ))
}

/// Escapes text so that a reader gives exactly it back, carriage returns included.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#xD;"),
            _ => escaped.push(character),
        }
    }
    escaped
}
