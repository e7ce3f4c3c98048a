//! Disks for tests, and what is asked of volumes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent};
use disk_image::OpenOptions;
use volume_map::{GuestVolume, GuestVolumes};

pub(crate) type Device = Arc<dyn BlockDevice>;

/// Opens an image for reading.
pub(crate) fn open(path: &Path) -> Device {
    Arc::new(disk_image::open(path, &OpenOptions::default()).unwrap())
}

/// Returns a volume by its name.
pub(crate) fn volume<'a>(all: &'a GuestVolumes, name: &str) -> &'a GuestVolume {
    let names: Vec<&str> = all.volumes.iter().map(|it| it.name.as_str()).collect();
    all.find(name)
        .unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

/// Returns what is in the way of a volume.
pub(crate) fn obstacle(all: &GuestVolumes, name: &str) -> String {
    volume(all, name).obstacle.as_ref().unwrap().what.clone()
}

/// Reads all of a device, in pieces that fit nothing.
pub(crate) fn bytes(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    let mut at = 0;
    for part in bytes.chunks_mut(777_777) {
        device.read_at(at, part).unwrap();
        at += part.len() as u64;
    }
    bytes
}

/// Writes all of a volume into a file.
pub(crate) fn extract(volume: &GuestVolume, path: &Path) {
    let device = volume.device.as_ref().unwrap();
    File::create(path)
        .unwrap()
        .write_all(&bytes(device))
        .unwrap();
}

/// Returns the SHA-256 of bytes as `sha256sum` says it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

/// A disk of which some bytes are others, and which says that its sectors are 4096 bytes long if told.
pub(crate) struct Changed {
    pub(crate) disk: Device,
    pub(crate) changes: Vec<(u64, u8)>,
    pub(crate) sector_bytes: u32,
}

impl Changed {
    pub(crate) fn with(disk: &Device, changes: Vec<(u64, u8)>) -> Device {
        Arc::new(Self {
            disk: Arc::clone(disk),
            changes,
            sector_bytes: disk.sector_bytes(),
        })
    }
}

impl BlockDevice for Changed {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }
    fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read_at(offset, buf)?;
        for (at, byte) in &self.changes {
            let place = at
                .checked_sub(offset)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(changed) = place.and_then(|place| buf.get_mut(place)) {
                *changed = *byte;
            }
        }
        Ok(())
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}
