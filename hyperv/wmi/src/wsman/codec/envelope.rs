//! The envelope of SOAP 1.2.

use super::{Element, malformed, names};
use crate::WmiError;

/// A message: headers and a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The headers, in order.
    pub headers: Vec<Element>,
    /// What the body holds: nothing in a request for an instance, else one element.
    pub body: Option<Element>,
}

impl Envelope {
    /// Reads a message.
    ///
    /// Errors: `TooLarge`, `Protocol`.
    pub fn parse(bytes: &[u8]) -> Result<Self, WmiError> {
        let root = Element::parse(bytes)?;
        if !root.is(names::SOAP, "Envelope") {
            return Err(malformed("it is no SOAP envelope"));
        }
        let mut envelope = Self::default();
        let mut bodies = 0;
        for part in root.children {
            if part.is(names::SOAP, "Header") {
                envelope.headers.extend(part.children);
            } else if part.is(names::SOAP, "Body") {
                bodies += 1;
                envelope.body = part.children.into_iter().next();
            }
        }
        match bodies {
            1 => Ok(envelope),
            _ => Err(malformed("it has not exactly one body")),
        }
    }

    /// Writes the message.
    pub fn to_xml(&self) -> String {
        let mut header = Element::new(names::SOAP, "Header");
        header.children.clone_from(&self.headers);
        let mut body = Element::new(names::SOAP, "Body");
        body.children.extend(self.body.clone());
        Element::new(names::SOAP, "Envelope")
            .with_attribute(names::XML, "lang", "en-US")
            .with_child(header)
            .with_child(body)
            .to_xml()
    }

    /// Returns a header.
    pub fn header(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.headers
            .iter()
            .find(|header| header.is(namespace, name))
    }

    /// Returns the text of a header, without white space around it.
    pub fn header_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.header(namespace, name)
            .map(|header| header.text.trim())
    }

    /// Returns what is asked, or what came back.
    ///
    /// Errors: `Protocol` where there is none.
    pub fn action(&self) -> Result<&str, WmiError> {
        self.header_text(names::ADDRESSING, "Action")
            .ok_or_else(|| malformed("it has no action"))
    }

    /// Returns the element of the body, if it is the one of that name.
    ///
    /// Errors: `Protocol`.
    pub fn expect_body(&self, namespace: &str, name: &str) -> Result<&Element, WmiError> {
        self.body
            .as_ref()
            .filter(|body| body.is(namespace, name))
            .ok_or_else(|| malformed(format!("its body is not {name}")))
    }
}
