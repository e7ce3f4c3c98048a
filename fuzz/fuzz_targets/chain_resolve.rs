//! A folder with a good base and a child of any header: the chain resolves to files below the
//! root, or to one error, and always ends.

#![no_main]

use std::fs;
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice as _, MemoryFile};
use disk_image::{OpenOptions, WindowsPath, check, open};
use libfuzzer_sys::fuzz_target;
use vhd_format::{CreateKind, CreateOptions, ParentLink, create};

const BASE_ID: u128 = 0x1111;

/// The parts of the child that the input decides: the header with its locators, and paths.
const HEADER: usize = 512;
const HEADER_LEN: usize = 4096;

fn image(kind: CreateKind, id: u128) -> Vec<u8> {
    let file = Arc::new(MemoryFile::new("seed.vhd", Vec::new()));
    let options = CreateOptions {
        block_bytes: 64 << 10,
        unique_id: Some(uuid::Uuid::from_u128(id)),
        ..CreateOptions::new(1 << 20, kind)
    };
    let image = create(file.clone(), options).unwrap();
    image.write_at(0, &[1; 4096]).unwrap();
    image.finish().unwrap();
    file.to_vec()
}

fn child() -> &'static [u8] {
    static CHILD: OnceLock<Vec<u8>> = OnceLock::new();
    CHILD.get_or_init(|| {
        let link = ParentLink {
            unique_id: uuid::Uuid::from_u128(BASE_ID),
            relative_path: Some(".\\base.vhd".to_owned()),
            absolute_path: Some("C:\\VMs\\base.vhd".to_owned()),
        };
        image(CreateKind::Differencing(link), 0x2222)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let _ = WindowsPath::parse(&String::from_utf8_lossy(bytes));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::write(root.join("base.vhd"), image(CreateKind::Dynamic, BASE_ID)).unwrap();
    let mut leaf = child().to_vec();
    // Bytes are laid over by exclusive or, so that an empty input is a good chain.
    for (byte, change) in leaf[HEADER..HEADER + HEADER_LEN].iter_mut().zip(bytes) {
        *byte ^= change;
    }
    // With the checksum mended, or nothing behind it is ever reached.
    let header = &mut leaf[HEADER..HEADER + 1024];
    header[36..40].fill(0);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[36..40].copy_from_slice(&(!sum).to_be_bytes());
    let path = root.join("leaf.avhd");
    fs::write(&path, leaf).unwrap();
    let _ = check(&path, &OpenOptions::default());
    if let Ok(image) = open(&path, &OpenOptions::default()) {
        for file in image.chain() {
            assert!(file.path.starts_with(&root));
        }
        let mut sector = [0; 512];
        let _ = image.read_at(0, &mut sector);
    }
});
