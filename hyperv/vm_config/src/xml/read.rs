//! From XML to the tree.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::decode::{Encoding, decode, encode};
use super::write::escape;
use crate::tree::{MAX_DEPTH, MAX_NODES, Node, Tree, Value};
use crate::{ConfigError, ConfigErrorKind};

/// An XML configuration that was read.
pub(crate) struct Opened<'a> {
    pub(crate) tree: Tree,
    /// Where the content of each node lies in the text, in the order of a walk that visits
    /// parents before children.
    pub(crate) places: Vec<Range<usize>>,
    text: Cow<'a, str>,
    encoding: Encoding,
}

impl Opened<'_> {
    /// Returns the file with the content of the nodes at these positions of `places` replaced.
    pub(crate) fn with_texts(&self, mut texts: Vec<(usize, &str)>) -> Vec<u8> {
        texts.sort_by_key(|(index, _)| *index);
        let mut edited = String::with_capacity(self.text.len());
        let mut done = 0;
        for (index, text) in texts {
            // Leaves do not overlap, and they lie in the order of the walk.
            if let Some(place) = self.places.get(index) {
                edited.push_str(self.text.get(done..place.start).unwrap_or_default());
                edited.push_str(&escape(text));
                done = place.end;
            }
        }
        edited.push_str(self.text.get(done..).unwrap_or_default());
        encode(&edited, self.encoding)
    }
}

/// Reads an XML configuration.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened<'_>, ConfigError> {
    let (text, encoding) = decode(bytes).map_err(|error| unless_foreign(error, bytes))?;
    let mut walk = Walk::default();
    let mut reader = Reader::from_str(&text);
    loop {
        let start = position(reader.buffer_position());
        let step = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => walk.event(event, start, position(reader.buffer_position())),
            Err(error) => Err(ConfigError::corrupt("XML", error.to_string())),
        };
        if let Err(error) = step {
            let before = text.get(..start).unwrap_or(&text);
            let error = error.at(encoding.offset_behind(before));
            return Err(if walk.places.is_empty() {
                unless_foreign(error, bytes)
            } else {
                error
            });
        }
    }
    let end = encoding.offset_behind(&text);
    let (tree, places) = walk.finish().map_err(|error| error.at(end))?;
    Ok(Opened {
        tree,
        places,
        text,
        encoding,
    })
}

/// A file that fails before its root and never mentions ours is something else, not a damaged
/// configuration.
fn unless_foreign(error: ConfigError, bytes: &[u8]) -> ConfigError {
    // Without NULs, ASCII looks the same in all encodings that we read.
    let start: Vec<u8> = bytes
        .iter()
        .take(64 << 10)
        .copied()
        .filter(|byte| *byte != 0)
        .collect();
    let root = b"<configuration";
    if start.windows(root.len()).any(|window| window == root) {
        return error;
    }
    ConfigError::new(
        ConfigErrorKind::NotAConfiguration,
        "XML",
        "expected the root configuration, found none",
    )
    .caused_by(error)
}

