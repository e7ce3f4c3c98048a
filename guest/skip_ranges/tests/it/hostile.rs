//! Whatever a disk holds, it is looked at in bounded time, and nothing goes wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice, DiskError, Extent, ExtentKind};
use disk_model::VolumeImage;
use proptest::prelude::*;
use skip_ranges::{SkipRequest, skip_plan};

use crate::images::{MIB, files};

/// A disk of which some bytes are others, and which counts what is read of it.
struct Mutated<'a> {
    disk: &'a dyn BlockDevice,
    patches: Vec<(u64, u8)>,
    read_bytes: AtomicU64,
}

impl BlockDevice for Mutated<'_> {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let len = buf.len() as u64;
        self.read_bytes.fetch_add(len, Ordering::Relaxed);
        self.disk.read_at(offset, buf)?;
        for (place, byte) in &self.patches {
            if (offset..offset + len).contains(place) {
                buf[usize::try_from(place - offset).unwrap()] = *byte;
            }
        }
        Ok(())
    }
    fn extent_at(&self, _: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}

/// An image, and its sectors that are not zero.
struct Seed {
    _image: VolumeImage,
    disk: Arc<dyn BlockDevice>,
    sectors: Vec<u64>,
}

/// Images without checksums, so that what is changed is believed.
fn seeds() -> &'static [Seed] {
    static SEEDS: OnceLock<Vec<Seed>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let made = |mib: u64, tool: &str, arguments: &[&str]| {
            let image = VolumeImage::new(mib * MIB);
            files(&image.folder().join("files"));
            image.run(tool, arguments)?;
            let disk = image.disk();
            let mut sectors = Vec::new();
            for offset in (0..mib * MIB).step_by(4096) {
                let bytes = image_bytes(&disk, offset);
                let used = (0..8).filter(|sector| bytes[sector * 512..][..512] != [0; 512]);
                sectors.extend(used.map(|sector| offset / 512 + sector as u64));
            }
            // Of files' content there is much, and nothing looks at it.
            sectors.truncate(20_000);
            Some(Seed {
                _image: image,
                disk,
                sectors,
            })
        };
        let made = [
            made(8, "mkfs.ntfs", &["-F", "-Q", "-q", "IMAGE"]),
            made(
                16,
                "mke2fs",
                &[
                    "-q",
                    "-F",
                    "-t",
                    "ext3",
                    "-b",
                    "1024",
                    "-d",
                    "DIR/files",
                    "IMAGE",
                ],
            ),
            made(
                16,
                "mke2fs",
                &[
                    "-q",
                    "-F",
                    "-t",
                    "ext4",
                    "-O",
                    "^metadata_csum,^uninit_bg",
                    "-d",
                    "DIR/files",
                    "IMAGE",
                ],
            ),
            made(16, "mkswap", &["IMAGE"]),
        ];
        made.into_iter().flatten().collect()
    })
}

fn image_bytes(disk: &dyn BlockDevice, offset: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    disk.read_at(offset, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn changed_structures_lead_to_no_panic_and_to_bounded_reading(
        places in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..512, any::<u8>()), 1..12),
        seed in any::<prop::sample::Index>(),
    ) {
        let seeds = seeds();
        prop_assume!(!seeds.is_empty());
        let seed = &seeds[seed.index(seeds.len())];
        let patches = places.iter().map(|(sector, byte, value)| {
            (sector.get(&seed.sectors) * 512 + byte, *value)
        });
        let disk = Mutated { disk: &seed.disk, patches: patches.collect(), read_bytes: AtomicU64::new(0) };
        let request = SkipRequest { flushed: true, ..SkipRequest::all() };
        let plan = skip_plan(&disk, &request).unwrap();
        let volume = &plan.volumes;
        for range in plan.ranges.iter() {
            prop_assert!(range.start >= 64 << 10 && range.end <= disk.size_bytes() - (64 << 10), "{:?}", volume);
        }
        prop_assert!(disk.read_bytes.load(Ordering::Relaxed) <= 4 * disk.size_bytes() + 64 * MIB);
    }
}
