//! Chains with a byte changed: one error, never a panic, never an endless search.

use std::fs;
use std::io::{Seek as _, Write as _};

use disk_image::{ImageFormat, OpenOptions, check};

use crate::folder::Folder;

#[test]
fn no_byte_of_a_childs_header_can_cause_a_panic() {
    let folder = Folder::new();
    let base = folder.base("base.vhd", ImageFormat::Vhd, 1);
    let leaf = folder.child("leaf.avhd", &base, 0, 3);
    let good = fs::read(&leaf).unwrap()[..4096].to_vec();
    let mut file = fs::OpenOptions::new().write(true).open(&leaf).unwrap();
    for at in (512..2600).step_by(3) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        let sum_at = 512 + 36;
        bytes[sum_at..sum_at + 4].fill(0);
        let sum: u32 = bytes[512..1536].iter().map(|byte| u32::from(*byte)).sum();
        bytes[sum_at..sum_at + 4].copy_from_slice(&(!sum).to_be_bytes());
        file.rewind().unwrap();
        file.write_all(&bytes).unwrap();
        let _ = folder.open(&leaf);
        let _ = check(&leaf, &OpenOptions::default());
    }
}

#[test]
fn a_truncated_image_is_never_raw() {
    let folder = Folder::new();
    for (format, name) in [
        (ImageFormat::Vhdx, "a.vhdx"),
        (ImageFormat::Vhd, "a.vhd"),
        (ImageFormat::VhdFixed, "fixed.vhd"),
    ] {
        let path = folder.base(name, format, 1);
        let good = fs::read(&path).unwrap();
        for len in [0, 1, 511, 512, 4096, 70_000, good.len() / 2] {
            fs::write(&path, &good[..len]).unwrap();
            match folder.open(&path) {
                // A dynamic VHD that lost its end has a copy of its footer.
                Ok(image) => assert_ne!(image.format(), ImageFormat::Raw, "{name} {len}"),
                Err(error) => assert_eq!(error.file(), path.to_str(), "{name} {len} {error}"),
            }
        }
    }
}