fn position(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// An element whose end has not come yet.
struct Open {
    name: String,
    kind: Option<String>,
    text: String,
    children: Vec<Node>,
    /// Its position in `places`.
    index: usize,
}

#[derive(Default)]
struct Walk {
    open: Vec<Open>,
    root: Option<Node>,
    places: Vec<Range<usize>>,
}

impl Walk {
    fn event(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), ConfigError> {
        match event {
            Event::Start(element) => self.begin(&element, end),
            Event::Empty(element) => {
                self.begin(&element, end)?;
                self.end(end)
            }
            Event::End(_) => self.end(start),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => predefined(&reference),
                    Err(error) => return Err(ConfigError::corrupt("XML", error.to_string())),
                };
                match character {
                    Some(character) => self.text(character.encode_utf8(&mut [0; 4])),
                    None => Err(ConfigError::unsupported(
                        "XML",
                        format!(
                            "expected one of XML's own entities, found &{};",
                            &*reference
                        ),
                    )),
                }
            }
            Event::DocType(_) => Err(ConfigError::unsupported("XML", "expected no DTD")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn begin(&mut self, element: &BytesStart<'_>, content: usize) -> Result<(), ConfigError> {
        let name: &str = element.name().into_inner();
        if self.open.is_empty() {
            if self.root.is_some() {
                return Err(ConfigError::expected("XML", "the end of the file", name));
            }
            if name != "configuration" {
                return Err(ConfigError::new(
                    ConfigErrorKind::NotAConfiguration,
                    "XML",
                    format!("expected the root configuration, found {name}"),
                ));
            }
        }
        if self.open.len() >= MAX_DEPTH || self.places.len() >= MAX_NODES {
            return Err(ConfigError::unsupported(
                "XML",
                format!("expected at most {MAX_DEPTH} levels and {MAX_NODES} elements"),
            ));
        }
        let mut kind = None;
        for attribute in element.attributes() {
            let attribute =
                attribute.map_err(|error| ConfigError::corrupt("XML", error.to_string()))?;
            if attribute.key.into_inner() == "type" {
                kind = Some(attribute.value.into_owned());
            }
        }
        self.open.push(Open {
            name: name.to_owned(),
            kind,
            text: String::new(),
            children: Vec::new(),
            index: self.places.len(),
        });
        self.places.push(content..content);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ConfigError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => {
                return Err(ConfigError::corrupt(
                    "XML",
                    "expected no text outside the root",
                ));
            }
        }
        Ok(())
    }

    fn end(&mut self, content_end: usize) -> Result<(), ConfigError> {
        // The reader has matched the names already.
        let Some(element) = self.open.pop() else {
            return Ok(());
        };
        if let Some(place) = self.places.get_mut(element.index) {
            place.end = content_end;
        }
        let node = element.into_node()?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn finish(self) -> Result<(Tree, Vec<Range<usize>>), ConfigError> {
        if let Some(element) = self.open.last() {
            return Err(ConfigError::expected(
                "XML",
                format_args!("the end of {}", element.name),
                "the end of the file",
            ));
        }
        let root = self.root.ok_or_else(|| {
            ConfigError::new(
                ConfigErrorKind::NotAConfiguration,
                "XML",
                "expected the root configuration, found none",
            )
        })?;
        let tree = Tree {
            children: vec![root],
        };
        Ok((tree, self.places))
    }
}

impl Open {
    fn into_node(self) -> Result<Node, ConfigError> {
        let blank = self.text.trim().is_empty();
        if !self.children.is_empty() {
            if self.kind.is_some() || !blank {
                return Err(ConfigError::expected(
                    self.name,
                    "either elements or a value",
                    "both",
                ));
            }
            return Ok(Node::branch(self.name, self.children));
        }
        let value = match self.kind.as_deref() {
            None if blank => Value::Branch(Vec::new()),
            Some("integer") => integer(&self.name, self.text.trim())?,
            Some("bool") => bool(&self.name, self.text.trim())?,
            Some("bytes") => bytes(&self.name, &self.text)?,
            // A type that no file has shown yet is kept as what it says.
            _ => Value::Text(self.text),
        };
        Ok(Node::new(self.name, value))
    }
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn integer(name: &str, text: &str) -> Result<Value, ConfigError> {
    text.parse()
        .map(Value::Integer)
        .or_else(|_| text.parse().map(Value::Unsigned))
        .map_err(|_| ConfigError::expected(name, "an integer", format_args!("{text:?}")))
}

fn bool(name: &str, text: &str) -> Result<Value, ConfigError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Value::Bool(true)),
        "false" | "0" => Ok(Value::Bool(false)),
        _ => Err(ConfigError::expected(
            name,
            "True or False",
            format_args!("{text:?}"),
        )),
    }
}

fn bytes(name: &str, text: &str) -> Result<Value, ConfigError> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD
        .decode(text)
        .map(Value::Bytes)
        .map_err(|error| ConfigError::corrupt(name, "expected base64").caused_by(error))
}
