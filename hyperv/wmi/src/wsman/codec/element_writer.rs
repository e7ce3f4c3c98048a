//! Elements to text.

use super::names::{ENVELOPE_PREFIXES, PREFIXES};
use super::{Attribute, Element};

impl Element {
    /// Writes the element as a document, without declaration and without white space between
    /// elements. Namespaces get the prefixes that Windows uses; one that has none is `p`, `p1` and so on.
    pub fn to_xml(&self) -> String {
        let mut writer = Writer {
            xml: String::new(),
            scope: vec![("xml".to_owned(), super::names::XML.to_owned())],
            bound_first: &[],
        };
        if self.is(super::names::SOAP, "Envelope") {
            // Those of the protocol are bound once for the whole message. The subcode of a fault
            // relies on it: it is a text with a prefix.
            writer.bound_first = &ENVELOPE_PREFIXES;
        }
        writer.element(self);
        writer.xml
    }
}

struct Writer {
    xml: String,
    /// Prefixes that are bound here, outermost first.
    scope: Vec<(String, String)>,
    /// Namespaces that the next element binds, whether it needs them or not.
    bound_first: &'static [&'static str],
}

impl Writer {
    fn element(&mut self, element: &Element) {
        let outside = self.scope.len();
        for namespace in std::mem::take(&mut self.bound_first) {
            self.bind(namespace);
        }
        let name = match self.bind(&element.namespace) {
            Some(prefix) => format!("{prefix}:{}", element.name),
            None => element.name.to_string(),
        };
        let attributes: Vec<String> = element
            .attributes
            .iter()
            .map(|attribute| self.attribute(attribute))
            .collect();
        self.xml.push('<');
        self.xml.push_str(&name);
        for (prefix, namespace) in self.scope.iter().skip(outside) {
            self.xml
                .push_str(&format!(" xmlns:{prefix}=\"{}\"", escape(namespace)));
        }
        for attribute in attributes {
            self.xml.push_str(&attribute);
        }
        if element.children.is_empty() && element.text.is_empty() {
            self.xml.push_str("/>");
        } else {
            self.xml.push('>');
            self.xml.push_str(&escape(&element.text));
            for child in &element.children {
                self.element(child);
            }
            self.xml.push_str(&format!("</{name}>"));
        }
        self.scope.truncate(outside);
    }

    fn attribute(&mut self, attribute: &Attribute) -> String {
        let value = escape(&attribute.value);
        match self.bind(&attribute.namespace) {
            Some(prefix) => format!(" {prefix}:{}=\"{value}\"", attribute.name),
            None => format!(" {}=\"{value}\"", attribute.name),
        }
    }

    /// Returns the prefix of a namespace, which is bound here if it is not yet. No prefix is ever
    /// bound to something else further in, so that no binding hides another.
    fn bind(&mut self, namespace: &str) -> Option<String> {
        if namespace.is_empty() {
            return None;
        }
        if let Some((prefix, _)) = self.scope.iter().find(|(_, own)| own == namespace) {
            return Some(prefix.clone());
        }
        let known = PREFIXES.iter().find(|(_, known)| *known == namespace);
        let first = known.map_or("p", |(prefix, _)| prefix);
        let mut prefix = first.to_owned();
        let mut more = 0;
        while self.scope.iter().any(|(own, _)| *own == prefix) {
            more += 1;
            prefix = format!("{first}{more}");
        }
        self.scope.push((prefix.clone(), namespace.to_owned()));
        Some(prefix)
    }
}

/// Escapes a text for content and for attributes. Characters that XML 1.0 cannot carry at all are
/// replaced; line ends and tabs are written as references, so that they come back as they were.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(character))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::names;
    use super::*;

    #[test]
    fn prefixes_are_those_of_windows_and_bound_once() {
        let element = Element::new(names::SOAP, "Header")
            .with_child(Element::new(names::SOAP, "Body").with_child(
                Element::new("urn:a", "X").with_child(Element::new("urn:b", "Y").with_attribute(
                    names::SCHEMA_INSTANCE,
                    "nil",
                    "true",
                )),
            ))
            .with_child(Element::new("", "Z").with_text("<&"));
        assert_eq!(
            element.to_xml(),
            format!(
                "<s:Header xmlns:s=\"{}\"><s:Body><p:X xmlns:p=\"urn:a\"><p1:Y xmlns:p1=\"urn:b\" \
                 xmlns:xsi=\"{}\" xsi:nil=\"true\"/></p:X></s:Body><Z>&lt;&amp;</Z></s:Header>",
                names::SOAP,
                names::SCHEMA_INSTANCE
            )
        );
    }

    fn any_element() -> impl Strategy<Value = Element> {
        let namespace = prop_oneof![Just(""), Just(names::WSMAN), Just("urn:a"), Just("urn:&'b")];
        let leaf = (
            namespace,
            "[A-Za-z_][A-Za-z0-9]{0,5}",
            "[ -~\t\r\né€]{0,12}",
        )
            .prop_map(|(namespace, name, text)| {
                Element::new(namespace, &name)
                    .with_attribute(namespace, "a", text.clone())
                    .with_attribute("urn:c", "c", "1")
                    .with_text(text)
            });
        leaf.prop_recursive(4, 20, 4, |inner| {
            (inner.clone(), proptest::collection::vec(inner, 0..4))
                .prop_map(|(outer, children)| Element { children, ..outer })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_comes_back(element in any_element()) {
            let xml = element.to_xml();
            prop_assert_eq!(Element::parse(xml.as_bytes()).unwrap(), element, "{}", xml);
        }
    }
}
