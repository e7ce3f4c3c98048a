//! The simulated host from afar: WS-Management over HTTP, as WinRM speaks it.
//!
//! ```text
//!   HTTP/1.1 ── access: Negotiate (NTLM, bare or in SPNEGO), Basic where allowed
//!      │           sealed body  ⇄  message                        wmi::wsman::sealed
//!      │        request: headers read and judged                  wmi::wsman::codec
//!      │        operations: Identify · Enumerate · Pull · Release · Get · methods
//!      ▼
//!   any WmiSession: query · get · invoke
//! ```
//!
//! # What is answered
//!
//! Addresses are those of WMI classes, filters are WQL. An enumeration is of objects, of
//! references or of both, at once (`OptimizeEnumeration`) or by Pull. Objects are named by all of
//! their keys or by as many as tell them apart. What fails is told as a fault with status 500: in
//! WinRM's own words (`f:WSManFault`) or, where WMI failed, as the instance of `MSFT_WmiError`
//! that Windows sends since 2012. Put, Create, Delete, events, shells and fragments are not there;
//! they are told so.
//!
//! # Who is let in
//!
//! One user with one password. NTLM's messages are checked as Windows checks them, and what
//! follows on that connection must be sealed: `AllowUnencrypted` is false. Basic is for tests on
//! loopback addresses. Kerberos, certificates and TLS are missing; TLS is put in front by whoever
//! wants to test it.
//!
//! # Bounds
//!
//! Connections, calls at once, bytes of requests and answers, open enumerations, their bytes and
//! their time, and the silence of a client are bounded by [`ServerOptions`], with WinRM's own
//! limits as defaults. An answer that is too large is a fault, and a Pull returns fewer items than
//! asked for before it comes to that. No message, however made, ends the service.
//!
//! A call is not given up when its `OperationTimeout` is over: sessions here do not wait.
//!
//! Sources: DSP0226 and DSP0227 of the DMTF; \[MS-WSMV\], \[MS-NLMP\], \[MS-SPNG\]; wsmerror.h.

mod access;
mod connection;
mod dress;
mod enumerations;
mod failure;
mod identification;
mod negotiation;
mod ntlm;
mod operations;
mod options;
mod request;
mod server;
mod service;
mod spnego;

pub use options::ServerOptions;
pub use server::{Server, serve};

/// Makes a name that nothing else has: `uuid:…`.
fn new_name() -> String {
    let mut bytes = [0; 16];
    // Without randomness names repeat, which a client notices.
    let _ = getrandom::fill(&mut bytes);
    let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    format!("uuid:{}", uuid.hyphenated().to_string().to_uppercase())
}
