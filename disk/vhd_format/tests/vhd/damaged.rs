//! Files that are not as they should be: one clear error, never a panic, never wrong bytes.

use std::sync::Arc;

use block_io::{DiskErrorKind, DiskLayer as _, LayerExtentKind, MemoryFile};
use vhd_format::{CreateKind, CreateOptions, ParentLink, VhdLayer, check, create};

const SIZE: u64 = 1 << 20;

fn image(kind: CreateKind) -> Vec<u8> {
    let file = Arc::new(MemoryFile::new("a.vhd", Vec::new()));
    let options = CreateOptions {
        block_bytes: 64 << 10,
        unique_id: Some(uuid::Uuid::from_u128(7)),
        ..CreateOptions::new(SIZE, kind)
    };
    let image = create(file.clone(), options).unwrap();
    image.write_at(0, &[1; 1024]).unwrap();
    image.write_at(SIZE - 4096, &[2; 4096]).unwrap();
    image.finish().unwrap();
    file.to_vec()
}

fn differencing() -> CreateKind {
    CreateKind::Differencing(ParentLink {
        unique_id: uuid::Uuid::from_u128(1),
        relative_path: Some(".\\base.vhd".to_owned()),
        absolute_path: Some("C:\\base.vhd".to_owned()),
    })
}

fn open(bytes: Vec<u8>) -> Result<VhdLayer, block_io::DiskError> {
    VhdLayer::open(Arc::new(MemoryFile::new("a.vhd", bytes)))
}

/// Reads all that a file gives; the errors do not matter, the absence of panics does.
fn use_all(bytes: &[u8]) {
    let file = Arc::new(MemoryFile::new("a.vhd", bytes.to_vec()));
    let _ = check(file.clone());
    let Ok(layer) = VhdLayer::open(file) else {
        return;
    };
    let size = layer.size_bytes();
    let mut buffer = vec![0; 4096];
    for step in 0..64 {
        let offset = (size / 64).saturating_mul(step);
        let Ok(extent) = layer.layer_extent_at(offset, size - offset) else {
            continue;
        };
        assert!(extent.len_bytes > 0 && extent.len_bytes <= size - offset);
        let len = extent.len_bytes.min(4096) as usize;
        if extent.kind == LayerExtentKind::Data {
            let _ = layer.read_layer_at(offset, &mut buffer[..len]);
        }
    }
}

#[test]
fn a_wrong_footer_checksum_is_an_error_with_its_place() {
    let mut bytes = image(CreateKind::Fixed);
    let at = bytes.len() - 512;
    bytes[at + 50] ^= 1;
    let error = open(bytes).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    assert_eq!(error.offset(), Some(at as u64));
    assert_eq!(error.file(), Some("a.vhd"));
    assert!(error.to_string().contains("expected"), "{error}");
}

#[test]
fn the_copy_of_the_footer_stands_in_and_a_note_says_so() {
    let good = image(CreateKind::Dynamic);
    let mut flipped = good.clone();
    let at = flipped.len() - 512;
    flipped[at + 50] ^= 1;
    let mut appended = good.clone();
    appended.extend([0; 100]);
    for bytes in [flipped, appended, good[..good.len() - 512].to_vec()] {
        let layer = open(bytes.clone()).unwrap();
        assert_eq!(layer.info().notes.len(), 1, "{:?}", layer.info().notes);
        let problems = check(Arc::new(MemoryFile::new("a.vhd", bytes)));
        assert_eq!(problems.len(), 1);
        let mut sector = [0; 512];
        layer.read_layer_at(SIZE - 512, &mut sector).unwrap();
        assert_eq!(sector, [2; 512]);
    }
}

#[test]
fn a_footer_of_511_bytes_is_read() {
    let mut bytes = image(CreateKind::Fixed);
    bytes.pop();
    assert_eq!(open(bytes).unwrap().size_bytes(), SIZE);
}

#[test]
fn a_truncated_block_is_an_error_and_not_zeros() {
    let mut bytes = image(CreateKind::Dynamic);
    bytes.truncate(bytes.len() - 8192);
    let layer = open(bytes.clone()).unwrap();
    let error = layer.layer_extent_at(SIZE - 512, 512).unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    assert!(layer.layer_extent_at(0, 512).is_ok());
    let problems = check(Arc::new(MemoryFile::new("a.vhd", bytes)));
    assert!(problems.iter().any(|problem| problem.serious));
}

#[test]
fn blocks_that_overlap_are_found() {
    let mut bytes = image(CreateKind::Dynamic);
    let first: [u8; 4] = bytes[1536..1540].try_into().unwrap();
    bytes[1540..1544].copy_from_slice(&first);
    let problems = check(Arc::new(MemoryFile::new("a.vhd", bytes)));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("overlap"));
}

#[test]
fn a_table_that_leaves_the_file_is_refused_before_it_is_read() {
    let mut bytes = image(CreateKind::Dynamic);
    // Table offset, then the header's checksum.
    bytes[512 + 16..512 + 24].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    fix_checksum(&mut bytes[512..1536], 36);
    assert_eq!(open(bytes).err().unwrap().kind(), DiskErrorKind::Corrupt);
}

fn fix_checksum(structure: &mut [u8], at: usize) {
    structure[at..at + 4].fill(0);
    let sum = structure
        .iter()
        .fold(0_u32, |sum, byte| sum + u32::from(*byte));
    structure[at..at + 4].copy_from_slice(&(!sum).to_be_bytes());
}

#[test]
fn no_byte_of_a_structure_can_cause_a_panic() {
    for kind in [CreateKind::Dynamic, differencing(), CreateKind::Fixed] {
        let good = image(kind);
        let end = good.len();
        let structures: Vec<usize> = (0..100)
            .chain(512..700)
            .chain(1088..1150)
            .chain(1536..1608)
            .chain(end - 512..end - 400)
            .collect();
        let mut bytes = good.clone();
        for at in structures {
            for value in [0, 0x7F, 0xFF, good[at] ^ 1] {
                bytes[at] = value;
                // With the checksums mended as well, or the fields behind them are never reached.
                fix_checksum(&mut bytes[end - 512..], 64);
                if good[..8] == *b"conectix" {
                    fix_checksum(&mut bytes[..512], 64);
                    fix_checksum(&mut bytes[512..1536], 36);
                }
                use_all(&bytes);
            }
            bytes[at] = good[at];
        }
    }
}

#[test]
fn no_truncation_can_cause_a_panic() {
    let good = image(differencing());
    for len in (0..2048)
        .step_by(97)
        .chain((2048..good.len()).step_by(9973))
    {
        use_all(&good[..len]);
    }
}
