//! Selectors and endpoint references: how WS-Man names an object (DSP0226 section 5.1.2).

use super::{Element, ResourceUri, malformed, names};
use crate::limits::PATH_BYTES_MAX;
use crate::{ObjectPath, WmiError};

/// The selector by which Windows repeats the namespace. It is no key.
const NAMESPACE_SELECTOR: &str = "__cimnamespace";

/// Writes an object's keys as `w:SelectorSet`; `None` where it has none.
pub fn selector_element(path: &ObjectPath) -> Option<Element> {
    let mut set = Element::new(names::WSMAN, "SelectorSet");
    for (name, value) in path.keys() {
        let selector = Element::new(names::WSMAN, "Selector")
            .with_attribute("", "Name", name)
            .with_text(value);
        set.children.push(selector);
    }
    (!set.children.is_empty()).then_some(set)
}

/// Reads the keys of a `w:SelectorSet`. The key of an association is a reference, which becomes
/// the text of its path, as in WMI's own paths.
///
/// Errors: `Protocol`.
pub fn selector_keys(set: &Element) -> Result<Vec<(String, String)>, WmiError> {
    let mut keys = Vec::new();
    for selector in &set.children {
        if !selector.is(names::WSMAN, "Selector") {
            continue;
        }
        let name = selector
            .attribute("", "Name")
            .ok_or_else(|| malformed("a selector has no name"))?;
        if name.eq_ignore_ascii_case(NAMESPACE_SELECTOR) {
            continue;
        }
        let value = match selector.child(names::ADDRESSING, "EndpointReference") {
            Some(reference) => endpoint_path(reference)?.to_string(),
            // White space is part of a key.
            None => selector.text.clone(),
        };
        keys.push((name.to_owned(), value));
    }
    Ok(keys)
}

/// Makes the path of an object from what its address and its selectors say.
pub(super) fn path_of(uri: &ResourceUri, set: Option<&Element>) -> Result<ObjectPath, WmiError> {
    let mut path = ObjectPath::new(&uri.namespace, &uri.class);
    for (name, value) in set.map_or_else(|| Ok(Vec::new()), selector_keys)? {
        path = path.with_key(&name, value);
    }
    if path.to_string().len() > PATH_BYTES_MAX {
        return Err(malformed("a reference is too long"));
    }
    Ok(path)
}

/// Writes a reference to an object into `element`: `a:EndpointReference` among the items of an
/// enumeration, the parameter or the property itself elsewhere.
pub fn endpoint_element(element: Element, path: &ObjectPath) -> Element {
    let uri = ResourceUri::of_path(path).to_string();
    let mut parameters = Element::new(names::ADDRESSING, "ReferenceParameters")
        .with_child(Element::new(names::WSMAN, "ResourceURI").with_text(uri));
    parameters.children.extend(selector_element(path));
    element
        .with_child(Element::new(names::ADDRESSING, "Address").with_text(names::ANONYMOUS))
        .with_child(parameters)
}

/// Reads a reference to an object, from whichever element holds it.
///
/// Errors: `Protocol`.
pub fn endpoint_path(element: &Element) -> Result<ObjectPath, WmiError> {
    let holder = element
        .child(names::ADDRESSING, "EndpointReference")
        .unwrap_or(element);
    let parameters = holder
        .child(names::ADDRESSING, "ReferenceParameters")
        .ok_or_else(|| malformed("a reference has no parameters"))?;
    let uri = parameters
        .child_text(names::WSMAN, "ResourceURI")
        .ok_or_else(|| malformed("a reference has no address"))?;
    path_of(
        &ResourceUri::parse(uri)?,
        parameters.child(names::WSMAN, "SelectorSet"),
    )
}

/// Returns whether an element holds a reference to an object.
pub(super) fn is_endpoint(element: &Element) -> bool {
    ["ReferenceParameters", "EndpointReference"]
        .iter()
        .any(|name| element.child(names::ADDRESSING, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_as_windows_sends_it_is_a_path() {
        let xml = r#"<a:EndpointReference xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
            xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
            <a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>
            <a:ReferenceParameters>
            <w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ConcreteJob</w:ResourceURI>
            <w:SelectorSet><w:Selector Name="__cimnamespace">root/virtualization/v2</w:Selector>
            <w:Selector Name="InstanceID">6A1B\0</w:Selector></w:SelectorSet>
            </a:ReferenceParameters></a:EndpointReference>"#;
        let path = endpoint_path(&Element::parse(xml.as_bytes()).unwrap()).unwrap();
        let expected = ObjectPath::new(crate::VIRTUALIZATION, "Msvm_ConcreteJob")
            .with_key("InstanceID", r"6A1B\0");
        assert_eq!(path, expected);
        assert_eq!(path.keys().count(), 1);
    }

    #[test]
    fn references_come_back_also_inside_each_other() {
        let vm = ObjectPath::new(crate::VIRTUALIZATION, "Msvm_ComputerSystem")
            .with_key("CreationClassName", "Msvm_ComputerSystem")
            .with_key("Name", " a\"b ");
        let element = endpoint_element(Element::new("urn:x", "System"), &vm);
        let read = Element::parse(element.to_xml().as_bytes()).unwrap();
        assert_eq!(endpoint_path(&read).unwrap(), vm);

        let inner = endpoint_element(Element::new(names::ADDRESSING, "EndpointReference"), &vm);
        let selector = Element::new(names::WSMAN, "Selector")
            .with_attribute("", "Name", "Antecedent")
            .with_child(inner);
        let keys = selector_keys(&Element::new(names::WSMAN, "SelectorSet").with_child(selector));
        let [(name, value)] = &keys.unwrap()[..] else {
            panic!("one key expected");
        };
        assert_eq!(name, "Antecedent");
        assert_eq!(ObjectPath::parse(value), Some(vm));
    }
}
