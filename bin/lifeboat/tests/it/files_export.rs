//! Whole volumes out of restore points, also those that nothing reads.

use std::fs;

use crate::sandbox::{Sandbox, flat, json_lines, noise};

const MIB: usize = 1 << 20;

/// A disk with a partition of FAT and one of something else; returns the two.
fn two_partitions(sandbox: &Sandbox) -> [Vec<u8>; 2] {
    sandbox.fat_volume("FAT.raw");
    let fat = sandbox.path("host/FAT.raw");
    let mut first = fs::read(&fat).unwrap();
    fs::remove_file(fat).unwrap();
    first.resize(MIB, 0);
    let second = noise("something else", MIB + 512);
    let mut disk = vec![0; MIB];
    for (number, (kind, sector, bytes)) in [(0x0E, 2048, &first), (0x83, 4096, &second)]
        .into_iter()
        .enumerate()
    {
        let entry = &mut disk[446 + number * 16..][..16];
        let sectors = u32::try_from(bytes.len() / 512).unwrap();
        entry[4] = kind;
        entry[8..12].copy_from_slice(&u32::to_le_bytes(sector));
        entry[12..].copy_from_slice(&sectors.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk.extend_from_slice(&first);
    disk.extend_from_slice(&second);
    sandbox.raw("FILES.raw", &disk);
    [first, second]
}

#[test]
fn a_volume_comes_out_as_it_is_whether_it_can_be_read_or_not() {
    let sandbox = Sandbox::with_repository();
    let volumes = two_partitions(&sandbox);
    sandbox.back_up_all();

    let refused = sandbox.fails(31, &["files", "ls", "FILES@latest:/2"]);
    assert!(!refused.is_empty());
    for (number, bytes) in (1..).zip(&volumes) {
        let volume = format!("FILES@latest:/{number}");
        let raw = format!("{number}.img");
        sandbox.ok(&["files", "export", &volume, "-o", &raw]);
        assert!(fs::read(sandbox.path(&raw)).unwrap() == *bytes, "{volume}");
        let vhdx = format!("{number}.vhdx");
        let said = sandbox.ok(&["files", "export", &volume, "-o", &vhdx, "--json"]);
        assert_eq!(json_lines(&said).pop().unwrap()["format"], "vhdx");
        assert!(flat(&sandbox.path(&vhdx)) == *bytes, "{volume} as VHDX");
    }
}

#[test]
fn what_is_no_volume_is_not_exported_and_what_exists_is_left_alone() {
    let sandbox = Sandbox::with_repository();
    two_partitions(&sandbox);
    sandbox.back_up_all();

    let out = ["-o", "out.img"];
    for place in [
        "FILES@latest",
        "FILES@latest:/7",
        "FILES@latest:/1/HELLO.TXT",
    ] {
        sandbox.fails(2, &[&["files", "export", place], &out[..]].concat());
        assert!(!sandbox.path("out.img").exists(), "{place}");
    }
    fs::write(sandbox.path("out.img"), "mine").unwrap();
    let export = [&["files", "export", "FILES@latest:/1"], &out[..]].concat();
    assert_ne!(sandbox.run(&export).status.code(), Some(0));
    assert_eq!(fs::read(sandbox.path("out.img")).unwrap(), b"mine");
}
