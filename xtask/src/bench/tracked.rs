//! The same change on a small disk and on a large one: what tracking is worth.
//!
//! A simulated host has one VM with a gigabyte of data, on a disk of 4 GiB and on one of 256 GiB.
//! Its guest writes the same clustered small writes to both; the second backup should take the
//! same reads, and about the same time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

/// Data on the disk before the first backup: runs of 16 MiB.
const RUNS: u64 = 64;
const RUN_BYTES: u64 = 16 << 20;
/// What the guest writes: places of 64 KiB, eight beside each other.
const CHANGES: u64 = 1000;
const CHANGE_BYTES: u64 = 64 << 10;

/// What the second backup of one disk took.
struct Measured {
    size_gib: u64,
    read_bytes: u64,
    proved_bytes: u64,
    stored_bytes: u64,
    seconds: f64,
}

/// Measures both disks and prints a table. `Ok(true)` where both took the same reads.
pub(crate) fn run(program: &Path, work: &Path) -> Result<bool, String> {
    let mut measured = Vec::new();
    for size_gib in [4, 256] {
        let folder = work.join(format!("tracked-{size_gib}"));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        measured.push(measure(program, &folder, size_gib)?);
        drop(std::fs::remove_dir_all(&folder));
    }
    println!("| disk | read | of it to prove | stored | time |");
    println!("|---|---|---|---|---|");
    for row in &measured {
        println!(
            "| {} GiB | {:.1} MiB | {:.1} MiB | {:.1} MiB | {:.2} s |",
            row.size_gib,
            mib(row.read_bytes),
            mib(row.proved_bytes),
            mib(row.stored_bytes),
            row.seconds
        );
    }
    let reads = |row: &Measured| row.read_bytes - row.proved_bytes;
    Ok(measured
        .windows(2)
        .all(|pair| reads(&pair[0]) == reads(&pair[1])))
}

fn measure(program: &Path, folder: &Path, size_gib: u64) -> Result<Measured, String> {
    let tool = Tool { program, folder };
    std::fs::write(folder.join("password"), "bench").map_err(|error| error.to_string())?;
    tool.run(&["repo", "init", "--repo", "repository"])?;
    tool.run(&["sim", "new", "host"])?;
    let disk = format!("empty:{size_gib}GiB");
    tool.run(&["sim", "add-vm", "host", "VM", "--disk", &disk])?;
    // Both disks get the same data, spread over all of it.
    let every = (size_gib << 30) / RUNS;
    tool.write(0, RUN_BYTES, RUNS, every, 1)?;
    let backup = [
        "backup",
        "--host",
        "sim:host",
        "VM",
        "--repo",
        "repository",
        "--json",
    ];
    tool.run(&backup)?;
    tool.write(1 << 20, CHANGE_BYTES * 8, CHANGES / 8, every / 2, 2)?;
    let begun = Instant::now();
    let output = tool.run(&backup)?;
    let seconds = begun.elapsed().as_secs_f64();
    let last = output.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).map_err(|error| error.to_string())?;
    let disk = &summary["items"][0]["disks"][0];
    let number = |value: &Value| value.as_u64().ok_or(format!("no figures in {last}"));
    Ok(Measured {
        size_gib,
        read_bytes: number(&disk["statistics"]["read_bytes"])?,
        proved_bytes: number(&disk["proved_bytes"])?,
        stored_bytes: number(&disk["statistics"]["stored_bytes"])?,
        seconds,
    })
}

fn mib(bytes: u64) -> f64 {
    // Figures for people.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

struct Tool<'a> {
    program: &'a Path,
    folder: &'a Path,
}

impl Tool<'_> {
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let program: PathBuf =
            std::fs::canonicalize(self.program).map_err(|error| error.to_string())?;
        let output = Command::new(program)
            .args(words)
            .env("LIFEBOAT_PASSWORD_FILE", "password")
            .current_dir(self.folder)
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("lifeboat {}: {text}", words.join(" ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Lets the guest write: `count` times `bytes`, `every` so many bytes, wrapped at the end.
    fn write(
        &self,
        offset: u64,
        bytes: u64,
        count: u64,
        every: u64,
        seed: u64,
    ) -> Result<(), String> {
        let numbers = [offset, bytes, count, every, seed].map(|number| number.to_string());
        let [offset, bytes, count, every, seed] = &numbers;
        let words = [
            "sim", "write", "host", "VM", "--offset", offset, "--size", bytes, "--count", count,
            "--every", every, "--seed", seed,
        ];
        self.run(&words).map(drop)
    }
}
