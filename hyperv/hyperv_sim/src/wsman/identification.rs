//! What the service is: `wsmid:Identify` (DSP0226 section 11).

use wmi::wsman::codec::{Element, Envelope, names};

/// Returns whether a message asks for it.
pub(super) fn is_asked(envelope: &Envelope) -> bool {
    let body = envelope.body.as_ref();
    body.is_some_and(|body| body.is(names::IDENTITY, "Identify"))
}

/// Writes the answer. Who has not said who they are is not told the version.
pub(super) fn reply(product_version: Option<&str>) -> String {
    let text = |name: &str, text: &str| Element::new(names::IDENTITY, name).with_text(text);
    let version = product_version.unwrap_or("OS: 0.0.0 SP: 0.0 Stack: 3.0");
    let body = Element::new(names::IDENTITY, "IdentifyResponse")
        .with_child(text("ProtocolVersion", names::WSMAN))
        .with_child(text("ProductVendor", "Microsoft Corporation"))
        .with_child(text("ProductVersion", version));
    Envelope {
        headers: Vec::new(),
        body: Some(body),
    }
    .to_xml()
}
