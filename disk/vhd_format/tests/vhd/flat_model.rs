//! What was written is read back, and extents tell the truth, compared with a plain vector.

use std::sync::Arc;

use block_io::{BlockDevice, DiskLayer, ExtentKind, LayeredDisk, MemoryFile};
use proptest::prelude::*;
use vhd_format::{CreateKind, CreateOptions, ParentLink, VhdLayer, check, create};

const BLOCK_BYTES: u32 = 64 << 10;

/// Sectors to write: first sector, count and the byte to fill them with.
type Write = (u64, u64, u8);

fn writes(sectors: u64) -> impl Strategy<Value = Vec<Write>> {
    prop::collection::vec((0..sectors, 1..300_u64, 1..=255_u8), 0..12)
}

/// Writes to a new VHD and to the model, and returns the VHD.
fn build(kind: CreateKind, model: &mut [u8], writes: &[Write]) -> VhdLayer {
    let file = Arc::new(MemoryFile::new("disk.vhd", Vec::new()));
    let options = CreateOptions {
        block_bytes: BLOCK_BYTES,
        ..CreateOptions::new(model.len() as u64, kind)
    };
    let image = create(file.clone(), options).unwrap();
    for (first, count, byte) in writes {
        let start = *first as usize * 512;
        let end = model.len().min(start + *count as usize * 512);
        model[start..end].fill(*byte);
        image.write_at(start as u64, &model[start..end]).unwrap();
    }
    image.finish().unwrap();
    assert_eq!(check(file.clone()), []);
    VhdLayer::open(file).unwrap()
}

fn compare(disk: &dyn BlockDevice, model: &[u8]) {
    assert_eq!(disk.size_bytes(), model.len() as u64);
    let mut bytes = vec![0xEE; model.len()];
    disk.read_at(0, &mut bytes).unwrap();
    assert!(bytes == model, "the content differs");
    let mut offset = 0;
    while offset < disk.size_bytes() {
        let extent = disk.extent_at(offset, disk.size_bytes() - offset).unwrap();
        assert!(extent.len_bytes > 0);
        let end = offset + extent.len_bytes;
        if extent.kind != ExtentKind::Data {
            let range = offset as usize..end as usize;
            assert!(model[range].iter().all(|byte| *byte == 0));
        }
        offset = end;
    }
    assert_eq!(offset, disk.size_bytes());
}

fn stack(layers: Vec<VhdLayer>) -> LayeredDisk {
    let layers = layers
        .into_iter()
        .map(|layer| Arc::new(layer) as Arc<dyn DiskLayer>)
        .collect();
    LayeredDisk::new(layers).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fixed_and_dynamic_disks_read_as_written(
        sectors in 1..2000_u64,
        writes in writes(2000),
        fixed in any::<bool>(),
    ) {
        let writes: Vec<Write> = writes.into_iter().filter(|write| write.0 < sectors).collect();
        let mut model = vec![0; sectors as usize * 512];
        let kind = if fixed { CreateKind::Fixed } else { CreateKind::Dynamic };
        let layer = build(kind, &mut model, &writes);
        compare(&stack(vec![layer]), &model);
    }

    #[test]
    fn chains_read_as_written(
        base_sectors in 1..1000_u64,
        child_sectors in 1..1000_u64,
        base_writes in writes(1000),
        child_writes in writes(1000),
        leaf_writes in writes(1000),
        probes in prop::collection::vec((0..512_000_u64, 1..9000_u64), 8),
    ) {
        let within = |writes: Vec<Write>, sectors: u64| -> Vec<Write> {
            writes.into_iter().filter(|write| write.0 < sectors).collect()
        };
        let mut model = vec![0; base_sectors as usize * 512];
        let base = build(CreateKind::Dynamic, &mut model, &within(base_writes, base_sectors));
        let link = ParentLink::to(base.info(), Some(".\\base.vhd".to_owned()), None);
        // A child may be larger or smaller than its parent.
        model.resize(child_sectors as usize * 512, 0);
        let child = build(
            CreateKind::Differencing(link),
            &mut model,
            &within(child_writes, child_sectors),
        );
        prop_assert!(child.accepts(base.info()));
        let link = ParentLink::to(child.info(), None, Some("C:\\a\\child.avhd".to_owned()));
        let leaf = build(
            CreateKind::Differencing(link),
            &mut model,
            &within(leaf_writes, child_sectors),
        );
        prop_assert!(leaf.accepts(child.info()) && !leaf.accepts(base.info()));
        let disk = stack(vec![leaf, child, base]);
        compare(&disk, &model);
        for (offset, len) in probes {
            let offset = offset % disk.size_bytes();
            let len = len.min(disk.size_bytes() - offset);
            let mut bytes = vec![0; len as usize];
            disk.read_at(offset, &mut bytes).unwrap();
            prop_assert!(bytes == model[offset as usize..(offset + len) as usize]);
        }
    }
}
