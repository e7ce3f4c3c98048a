//! Writing: chunks into packs, packs into the store, streams into maps, a run as a whole.

mod changed_tree;
mod changed_writer;
mod chunk_source;
mod condemned_watch;
mod index_writer;
mod known_chunks;
mod map_builder;
mod mender;
#[cfg(test)]
mod node_order_tests;
mod pack_buffer;
mod pack_builder;
mod pack_ticket;
mod pack_uploader;
mod proof;
mod publishing;
mod run_keeper;
mod run_writer;
mod sample_budget;
mod span_worker;
mod stream_job;
mod stream_tally;
mod stream_writer;

pub(crate) use chunk_source::ChunkSource;
pub(crate) use index_writer::IndexWriter;
pub(crate) use known_chunks::KnownChunks;
pub(crate) use pack_builder::{FinishedPack, PackBuilder, StagedFrames};
pub use proof::ProofReport;
pub use run_writer::RunWriter;
pub use sample_budget::SampleBudget;
pub use stream_writer::{StoredStream, StreamObserver};
