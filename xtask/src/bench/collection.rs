//! Garbage collection after half the points are dropped, with as many chunks as a TiB has.
//!
//! Lifeboat's repository is made by its own hidden `repo bench-fill`: small chunks, so that the
//! number of chunks, map nodes, index entries and points is that of a TiB in chunks of 64 KiB.
//! rustic gets files of random bytes in chunks as small as it takes, changed in the same pattern:
//! half of each file, 32,768 chunks at a time, so that most packs are needed whole or not at all.
//! What is compared is the processor time per chunk, because one machine does not hold as many of
//! rustic's.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use serde_json::Value;

use super::contender::{PASSWORD, Place};
use super::image::Image;
use super::lifeboat::Lifeboat;
use super::measure::{self, Measurement, Randomness};
use super::peers::find_program;

/// VMs, and chunks of each one's disk: with half of each changed, 17.3 million different chunks.
const VMS: u64 = 8;
const CHUNKS_OF_VM: u64 = 44 * TOGETHER;
/// What rustic gets: one file of as many chunks as a machine has patience for, half of it changed.
const RUSTIC_CHUNK_BYTES: u64 = 1024;
const RUSTIC_CHUNKS: u64 = 10 * TOGETHER;
/// Chunks that change together, in either.
const TOGETHER: u64 = 32_768;

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

/// Measures ours and rustic's; `scale` divides the number of chunks.
pub(crate) fn measure(own: &Lifeboat, image: &Image, work: &Path, scale: u64) -> Collection {
    let mut collection = Collection::default();
    match collect_own(own, scale) {
        Ok(collected) => collection.own = Some(collected),
        Err(reason) => collection.notes.push(format!("Collection: {reason}")),
    }
    // What cannot be removed is seen by whoever looks for space.
    drop(own.place().clear());
    let Some(program) = find_program("rustic", work) else {
        collection
            .notes
            .push("Collection: rustic is not installed".into());
        return collection;
    };
    let place = Place::new(work, "rustic-prune", image);
    match collect_rustic(&program, &place, scale) {
        Ok(collected) => collection.rustic = Some(collected),
        Err(reason) => collection
            .notes
            .push(format!("Collection, rustic: {reason}")),
    }
    drop(place.clear());
    print!("{}", collection.text());
    collection
}

fn collected(chunks: u64, took: &[Measurement]) -> Collected {
    let most = took.iter().map(|one| one.peak_memory_bytes).max();
    Collected {
        chunks,
        wall_seconds: took.iter().map(|one| one.wall_seconds).sum(),
        processor_seconds: took.iter().map(|one| one.processor_seconds).sum(),
        peak_memory_bytes: most.unwrap_or_default(),
    }
}

/// Fills a repository, drops the first point of each VM, and collects.
fn collect_own(own: &Lifeboat, scale: u64) -> Result<Collected, String> {
    own.place().clear()?;
    own.place().prepare()?;
    // An even number of runs, of which half are changed.
    let chunks = (CHUNKS_OF_VM / scale / TOGETHER / 2).max(1) * 2 * TOGETHER;
    let mut fill = own.command(&["repo", "bench-fill"]);
    fill.args(["--vms", &VMS.to_string(), "--chunks", &chunks.to_string()]);
    fill.arg("--recovery-key-file").arg(own.key_file());
    measure::run(own.with_key(fill))?;
    let mut took = Vec::new();
    let drop_points = own.command(&["repo", "bench-collect", "--drop-first-points"]);
    measure::run(own.with_key(drop_points))?;
    let collect = own.command(&["repo", "bench-collect"]);
    let (measured, output) = measure::run_with_output(own.with_key(collect))?;
    took.push(measured);
    println!("  {}", String::from_utf8_lossy(&output).trim());
    Ok(collected(VMS * chunks * 3 / 2, &took))
}

/// Backs a file up, changes half of it, backs it up again, drops the first snapshot, and prunes.
fn collect_rustic(program: &Path, place: &Place, scale: u64) -> Result<Collected, String> {
    place.clear()?;
    place.prepare()?;
    let rustic = |words: &[&str]| {
        let mut command = Command::new(program);
        command.env("RUSTIC_PASSWORD", PASSWORD);
        command.env("RUSTIC_NO_PROGRESS", "true");
        command.env("RUSTIC_CACHE_DIR", &place.cache);
        command.arg("-r").arg(&place.repository).args(words);
        command.current_dir(&place.vm);
        command
    };
    let size = RUSTIC_CHUNK_BYTES.to_string();
    let fixed = ["--set-chunker", "fixed_size", "--set-compression", "1"];
    measure::run(rustic(
        &[&["init", "--set-chunk-size", &size], &fixed[..]].concat(),
    ))?;
    let runs = (RUSTIC_CHUNKS / scale / TOGETHER / 2).max(1) * 2;
    let file = place.vm.join("disk.raw");
    write_noise(&file, 1, (0..runs).collect())?;
    measure::run(rustic(&["backup", "disk.raw"]))?;
    write_noise(&file, 2, (0..runs).step_by(2).collect())?;
    measure::run(rustic(&["backup", "disk.raw"]))?;
    let (_, output) = measure::run_with_output(rustic(&["snapshots", "--json"]))?;
    let first = first_snapshot(&output).ok_or("rustic lists no snapshot")?;
    measure::run(rustic(&["forget", &first]))?;
    let took = measure::run(rustic(&[
        "prune",
        "--instant-delete",
        "--max-repack",
        "unlimited",
    ]))?;
    Ok(collected(runs * TOGETHER * 3 / 2, &[took]))
}

/// Writes noise into these runs of a file.
fn write_noise(path: &Path, version: u32, runs: Vec<u64>) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut random = Randomness::new(&format!("collection {version}"));
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(text)?;
    let bytes = TOGETHER * RUSTIC_CHUNK_BYTES;
    let mut noise = vec![0; usize::try_from(bytes).unwrap_or_default()];
    for run in runs {
        random.fill(&mut noise);
        file.seek(SeekFrom::Start(run * bytes)).map_err(text)?;
        file.write_all(&noise).map_err(text)?;
    }
    Ok(())
}

/// The id of the oldest snapshot: rustic lists groups of snapshots, each by time.
fn first_snapshot(output: &[u8]) -> Option<String> {
    fn find(value: &Value) -> Option<String> {
        match value {
            Value::Array(all) => all.iter().find_map(find),
            Value::Object(fields) => match fields.get("id") {
                Some(Value::String(id)) => Some(id.clone()),
                _ => fields.values().find_map(find),
            },
            _ => None,
        }
    }
    find(&serde_json::from_slice(output).ok()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_oldest_snapshot_is_found_in_either_form() {
        for text in [
            r#"[{"group_key":{"host":"h"},"snapshots":[{"time":"t","id":"abc"},{"id":"def"}]}]"#,
            r#"[[{"hostname":"h"},[{"id":"abc"}]]]"#,
        ] {
            let found = super::first_snapshot(text.as_bytes());
            assert_eq!(found.as_deref(), Some("abc"));
        }
    }
}
