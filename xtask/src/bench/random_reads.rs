//! Cold random reads: what a VM does that runs straight from its backup.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::image;

/// Reads per tool.
pub(crate) const READS: usize = 500;
const MOUNT_PATIENCE: Duration = Duration::from_secs(60);

/// Empties the kernel's page cache; needs root.
pub(crate) fn drop_caches() -> Result<(), String> {
    super::measure::settle();
    std::fs::write("/proc/sys/vm/drop_caches", "3").map_err(|error| {
        format!("cannot drop the caches, so nothing is cold ({error}); run as root")
    })
}

/// Whether something is mounted on `folder`.
pub(crate) fn is_mounted(folder: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        line.split(' ')
            .nth(1)
            .is_some_and(|at| Path::new(at) == folder)
    })
}

/// Starts `mount`, reads random blocks of the file of `original`'s name below `mounted/inside`, and
/// unmounts. `original` tells which blocks hold something. Reads per second.
pub(crate) fn through_mount(
    mut mount: Command,
    mounted: &Path,
    inside: &str,
    original: &Path,
) -> Result<f64, String> {
    let offsets = image::random_offsets(original, READS).map_err(|error| error.to_string())?;
    let mounted = std::path::absolute(mounted).map_err(|error| error.to_string())?;
    drop_caches()?;
    let child = mount
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start the mount: {error}"))?;
    let mut guard = Mount {
        child,
        folder: mounted.clone(),
    };
    let file = guard.wait_for(&mounted.join(inside))?;
    read_at(&file, &offsets).map_err(|error| format!("cannot read the mounted file: {error}"))
}

fn read_at(path: &Path, offsets: &[u64]) -> std::io::Result<f64> {
    let mut file = File::open(path)?;
    let mut block = [0; 4096];
    let started = Instant::now();
    for offset in offsets {
        file.seek(SeekFrom::Start(*offset))?;
        file.read_exact(&mut block)?;
    }
    let reads = u32::try_from(offsets.len()).map_or(f64::NAN, f64::from);
    Ok(reads / started.elapsed().as_secs_f64())
}

/// A running mount; unmounted when it is let go.
struct Mount {
    child: Child,
    folder: PathBuf,
}

impl Mount {
    /// The first file below `folder`, as soon as there is one.
    fn wait_for(&mut self, folder: &Path) -> Result<PathBuf, String> {
        let started = Instant::now();
        while started.elapsed() < MOUNT_PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!(
                    "the mount ended ({status}); is FUSE installed (fuse3)?"
                ));
            }
            if is_mounted(&self.folder)
                && let Some(file) = first_file(folder)
            {
                return Ok(file);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the mount does not answer".into())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Older machines have fusermount alone. A mount that stays is found before the next run.
        for program in ["fusermount3", "fusermount", "umount"] {
            let mut unmount = Command::new(program);
            if program != "umount" {
                unmount.arg("-u");
            }
            let status = unmount.arg(&self.folder).stderr(Stdio::null()).status();
            if status.is_ok_and(|status| status.success()) {
                break;
            }
        }
        let ended = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        if !ended {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = folder
        .read_dir()
        .ok()?
        .flatten()
        .map(|e| e.path())
        .collect();
    entries.iter().find_map(|path| {
        if path.is_dir() {
            first_file(path)
        } else {
            Some(path.clone())
        }
    })
}
