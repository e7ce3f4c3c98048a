//! What every new image must be, as `qemu-img` reads it: the same cases for each format.

#![expect(clippy::unwrap_used, reason = "this is all test code")]
#![expect(clippy::indexing_slicing, reason = "this is all test code")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, MemoryFile, NewImage, OsFile, WritableFile};
use proptest::prelude::*;

use crate::independent_tools::{have_tool, run};
use crate::{CrashFile, DiskOp, Loss, ModelDisk, disk_ops};

const CLUSTER: u64 = 64 << 10;

/// Makes an image of a disk of so many bytes in a file.
type Create = fn(Arc<dyn WritableFile>, u64) -> Result<Box<dyn NewImage>, DiskError>;

/// A format of new images whose clusters have 64 KiB.
#[derive(Debug, Clone, Copy)]
pub struct NewFormat {
    /// What `qemu-img` calls it.
    pub name: &'static str,
    /// What its files begin with.
    pub signature: [u8; 4],
    /// Size of the largest disk that it holds, in bytes.
    pub max_size_bytes: u64,
    /// Makes an image of a disk of so many bytes.
    pub create: Create,
}

impl NewFormat {
    fn start(&self, file: Arc<dyn WritableFile>, size_bytes: u64) -> Box<dyn NewImage> {
        (self.create)(file, size_bytes).unwrap()
    }

    /// Writes the operations into an image and a model, and returns the model.
    fn fill(&self, path: &Path, size_bytes: u64, ops: &[DiskOp]) -> ModelDisk {
        let file = OsFile::create_new(path).unwrap();
        let image = self.start(Arc::new(file), size_bytes);
        let mut model = ModelDisk::new(size_bytes);
        for op in ops {
            if let Some((offset, data)) = op.data() {
                image.write_at(offset, &data).unwrap();
                model.write(offset, &data);
            }
        }
        image.finish().unwrap();
        model
    }

    /// Returns the ranges that `qemu-img map` calls data, in whole clusters.
    fn mapped(&self, path: &Path) -> Vec<u64> {
        let text = qemu_img(&[&"map", &"-f", &self.name, &"--output=json", &path]).unwrap();
        let mut clusters = Vec::new();
        // One extent a line: `{ "start": 0, "length": 65536, …, "data": true, … }`.
        for line in text.lines().filter(|line| line.contains("\"data\": true")) {
            let field = |name: &str| -> u64 {
                let at = line.find(&format!("\"{name}\": ")).unwrap() + name.len() + 4;
                let digits: String = line[at..]
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect();
                digits.parse().unwrap()
            };
            let (start, length) = (field("start"), field("length"));
            clusters.extend(start / CLUSTER..(start + length).div_ceil(CLUSTER));
        }
        clusters.dedup();
        clusters
    }

    fn compare(&self, folder: &Path, path: &Path, model: &ModelDisk) {
        let raw: PathBuf = folder.join("out.raw");
        qemu_img(&[&"check", &"-q", &"-f", &self.name, &path]).unwrap();
        qemu_img(&[&"convert", &"-f", &self.name, &"-O", &"raw", &path, &raw]).unwrap();
        assert!(std::fs::read(&raw).unwrap() == model.bytes());
    }

