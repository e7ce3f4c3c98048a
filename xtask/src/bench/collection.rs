//! Garbage collection after half the points are dropped, with as many chunks as a TiB has.
//!
//! Lifeboat's repository is made by its own hidden `repo bench-fill`: small chunks, so that the
//! number of chunks, map nodes, index entries and points is that of a TiB in chunks of 64 KiB.
//! rustic gets files of random bytes in chunks as small as it takes, changed in the same pattern:
//! half of each file, 256 chunks at a time. What is compared is the processor time per chunk,
//! because one machine does not hold as many of rustic's.

use serde::Serialize;

/// What one tool took.
#[derive(Clone, Serialize)]
pub(crate) struct Collected {
    /// Chunks that were there before.
    pub(crate) chunks: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) processor_seconds: f64,
    pub(crate) peak_memory_bytes: u64,
}

impl Collected {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2 to the 52nd")]
    pub(crate) fn seconds_per_chunk(&self) -> f64 {
        self.processor_seconds / self.chunks.max(1) as f64
    }
}

/// The row of the table.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Collection {
    pub(crate) own: Option<Collected>,
    pub(crate) rustic: Option<Collected>,
    pub(crate) notes: Vec<String>,
}

impl Collection {
    /// The figures, for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (tool, row) in [("lifeboat", &self.own), ("rustic", &self.rustic)] {
            if let Some(row) = row {
                text.push_str(&format!(
                    "Collection, {tool}: {} chunks, {:.2} / {:.2} s, {:.2} µs of processors a chunk, {} MiB.\n",
                    row.chunks,
                    row.wall_seconds,
                    row.processor_seconds,
                    row.seconds_per_chunk() * 1e6,
                    row.peak_memory_bytes >> 20,
                ));
            }
        }
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        text
    }
}
