//! Running a tool and measuring what it took.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use block_io::BlockDevice as _;
use serde::Serialize;

/// GNU time: the resources of a child without unsafe code.
const GNU_TIME: &str = "/usr/bin/time";

/// What one run of a tool took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) wall_seconds: f64,
    /// User and system time of the tool and its children.
    pub(crate) processor_seconds: f64,
    pub(crate) peak_memory_bytes: u64,
}

/// Runs `command` to its end.
pub(crate) fn run(command: Command) -> Result<Measurement, String> {
    let (result, _) = run_with_output(command)?;
    Ok(result)
}

/// Runs `command` to its end and returns what it printed, too.
pub(crate) fn run_with_output(command: Command) -> Result<(Measurement, Vec<u8>), String> {
    settle();
    let program = command.get_program().to_string_lossy().into_owned();
    let figures = std::env::temp_dir().join(format!("lifeboat-bench-{}", std::process::id()));
    let mut timed = Command::new(GNU_TIME);
    timed.args(["-f", "%U %S %M", "-o"]).arg(&figures).arg("--");
    timed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let started = Instant::now();
    let output = timed
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start {GNU_TIME} (package `time`): {error}"))?;
    let wall_seconds = started.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(&figures).unwrap_or_default();
    // What cannot be removed is a few bytes in the temporary folder.
    drop(std::fs::remove_file(&figures));
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{program} failed ({}): {}",
            output.status,
            last_lines(&messages)
        ));
    }
    let measurement = parse(&text, wall_seconds)
        .ok_or_else(|| format!("{GNU_TIME} is not GNU time: it wrote {text:?}"))?;
    Ok((measurement, output.stdout))
}

fn parse(text: &str, wall_seconds: f64) -> Option<Measurement> {
    let mut figures = text.lines().last()?.split(' ');
    let user: f64 = figures.next()?.parse().ok()?;
    let system: f64 = figures.next()?.parse().ok()?;
    let kibibytes: u64 = figures.next()?.parse().ok()?;
    Some(Measurement {
        wall_seconds,
        processor_seconds: user + system,
        peak_memory_bytes: kibibytes * 1024,
    })
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n    ")
}

/// Waits until what was written lies on the disk, so that the next run does not pay for it.
pub(crate) fn settle() {
    // Where there is no sync, the figures are a little noisier.
    drop(Command::new("sync").status());
}

/// Sum of the lengths of all files below `folder`.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, data)| {
            if data.is_dir() {
                folder_bytes(&path)
            } else {
                data.len()
            }
        })
        .sum()
}

/// Whether two files hold the same bytes.
pub(crate) fn same_content(left: &Path, right: &Path) -> Result<bool, String> {
    let open = |path: &Path| {
        File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))
    };
    let (mut left, mut right) = (open(left)?, open(right)?);
    let mut blocks = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let lengths = (
            read_full(&mut left, &mut blocks.0)?,
            read_full(&mut right, &mut blocks.1)?,
        );
        if lengths.0 != lengths.1 || blocks.0[..lengths.0] != blocks.1[..lengths.1] {
            return Ok(false);
        }
        if lengths.0 == 0 {
            return Ok(true);
        }
    }
}

/// Says whether an image holds the disk that lies in `raw`.
pub(crate) fn same_disk(image: &Path, raw: &Path) -> Result<bool, String> {
    let options = disk_image::OpenOptions::default();
    let disk = disk_image::open(image, &options).map_err(|error| error.to_string())?;
    let mut raw = File::open(raw).map_err(|error| error.to_string())?;
    let (mut expected, mut found) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut offset = 0;
    loop {
        let length = read_full(&mut raw, &mut expected)?;
        if length == 0 {
            return Ok(offset == disk.size_bytes());
        }
        let read = disk.read_at(offset, &mut found[..length]);
        if read.is_err() || found[..length] != expected[..length] {
            return Ok(false);
        }
        offset += u64::try_from(length).unwrap_or_default();
    }
}

/// Reads until `block` is full or the file ends.
pub(crate) fn read_full(file: &mut File, block: &mut [u8]) -> Result<usize, String> {
    let mut filled = 0;
    while filled < block.len() {
        match file
            .read(&mut block[filled..])
            .map_err(|error| error.to_string())?
        {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Random bytes that are the same each time: BLAKE3's output stream of a name.
pub(crate) struct Randomness(blake3::OutputReader);

impl Randomness {
    pub(crate) fn new(name: &str) -> Randomness {
        Randomness(blake3::Hasher::new().update(name.as_bytes()).finalize_xof())
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    /// An index below `bound`.
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_gnu_time_are_read() {
        let found = parse("Command exited\n1.50 0.25 2048\n", 2.0).unwrap();
        assert!((found.processor_seconds - 1.75).abs() < 1e-9);
        assert_eq!(found.peak_memory_bytes, 2 << 20);
        assert!(parse("real 0m1\n", 2.0).is_none());
    }

    #[test]
    fn files_compare_by_content_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (a, b, c) = (
            put("a", b"same"),
            put("b", b"same"),
            put("c", b"same, longer"),
        );
        assert!(same_content(&a, &b).unwrap());
        assert!(!same_content(&a, &c).unwrap());
    }
}