    /// What was written with anything else than zeros has a place, and nothing else has.
    pub fn is_read_as_it_was_written(&self) {
        let config = ProptestConfig {
            cases: 32,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |((size_bytes, ops) in sized_ops())| {
            if !have_tool("qemu-img", &["--version"]) {
                return Ok(());
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("new");
            let model = self.fill(&path, size_bytes, &ops);
            self.compare(folder.path(), &path, &model);
            let mut expected: Vec<u64> = ops
                .iter()
                .filter(|op| matches!(op, DiskOp::Write { .. }))
                .filter_map(DiskOp::data)
                .flat_map(|(offset, data)| {
                    (offset / CLUSTER..(offset + data.len() as u64).div_ceil(CLUSTER))
                        .filter(move |cluster| {
                            let start = (cluster * CLUSTER).max(offset) - offset;
                            let end = ((cluster + 1) * CLUSTER).min(offset + data.len() as u64) - offset;
                            let part = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
                            data[part].iter().any(|byte| *byte != 0)
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
            expected.sort_unstable();
            expected.dedup();
            let found = self.mapped(&path);
            prop_assert_eq!(found, expected);
        });
    }

    /// A TiB with little on it is a small file, and all of it is where it belongs.
    pub fn keeps_a_large_disk_small(&self) {
        if !have_tool("qemu-img", &["--version"]) {
            return;
        }
        let name = self.name;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let file = OsFile::create_new(&path).unwrap();
        let size_bytes = 1_u64 << 40;
        let image = self.start(Arc::new(file), size_bytes);
        let places = [
            0,
            512 << 20,
            (512 << 20) - 512,
            3 << 40 >> 2,
            size_bytes - 512,
        ];
        for (seed, offset) in (1_u8..).zip(places) {
            image.write_at(offset, &[seed; 512]).unwrap();
        }
        image.finish().unwrap();
        qemu_img(&[&"check", &"-q", &"-f", &self.name, &path]).unwrap();
        let expected: Vec<u64> = {
            let mut clusters = places.map(|offset| offset / CLUSTER).to_vec();
            clusters.sort_unstable();
            clusters
        };
        assert_eq!(self.mapped(&path), expected);
        for (seed, offset) in (1_u8..).zip(places) {
            let image = format!(
                "driver=raw,offset={offset},size=512,file.driver={name},file.file.driver=file,\
                 file.file.filename={}",
                path.display()
            );
            let out = folder.path().join("sector");
            qemu_img(&[&"convert", &"--image-opts", &"-O", &"raw", &image, &out]).unwrap();
            assert_eq!(std::fs::read(&out).unwrap(), [seed; 512], "{offset}");
        }
    }

    /// Threads write neighbouring pieces of one image.
    pub fn is_written_by_threads(&self) {
        if !have_tool("qemu-img", &["--version"]) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let file = OsFile::create_new(&path).unwrap();
        let image = self.start(Arc::new(file), 4 << 20);
        let mut model = ModelDisk::new(4 << 20);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let image = &image;
                scope.spawn(move || {
                    // Neighbours write into the same clusters.
                    for piece in (u64::from(thread)..1024).step_by(4) {
                        image.write_at(piece * 4096, &[thread + 1; 4096]).unwrap();
                    }
                });
            }
        });
        image.finish().unwrap();
        for piece in 0..1024_u64 {
            let seed = u8::try_from(piece % 4).unwrap() + 1;
            model.write(piece * 4096, &[seed; 4096]);
        }
        self.compare(folder.path(), &path, &model);
    }

    /// A crash before the end leaves no image.
    pub fn is_none_after_a_crash_before_its_end(&self) {
        let file = Arc::new(CrashFile::new("crash", vec![7; 100_000]));
        let image = self.start(Arc::<CrashFile>::clone(&file), 1 << 20);
        image.write_at(0, &[1; 4096]).unwrap();
        image.write_at(900 << 10, &[2; 4096]).unwrap();
        image.finish().unwrap();
        let whole = file.to_vec();
        assert_eq!(whole[..4], self.signature);
        for cut in 0..file.recorded() {
            for loss in Loss::kinds(cut as u64) {
                let left = file.crash(cut, loss);
                // Where the signature stands, everything else does.
                if left.starts_with(&self.signature) {
                    assert!(left == whole, "cut at {cut}, {loss:?}");
                }
            }
        }
    }

    /// A write that fails poisons the image, and never leaves one.
    pub fn is_poisoned_by_a_failed_write(&self) {
        for number in 0.. {
            let file = Arc::new(CrashFile::new("failing", Vec::new()));
            file.fail_at(number);
            let Ok(image) = (self.create)(Arc::<CrashFile>::clone(&file), 1 << 20) else {
                continue;
            };
            let written = image.write_at(0, &[1; 4096]);
            if written.is_err() {
                let error = image.write_at(8192, &[1; 4096]).unwrap_err();
                assert_eq!(error.kind(), DiskErrorKind::Poisoned);
                assert_eq!(image.finish().unwrap_err().kind(), DiskErrorKind::Poisoned);
            } else if image.finish().is_ok() {
                assert!(file.performed() <= number);
                break;
            }
            // Only the very last flush comes after the header.
            let header_stands = file.to_vec().starts_with(&self.signature);
            assert!(!header_stands || file.performed() == number + 1, "{number}");
        }
    }

    /// Sizes that the format does not have are refused.
    pub fn refuses_impossible_disks(&self) {
        for size_bytes in [0, 100, 513, self.max_size_bytes + 512] {
            let file = Arc::new(MemoryFile::new("new", Vec::new()));
            let error = (self.create)(file, size_bytes).err().unwrap();
            assert_eq!(error.kind(), DiskErrorKind::OutOfRange, "{size_bytes}");
        }
    }
}

fn qemu_img(arguments: &[&dyn AsRef<OsStr>]) -> Option<String> {
    let arguments: Vec<&OsStr> = arguments.iter().map(|own| (*own).as_ref()).collect();
    run("qemu-img", &arguments)
}

/// Sizes that end anywhere in a cluster, and writes anywhere in them.
fn sized_ops() -> impl Strategy<Value = (u64, Vec<DiskOp>)> {
    (1_u64..12_000).prop_flat_map(|sectors| {
        let size_bytes = sectors * 512;
        (Just(size_bytes), disk_ops(size_bytes, 512, 300 << 10, 12))
    })
}
