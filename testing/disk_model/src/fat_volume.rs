//! A volume of FAT by hand.

/// Makes a volume of 32 KiB with one file, `HELLO.TXT`, that says `hello`: no tool is needed.
pub fn fat_volume() -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut volume = vec![0; 64 * SECTOR];
    // Boot sector: 512-byte sectors, one a cluster, one reserved, one table, 16 entries in the
    // top folder, 64 sectors, one of them for the table.
    volume[..3].copy_from_slice(&[0xEB, 0x3C, 0x90]);
    volume[3..11].copy_from_slice(b"MSDOS5.0");
    volume[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xF8, 1, 0]);
    volume[510..512].copy_from_slice(&[0x55, 0xAA]);
    // The table: cluster 2 is the last of its file.
    volume[SECTOR..SECTOR + 5].copy_from_slice(&[0xF8, 0xFF, 0xFF, 0xFF, 0x0F]);
    let entry = &mut volume[2 * SECTOR..2 * SECTOR + 32];
    entry[..12].copy_from_slice(b"HELLO   TXT\x20");
    entry[26] = 2;
    entry[28] = 5;
    volume[3 * SECTOR..3 * SECTOR + 5].copy_from_slice(b"hello");
    volume
}
