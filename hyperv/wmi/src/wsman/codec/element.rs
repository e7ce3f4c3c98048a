//! An element of XML with its namespace.

use std::sync::Arc;

/// An element: a name in a namespace, attributes, children, and all text between them as one.
///
/// The order between text and children is not kept: no message of WS-Man means anything by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The namespace; empty for none. Shared, since every property of an instance has the same.
    pub namespace: Arc<str>,
    /// The name without its prefix.
    pub name: Box<str>,
    /// The attributes, without declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// The elements inside.
    pub children: Vec<Self>,
    /// The text inside, without that of the elements inside.
    pub text: String,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The namespace; empty for none.
    pub namespace: Arc<str>,
    /// The name without its prefix.
    pub name: Box<str>,
    /// The value.
    pub value: String,
}

impl Element {
    /// Makes an empty element.
    pub fn new(namespace: impl Into<Arc<str>>, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    /// Sets the text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with_attribute(mut self, namespace: &str, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute {
            namespace: namespace.into(),
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Adds an element inside.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Returns whether this is the element of that namespace and name.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        &*self.namespace == namespace && &*self.name == name
    }

    /// Returns the first element inside of that namespace and name.
    pub fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// Returns the element that a way of names, all of one namespace, leads to.
    pub fn descend(&self, namespace: &str, names: &[&str]) -> Option<&Self> {
        names
            .iter()
            .try_fold(self, |element, name| element.child(namespace, name))
    }

    /// Returns the text of an element inside, without white space around it.
    pub fn child_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.child(namespace, name).map(|child| child.text.trim())
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| &*attribute.namespace == namespace && &*attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// Returns this element and all inside it, outermost first.
    pub fn descendants(&self) -> impl Iterator<Item = &Self> {
        let mut rest = vec![self];
        std::iter::from_fn(move || {
            let next = rest.pop()?;
            rest.extend(next.children.iter().rev());
            Some(next)
        })
    }
}
