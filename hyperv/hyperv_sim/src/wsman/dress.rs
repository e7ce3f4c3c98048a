//! What Windows adds to instances and references, beyond what the protocol asks for.

use wmi::wsman::codec::{Element, ResourceUri, names};

/// Adds its type and its language to an instance, as the plug-in for WMI does.
pub(super) fn dress_instance(instance: &mut Element) {
    let class = format!("p:{}_Type", instance.name);
    let bare = std::mem::replace(instance, Element::new("", ""));
    *instance = bare
        .with_attribute(names::SCHEMA_INSTANCE, "type", class)
        .with_attribute(names::XML, "lang", "en-US");
    dress_references(instance);
}

/// Dresses all items of a page. Those of a projection are fragments: they do not tell their class.
pub(super) fn dress_page(page: &mut Element, is_projection: bool) {
    let holders = page
        .children
        .iter_mut()
        .filter(|child| &*child.name == "Items");
    for item in holders.flat_map(|items| &mut items.children) {
        if item.is(names::WSMAN, "Item") {
            item.children.iter_mut().for_each(dress_item);
        } else if is_projection && !item.is(names::ADDRESSING, "EndpointReference") {
            item.namespace = names::WSMAN.into();
            item.name = "XmlFragment".into();
            dress_references(item);
        } else {
            dress_item(item);
        }
    }
}

fn dress_item(item: &mut Element) {
    match item.is(names::ADDRESSING, "EndpointReference") {
        true => dress_references(item),
        false => dress_instance(item),
    }
}

/// Repeats the namespace among the selectors of each reference inside an element. The depth is
/// that of what a session gave, and a session's instances do not nest without end.
pub(super) fn dress_references(element: &mut Element) {
    if element.is(names::ADDRESSING, "ReferenceParameters") {
        let uri = element.child_text(names::WSMAN, "ResourceURI");
        let uri = uri.and_then(|uri| ResourceUri::parse(uri).ok());
        let set = element
            .children
            .iter_mut()
            .find(|one| one.is(names::WSMAN, "SelectorSet"));
        if let (Some(uri), Some(set)) = (uri, set) {
            let selector = Element::new(names::WSMAN, "Selector")
                .with_attribute("", "Name", "__cimnamespace")
                .with_text(uri.namespace.replace('\\', "/"));
            set.children.insert(0, selector);
        }
    }
    element.children.iter_mut().for_each(dress_references);
}
