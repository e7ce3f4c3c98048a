//! The little XML that S3 speaks: elements and text, no attributes that matter.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 16;
/// Most elements of one answer: a page of 1,000 versions has some 12,000.
const ELEMENTS_MAX: usize = 200_000;

/// An element with its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name, without a prefix.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Element {
    /// Returns the text of the first child of a name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// Reads a document. Fails with what is wrong with it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "this is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if open.len() > DEPTH_MAX || elements > ELEMENTS_MAX {
                    return Err("too many elements".to_owned());
                }
                open.push(element(start.local_name().into_inner()));
            }
            Event::Empty(start) => {
                elements += 1;
                if elements > ELEMENTS_MAX {
                    return Err("too many elements".to_owned());
                }
                if let Some(parent) = open.last_mut() {
                    parent
                        .children
                        .push(element(start.local_name().into_inner()));
                }
            }
            Event::End(_) => {
                // The reader sees to it that each end has its start.
                if let (Some(done), Some(parent)) = (open.pop(), open.last_mut()) {
                    parent.children.push(done);
                }
            }
            Event::Text(text) => {
                push(&mut open, &text);
            }
            Event::CData(text) => {
                push(&mut open, &text);
            }
            Event::GeneralRef(reference) => {
                push(&mut open, &entity(&reference)?);
            }
            Event::DocType(_) => return Err("a document type is not read".to_owned()),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    if open.len() != 1 {
        return Err("it ends too early".to_owned());
    }
    let document = open.pop().unwrap_or_default();
    let mut roots = document.children;
    match (roots.len(), roots.pop()) {
        (1, Some(root)) => Ok(root),
        _ => Err("it has no single root".to_owned()),
    }
}

fn element(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(last) = open.last_mut() {
        last.text.push_str(text);
    }
}

/// Returns what `&name;` stands for.
fn entity(name: &str) -> Result<String, String> {
    let number = |text: &str| match text.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let one = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name
            .strip_prefix('#')
            .and_then(number)
            .and_then(char::from_u32),
    };
    one.map(String::from)
        .ok_or_else(|| "an entity that is not known".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_entities_are_read() {
        let root = parse(
            b"<?xml version=\"1.0\"?>\n<a:List xmlns:a='urn:x'><Key>a&amp;b&#x2f;c</Key>\
              <Empty/><In><Deep> 1 </Deep></In></a:List>",
        )
        .unwrap();
        assert_eq!(root.name, "List");
        assert_eq!(root.text_of("Key"), Some("a&b/c"));
        assert_eq!(root.text_of("Empty"), Some(""));
        assert_eq!(root.child("In").unwrap().text_of("Deep"), Some(" 1 "));
        assert_eq!(root.text_of("Nothing"), None);
    }

    #[test]
    fn nonsense_ends_as_an_error() {
        let deep = "<a>".repeat(100_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX + 1));
        for bad in [
            "",
            "words",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a>&nope;</a>",
            "<a>&#x110000;</a>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            &deep,
            &wide,
        ] {
            let start: String = bad.chars().take(40).collect();
            assert!(parse(bad.as_bytes()).is_err(), "{start}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }
}
