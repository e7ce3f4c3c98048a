//! A request, read and judged before anything is done about it.

use wmi::wsman::codec::{Envelope, RequestHeader, ResourceUri, names};

use super::failure::Failure;

/// The least that an answer may have to fit into (DSP0226 section 13.1).
const ENVELOPE_BYTES_MIN: usize = 8 << 10;
/// What headers and frame of an answer take at most.
const FRAME_BYTES: usize = 2 << 10;
/// The selector that repeats the namespace.
const NAMESPACE_SELECTOR: &str = "__cimnamespace";
/// Names and addresses that a request may bring, in bytes.
const NAME_BYTES_MAX: usize = 4096;

/// A request whose headers are those that it needs.
pub(super) struct Request {
    pub(super) header: RequestHeader,
    pub(super) envelope: Envelope,
    /// Bytes that the answer may have.
    pub(super) answer_bytes_max: usize,
}

impl Request {
    /// Judges a message.
    pub(super) fn of(envelope: Envelope, service_bytes_max: usize) -> Result<Self, Failure> {
        let text = |namespace, name| {
            let text = envelope.header_text(namespace, name).unwrap_or_default();
            (!text.is_empty() && text.len() <= NAME_BYTES_MAX)
                .then_some(text)
                .ok_or(Failure::HeaderMissing(name))
        };
        text(names::ADDRESSING, "Action")?;
        text(names::ADDRESSING, "To")?;
        text(names::ADDRESSING, "MessageID")?;
        let uri = text(names::WSMAN, "ResourceURI").map_err(|_| Failure::ResourceUri)?;
        let uri = ResourceUri::parse(uri).map_err(|_| Failure::ResourceUri)?;
        check_namespace(&envelope, &uri)?;
        let header = RequestHeader::read(&envelope).map_err(Failure::Malformed)?;
        let asked = header.envelope_bytes_max.map(usize::try_from);
        let asked = asked.and_then(Result::ok).unwrap_or(service_bytes_max);
        if asked < ENVELOPE_BYTES_MIN {
            return Err(Failure::EnvelopeTooSmall);
        }
        Ok(Self {
            header,
            envelope,
            answer_bytes_max: asked.min(service_bytes_max),
        })
    }

    /// Returns the bytes that the items of an answer may have.
    pub(super) fn items_bytes_max(&self) -> usize {
        self.answer_bytes_max.saturating_sub(FRAME_BYTES)
    }
}

/// Checks that address and selector name the same namespace; omicli's issue 398 tells of a Windows
/// Server 2016 that refuses when they do not.
fn check_namespace(envelope: &Envelope, uri: &ResourceUri) -> Result<(), Failure> {
    let set = envelope.header(names::WSMAN, "SelectorSet");
    let selectors = set.map(|set| &*set.children).unwrap_or_default();
    let repeated = selectors.iter().find(|selector| {
        let name = selector.attribute("", "Name").unwrap_or_default();
        name.eq_ignore_ascii_case(NAMESPACE_SELECTOR)
    });
    let differs = repeated.is_some_and(|selector| {
        let namespace = selector.text.trim().replace('/', "\\");
        !namespace.eq_ignore_ascii_case(&uri.namespace)
    });
    match differs {
        true => Err(Failure::Namespaces),
        false => Ok(()),
    }
}
