//! Every finding and every failure of a host: what it means, why it matters, what to do.
//!
//! A finding says in one line what was found and what to do. Here stands the rest, as
//! `lifeboat explain` prints it, without asking anybody.
//!
//! ```text
//!   LB-1nnn  the host        LB-3nnn  disks, restores
//!   LB-2nnn  the VM, runs    LB-4nnn  the guest
//!                            LB-5nnn  the repository
//! ```
//!
//! [`recognize`] finds pages by what Windows and Hyper-V say: a message in any case and with any
//! names in it, an event's number, an `HRESULT`, a return value of a method. All of VSS's own codes
//! lead to a page, by what sort of failure the `vss` crate says they are.
//!
//! A code stays what it is for good: people search for it. One that is not used any more is never
//! given out again.
//!
//! A test reads the sources of the crates that make findings, and holds this table to them: no
//! finding without a page, no page without a finding.

#![forbid(unsafe_code)]

mod area;
mod entries;
mod explanation;
mod recognition;
mod result_code;

pub use area::Area;
pub use explanation::{Explanation, all, find, of_error, of_return_code};
pub use recognition::{Recognized, Sign, recognize};
pub use result_code::{ResultCode, result_code};
