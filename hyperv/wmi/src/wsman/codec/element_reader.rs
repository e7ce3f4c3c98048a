//! Bytes to elements, within bounds.

use std::sync::Arc;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::{Attribute, Element, malformed, names};
use crate::limits::{DEPTH_MAX, RESPONSE_BYTES_MAX, VALUES_MAX};
use crate::{WmiError, WmiErrorKind};

/// Attributes of one element.
const ATTRIBUTES_MAX: usize = 64;

impl Element {
    /// Reads a document of UTF-8. Comments and processing instructions are passed over; a document
    /// type is refused, and with it every entity that XML does not define itself.
    ///
    /// Errors: `TooLarge`, `Protocol`.
    pub fn parse(bytes: &[u8]) -> Result<Self, WmiError> {
        if bytes.len() > RESPONSE_BYTES_MAX {
            let what = format!("a WS-Man message of {} bytes", bytes.len());
            return Err(WmiError::new(WmiErrorKind::TooLarge, what));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
        let mut tree = Tree::default();
        loop {
            let event = reader.read_event().map_err(malformed)?;
            match event {
                Event::Start(start) => tree.open(&start, reader.resolver())?,
                Event::Empty(start) => {
                    tree.open(&start, reader.resolver())?;
                    tree.close()?;
                }
                Event::End(_) => tree.close()?,
                Event::Text(text) => tree.text(&text.xml10_content())?,
                Event::CData(text) => tree.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let mut buffer = [0; 4];
                    tree.text(character(&reference)?.encode_utf8(&mut buffer))?;
                }
                Event::DocType(_) => return Err(malformed("it has a document type")),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        tree.finish()
    }
}

/// Returns the character of a numeric reference or of one of XML's own five.
fn character(reference: &BytesRef<'_>) -> Result<char, WmiError> {
    if let Some(character) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(character);
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_xml_entity(&name)
        .and_then(|text| text.chars().next())
        .ok_or_else(|| malformed("it has an entity that is not one of XML's own"))
}

/// The elements that are open, outermost first, and the document once it is whole.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    namespaces: Vec<Arc<str>>,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>, names: &NamespaceResolver) -> Result<(), WmiError> {
        self.elements += 1;
        if self.elements > VALUES_MAX {
            let what = format!("a WS-Man message of more than {VALUES_MAX} elements");
            return Err(WmiError::new(WmiErrorKind::TooLarge, what));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed("its elements are nested too deeply"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(malformed("it has a second document behind the first"));
        }
        let (namespace, name) = names.resolve_element(start.name());
        let namespace = self.intern(&namespace)?;
        let mut element = Element::new(namespace, name.as_ref());
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            if element.attributes.len() >= ATTRIBUTES_MAX {
                return Err(malformed("an element has too many attributes"));
            }
            let (namespace, name) = names.resolve_attribute(attribute.key);
            element.attributes.push(Attribute {
                namespace: self.intern(&namespace)?,
                name: name.as_ref().into(),
                value: attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(malformed)?
                    .into_owned(),
            });
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), WmiError> {
        let element = self
            .open
            .pop()
            .ok_or_else(|| malformed("an element ends that never began"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), WmiError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(malformed("it has text outside of its document")),
        }
        Ok(())
    }

    /// Returns the namespace, one allocation for each distinct one among the last few.
    fn intern(&mut self, namespace: &ResolveResult<'_>) -> Result<Arc<str>, WmiError> {
        const KEPT: usize = 16;
        let text = match namespace {
            ResolveResult::Bound(namespace) => namespace.0,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return Err(malformed("a prefix has no namespace")),
        };
        // The reader leaves references in the addresses of namespaces as they are.
        let text = quick_xml::escape::unescape(text).map_err(malformed)?;
        if let Some(known) = self.namespaces.iter().find(|known| ***known == *text) {
            return Ok(Arc::clone(known));
        }
        let fresh: Arc<str> = text.into();
        if self.namespaces.len() >= KEPT {
            self.namespaces.remove(0);
        }
        self.namespaces.push(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn finish(self) -> Result<Element, WmiError> {
        if !self.open.is_empty() {
            return Err(malformed("it ends inside an element"));
        }
        self.root.ok_or_else(|| malformed("it is empty"))
    }
}

impl Element {
    /// Returns whether the element has no value: `xsi:nil="true"`.
    pub fn is_nil(&self) -> bool {
        self.attribute(names::SCHEMA_INSTANCE, "nil")
            .is_some_and(|nil| nil == "true" || nil == "1")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        Element::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn names_have_namespaces_whatever_their_prefixes() {
        let text = "\u{feff}<?xml version='1.0'?><!-- c --><q:A xmlns:q='urn:1' xmlns='urn:2'>\
            x&lt;&#65;<B q:k='&quot;v' k='w'/><![CDATA[<y>]]><q:C xmlns:q='urn:3'/></q:A>\n";
        let element = Element::parse(text.as_bytes()).unwrap();
        assert!(element.is("urn:1", "A"));
        assert_eq!(element.text, "x<A<y>");
        let child = element.child("urn:2", "B").unwrap();
        assert_eq!(child.attribute("urn:1", "k"), Some("\"v"));
        assert_eq!(child.attribute("", "k"), Some("w"));
        assert!(element.child("urn:3", "C").is_some());
    }

    #[test]
    fn document_types_and_entities_are_refused() {
        let bomb = "<!DOCTYPE l [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
        assert!(refused(bomb).contains("document type"));
        assert!(refused("<l>&b;</l>").contains("entity"));
        assert!(refused("<l a='&b;'/>").contains("cannot be read"));
    }

    #[test]
    fn what_is_not_one_whole_document_is_refused() {
        for text in [
            "", "  ", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>x", "<p:a/>", "<a b/>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Element::parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn depth_attributes_and_namespaces_are_bounded() {
        assert!(refused(&"<a>".repeat(100_000)).contains("deeply"));
        let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
        assert!(refused(&format!("<a{attributes}/>")).contains("attributes"));
        let namespaces: String = (0..1000).map(|n| format!(" xmlns:a{n}='u{n}'")).collect();
        assert!(Element::parse(format!("<a{namespaces}/>").as_bytes()).is_err());
    }

    #[test]
    fn size_and_number_of_elements_are_bounded() {
        let large = vec![b' '; RESPONSE_BYTES_MAX + 1];
        assert_eq!(
            Element::parse(&large).unwrap_err().kind(),
            WmiErrorKind::TooLarge
        );
        let many = format!("<a>{}</a>", "<b/>".repeat(VALUES_MAX));
        let error = Element::parse(many.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::TooLarge);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Element::parse(&bytes);
        }

        #[test]
        fn no_markup_panics(text in "[<>/&;a:=' x!\\[\\]\\-?]{0,80}") {
            let _ = Element::parse(text.as_bytes());
        }
    }
}
