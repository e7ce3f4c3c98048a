//! Chains on disk compared with a plain vector.

use block_io::{BlockDevice as _, ExtentKind, NewImage as _};
use disk_image::{
    DifferencingOptions, ImageFormat, NewImageOptions, create, create_differencing, map,
};
use proptest::prelude::*;

use crate::folder::{Folder, read_all};

const SIZE: usize = 3 << 20;
const SECTORS: usize = SIZE / 512;

/// Writes of one layer: first sector, count, byte.
type Writes = Vec<(usize, usize, u8)>;

fn layers() -> impl Strategy<Value = Vec<Writes>> {
    let write = (0..SECTORS, 1..3000_usize, 0..=255_u8);
    prop::collection::vec(prop::collection::vec(write, 0..5), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_chain_of_any_depth_reads_as_written(layers in layers(), vhdx in any::<bool>()) {
        let folder = Folder::new();
        let (format, ext) = if vhdx {
            (ImageFormat::Vhdx, "vhdx")
        } else {
            (ImageFormat::Vhd, "vhd")
        };
        let mut model = vec![0; SIZE];
        let mut written = vec![false; SECTORS];
        let mut leaf: Option<std::path::PathBuf> = None;
        for (depth, writes) in layers.iter().enumerate() {
            let path = folder.at(&format!("{depth}.{ext}"));
            let image = match &leaf {
                None => create(&path, &NewImageOptions::new(format, SIZE as u64)),
                Some(parent) => create_differencing(&path, parent, &DifferencingOptions::default()),
            }
            .unwrap();
            for (first, count, byte) in writes {
                let end = SECTORS.min(first + count);
                model[first * 512..end * 512].fill(*byte);
                written[*first..end].fill(true);
                let part = &model[first * 512..end * 512];
                image.write_at(*first as u64 * 512, part).unwrap();
            }
            Box::new(image).finish().unwrap();
            leaf = Some(path);
        }
        let image = folder.open(&leaf.unwrap()).unwrap();
        prop_assert_eq!(image.chain().len(), layers.len());
        prop_assert_eq!(image.size_bytes(), SIZE as u64);
        prop_assert!(read_all(&image) == model);
        for extent in map(&image) {
            let extent = extent.unwrap();
            let range = extent.offset as usize..(extent.offset + extent.len_bytes) as usize;
            if extent.kind != ExtentKind::Data {
                prop_assert!(model[range.clone()].iter().all(|byte| *byte == 0));
            }
            if extent.kind == ExtentKind::NotAllocated {
                let sectors = &written[range.start.div_ceil(512)..range.end / 512];
                let bytes = &model[range];
                // A writer may leave zeros out, and nothing else.
                prop_assert!(
                    sectors.iter().all(|written| !written) || bytes.iter().all(|byte| *byte == 0)
                );
            }
        }
    }
}
