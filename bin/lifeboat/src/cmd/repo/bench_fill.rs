//! The hidden `lifeboat repo bench-fill`, for `cargo xtask bench`: a repository that has as many
//! chunks, map nodes and points as a large one, in little space and time.
//!
//! Everything is written by the writer that backups use. What is small is the chunk: 4 KiB, and most
//! of that one byte again and again. So a disk of 64 GiB has the chunks and the map of one of 1 TiB
//! in chunks of 64 KiB, and its packs the smallest size that there is.

use std::path::PathBuf;

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, ExtentKind, check_range};
use clap::Args;
use repository::{
    InitOptions, RecoveryKey, Repository, RestorePoint, RunWriter, StoredStream, Stream,
    StreamObserver, StreamRole, Unlock,
};
use serde_json::{Value, json};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::recovery_key_file;

/// The host that points which were made up name.
pub(super) const HOST: &str = "bench";

const CHUNK_BYTES: u32 = 4 << 10;
/// Chunks that change together: 128 leaves of a map, which fill some packs. Frames are so small here
/// that in shorter runs every part of every pack would have something alive in it.
const RUN_CHUNKS: u64 = 128 * 256;
/// Bytes of each chunk that do not compress.
const NOISE_BYTES: usize = 48;

#[derive(Debug, Args)]
pub(crate) struct BenchFillArgs {
    /// VMs, each with two restore points
    #[arg(long)]
    vms: u64,
    /// Chunks of each VM's disk; half of them, 32768 at a time, differ in the second point
    #[arg(long)]
    chunks: u64,
    /// Where to write the recovery key
    #[arg(long)]
    recovery_key_file: PathBuf,
}

pub(super) fn run(invocation: &Invocation, args: &BenchFillArgs) -> Result<ExitCode, CliError> {
    let place = invocation.repository_place()?;
    let key = RecoveryKey::generate()?;
    recovery_key_file::write(&args.recovery_key_file, &key, &place)?;
    let options = InitOptions {
        chunk_bytes: CHUNK_BYTES,
        pack_bytes: 1 << 20,
        ..InitOptions::default()
    };
    let unlocks = [Unlock::RecoveryKey(&key)];
    let repository = Repository::init(place.create()?, &unlocks, options)?;
    let mut points = Vec::new();
    for vm in 0..args.vms {
        points.extend(fill(&repository, vm, args.chunks)?);
    }
    let statistics = repository.statistics()?;
    let answer = json!({ "points": points, "statistics": statistics });
    invocation.ui.data(answer.to_string());
    invocation.ui.summary("success", ExitCode::Success, answer);
    Ok(ExitCode::Success)
}

/// Stores one VM twice and returns the points' ids.
fn fill(repository: &Repository, vm: u64, chunks: u64) -> Result<[String; 2], CliError> {
    let run = repository.begin_run(0)?;
    let mut disk = FillDisk {
        vm,
        chunks,
        second: false,
    };
    let first = run.store_stream(&disk, None, &Quiet)?;
    let first = publish(&run, &disk, first)?;
    disk.second = true;
    let run_bytes = RUN_CHUNKS * u64::from(CHUNK_BYTES);
    let mut changed = ByteRanges::new();
    for number in (0..chunks.div_ceil(RUN_CHUNKS)).step_by(2) {
        changed.insert(number * run_bytes, run_bytes);
    }
    let stream = first
        .streams
        .first()
        .ok_or_else(|| CliError::usage("no stream"))?;
    let second = run.store_changed(&disk, stream, &changed, &Quiet)?;
    let second = publish(&run, &disk, second)?;
    Ok([first.id, second.id])
}

fn publish(
    run: &RunWriter,
    disk: &FillDisk,
    stored: StoredStream,
) -> Result<RestorePoint, CliError> {
    let name = format!("vm{}", disk.vm);
    let now = jiff::Timestamp::now();
    let point = json!({
        "version": 1, "id": RestorePoint::new_id()?,
        "vm": { "identity": name, "name": name, "generation": null, "configuration_version": null },
        "host": HOST, "started": now, "finished": now, "kind": "full", "consistency": "crash",
        "consistency_reason": "made up", "parent": null, "streams": [], "configuration": null,
        "warnings": [], "program": "bench",
    });
    let mut point: RestorePoint = read(point)?;
    let mut stream: Stream = read(json!({
        "role": StreamRole::Disk, "number": 0, "name": "disk.raw", "source_path": "disk.raw",
        "slot": null, "format": "raw", "sector_bytes": 512, "physical_sector_bytes": 4096,
        "disk_id": null, "size_bytes": disk.size_bytes(), "root": null,
        "statistics": stored.statistics, "cursor": null, "skipped": [],
    }))?;
    stream.root = stored.root;
    point.streams.push(stream);
    run.publish(&point)?;
    Ok(point)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, CliError> {
    serde_json::from_value(value).map_err(|error| CliError::usage(error.to_string()))
}

struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// A disk whose chunks all differ, from each other and from those of every other disk.
struct FillDisk {
    vm: u64,
    chunks: u64,
    /// Every other run of chunks is another than in the first point.
    second: bool,
}

impl BlockDevice for FillDisk {
    fn size_bytes(&self) -> u64 {
        self.chunks * u64::from(CHUNK_BYTES)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        let chunk_bytes = u64::from(CHUNK_BYTES);
        // Whole chunks are all that is asked for.
        for (chunk, bytes) in (offset / chunk_bytes..).zip(buf.chunks_mut(CHUNK_BYTES as usize)) {
            let version = u8::from(self.second && (chunk / RUN_CHUNKS).is_multiple_of(2));
            bytes.fill(0x5A);
            let mut noise = splitmix(self.vm << 48 ^ chunk << 1 ^ u64::from(version));
            for word in bytes.chunks_mut(8).take(NOISE_BYTES / 8) {
                noise = splitmix(noise);
                let len = word.len();
                word.copy_from_slice(noise.to_le_bytes().get(..len).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes)?;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}

/// The mixing function of SplitMix64: different numbers for different numbers.
fn splitmix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
