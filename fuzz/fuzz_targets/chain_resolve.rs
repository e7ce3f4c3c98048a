//! A folder with a good base and a child of any header: the chain resolves to files below the
//! root, or to one error, and always ends.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice as _, MemoryFile};
use disk_image::{OpenOptions, WindowsPath, check, open};
use libfuzzer_sys::fuzz_target;
use vhd_format::{CreateKind, CreateOptions, ParentLink, VhdLayer, create};

/// The part of the child that the input decides: the header, the table and the locators.
const HEADER: usize = 512;
const HEADER_LEN: usize = 4096;

/// A folder with a good base, and the bytes of a good child of it.
struct Seed {
    root: PathBuf,
    child: Vec<u8>,
}

fn image(kind: CreateKind) -> Vec<u8> {
    let file = Arc::new(MemoryFile::new("seed.vhd", Vec::new()));
    let options = CreateOptions {
        block_bytes: 64 << 10,
        ..CreateOptions::new(1 << 20, kind)
    };
    let image = create(file.clone(), options).unwrap();
    image.write_at(0, &[1; 4096]).unwrap();
    image.finish().unwrap();
    file.to_vec()
}

fn seed() -> &'static Seed {
    static SEED: OnceLock<Seed> = OnceLock::new();
    SEED.get_or_init(|| {
        // One folder for each of the fuzzer's processes.
        let name = format!("lifeboat-chain-resolve-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).unwrap();
        let base = image(CreateKind::Dynamic);
        fs::write(root.join("base.vhd"), &base).unwrap();
        let base = VhdLayer::open(Arc::new(MemoryFile::new("base.vhd", base))).unwrap();
        let link = ParentLink::to(
            base.info(),
            Some(".\\base.vhd".to_owned()),
            Some("C:\\VMs\\base.vhd".to_owned()),
        );
        Seed {
            root: root.canonicalize().unwrap(),
            child: image(CreateKind::Differencing(link)),
        }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let _ = WindowsPath::parse(&String::from_utf8_lossy(bytes));
    let Seed { root, child } = seed();
    let mut leaf = child.clone();
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
            assert!(file.path.starts_with(root));
        }
        let mut sector = [0; 512];
        let _ = image.read_at(0, &mut sector);
    }
});
