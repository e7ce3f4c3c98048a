//! WMI of another machine, over WS-Management (WinRM).
//!
//! ```text
//!   WsmanSession          query · get · invoke; one message under way
//!        │ codec          SOAP envelopes ⇄ instances, methods, faults
//!        │ transport      connect, log in, seal, repeat what may be repeated
//!        │ sealed         multipart/encrypted ⇄ plain body
//!        ▼ connection     HTTP/1.1 over TCP or TLS, bounded
//!   http://host:5985/wsman · https://host:5986/wsman
//! ```
//!
//! # Who sees what
//!
//! Over `winrm://` every message is sealed with the key that NTLM agreed on (\[MS-WSMV\] section
//! 2.2.9.1); an answer that is not sealed is refused, and so is a host that agrees to no strong
//! key. Over `winrms://` TLS protects the messages, and the login is bound to the certificate (RFC
//! 5929). Basic is for TLS only. What a host sends to be followed elsewhere is not followed.
//!
//! # One connection
//!
//! NTLM authenticates a connection, so there is one, and requests take turns on it. One that broke
//! is made anew: for a request that the host cannot have read, and once for queries and gets. A
//! method that may have been carried out is never sent again, nor is a Pull, which would skip what
//! the host had already sent.
//!
//! # Bounds
//!
//! Bytes, headers, nesting, elements, instances and pages are bounded ([`crate::limits`]); an
//! enumeration that gets nowhere is an error. A request takes at most its timeout and a little.
//!
//! # Deliberately missing
//!
//! Kerberos and CredSSP (a host in a domain takes NTLM unless a policy forbids it), proxies,
//! shells, events, Put, Create and Delete.
//!
//! Sources: DSP0226, DSP0227, \[MS-WSMV\], \[MS-NLMP\], \[MS-NTHT\].

mod address;
pub mod codec;
mod connection;
mod enumeration_walk;
mod login;
mod ntlm;
mod options;
mod query_form;
pub mod sealed;
mod session;
mod tls;
mod transport;

pub use address::WsmanAddress;
pub use options::{WsmanAuthentication, WsmanOptions};
pub use session::WsmanSession;
