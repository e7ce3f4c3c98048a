//! Writing: chunks into packs, packs into the store, streams into maps, a run as a whole.

mod index_writer;
mod known_chunks;
mod map_builder;
#[cfg(test)]
mod node_order_tests;
mod pack_buffer;
mod pack_builder;
mod pack_ticket;
mod pack_uploader;
mod run_writer;
mod span_worker;
mod stream_writer;

pub use run_writer::RunWriter;
pub use stream_writer::{StoredStream, StreamObserver};
