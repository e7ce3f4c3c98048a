//! One client: handshake, then requests and replies, over any pair of byte streams.

mod answer;
mod buffer_room;
mod handshake;
mod transmission;

use std::time::Duration;

pub(crate) use buffer_room::BufferRoom;
pub(crate) use handshake::{Session, handshake};
pub(crate) use transmission::transmit;

/// The most that a read may ask for, in bytes: what the protocol calls portable.
pub(crate) const READ_BYTES_MAX: u32 = 32 << 20;

/// What clients may have of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Clients that are served at once; those beyond are turned away.
    pub connections: usize,
    /// Requests of one client that are served at once.
    pub in_flight: usize,
    /// Bytes of all replies that are being made; no less than one read may ask for, 32 MiB.
    pub buffer_bytes: usize,
    /// How long a client may take to say what it wants, and to take a part of a reply.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16,
            in_flight: 16,
            buffer_bytes: 64 << 20,
            patience: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod hostile_client_tests;
