//! Looking after keys: slots, data keys, domains, hosts (section 4). All of it is refused with a
//! host's key.

mod data_keys;
mod domains;
mod hosts;
mod key_slots;
mod ring_change;
#[cfg(test)]
mod threat_tests;

pub use domains::DomainInfo;
pub use hosts::HostInfo;
pub use key_slots::KeyInfo;
