//! What a guest's own tools printed, pasted by somebody.
//!
//! ```text
//!   text ──┬─► lsmod                      ──► GUEST-MODULE
//!          ├─► ps                         ──► GUEST-DAEMON
//!          ├─► vssadmin list writers      ──► GUEST-WRITER, HOST-VSS-WRITER
//!          └─► vssadmin list shadowstorage ─► HOST-SHADOW-STORAGE
//! ```
//!
//! The host sees of a guest only whether it answers. Why it does not is told by the guest itself,
//! and for that nothing has to be installed: its tools' output is pasted, one after the other or
//! all at once. What sort of listing it is, is told by what is in it; listings of several sorts may
//! follow each other. Any text is taken; at most 1 MiB of it is looked at.
//!
//! # What is missing
//!
//! A module that is built into a kernel is in no list: the finding says so.

#![forbid(unsafe_code)]

mod linux;
mod windows;

use hyperv_host::Finding;

/// What was found in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Which listings it has, with what is in them: `lsmod: 5 Hyper-V modules`.
    pub parts: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Most bytes of a text that are looked at.
const TEXT_MAX_BYTES: usize = 1 << 20;

/// Reads what was pasted. A text without any listing that is known has no parts.
pub fn read_listing(text: &str) -> Listing {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let mut listing = Listing::default();
    linux::modules(text, &mut listing);
    linux::daemons(text, &mut listing);
    windows::writers(text, &mut listing);
    windows::shadow_storage(text, &mut listing);
    listing
}
