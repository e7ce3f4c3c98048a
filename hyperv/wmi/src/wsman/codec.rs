//! WS-Management messages, both ways: what a client writes a host can read, and the reverse.
//!
//! ```text
//!   bytes ⇄ Element ⇄ Envelope { headers, body } ⇄ RequestHeader · ResponseHeader
//!                                                ⇄ Enumerate · Pull · Release · EnumerationPage
//!                                                ⇄ MethodCall · MethodOutput · Instance · Fault
//! ```
//!
//! The element tree is bounded in bytes, depth, elements and namespaces; there is no document type
//! and no entity beyond XML's own five. Names are compared with their namespace, so the prefixes
//! of the other side do not matter.
//!
//! Everything that a host sends is text here, as WS-Man has no types in its instances; the typed
//! getters of [`Instance`](crate::Instance) read numbers and truths from it.
//!
//! Sources: DSP0226 (WS-Management 1.0), DSP0227 (its binding to CIM), \[MS-WSMV\] sections 2.2.4
//! and 3.1.4, and what Windows is seen to send.

mod datetime;
mod element;
mod element_reader;
mod element_writer;
mod endpoint;
mod enumeration;
mod envelope;
mod fault;
mod fault_kind;
mod instance_xml;
mod method_xml;
pub mod names;
mod request_header;
mod resource_uri;
mod response_header;

pub use element::{Attribute, Element};
pub use endpoint::{endpoint_element, endpoint_path, selector_element, selector_keys};
pub use enumeration::{
    EnumerateRequest, EnumerationMode, EnumerationPage, PullRequest, ReleaseRequest,
};
pub use envelope::Envelope;
pub use fault::{Fault, FaultSide, ProviderFault};
pub use instance_xml::{instance_element, read_instance, read_value, value_elements};
pub use method_xml::{MethodCall, output_element, read_output};
pub use request_header::RequestHeader;
pub use resource_uri::ResourceUri;
pub use response_header::ResponseHeader;

pub(super) use resource_uri::shortened;

use crate::{WmiError, WmiErrorKind};

/// Makes the error of a message that is not what the protocol says.
fn malformed(why: impl std::fmt::Display) -> WmiError {
    WmiError::new(
        WmiErrorKind::Protocol,
        format!("a WS-Man message cannot be read: {why}"),
    )
}
