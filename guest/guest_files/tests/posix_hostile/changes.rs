//! Changes to volumes, and checksums made right again.

use disk_model::ChangedDisk;
use volume_map::Content;

/// Numbers that follow from a seed.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Returns the places in sectors that say something.
pub(crate) fn telling(disk: &ChangedDisk, sectors: &[u64]) -> Vec<u64> {
    let bytes_of = |sector: &u64| {
        let sector = *sector;
        let bytes = disk.bytes(sector, 512).into_iter().zip(sector..);
        bytes
            .filter(|(byte, _)| *byte != 0)
            .map(|(_, offset)| offset)
    };
    sectors.iter().flat_map(bytes_of).collect()
}

/// Returns one to some dozens of changes, at places or close by.
pub(crate) fn changed(numbers: &mut Numbers, places: &[u64]) -> Vec<(u64, Vec<u8>)> {
    let most = 1 << numbers.below(7);
    let count = 1 + numbers.below(most);
    let places_len = u64::try_from(places.len()).unwrap();
    let change = |_| {
        let place = places[usize::try_from(numbers.below(places_len)).unwrap()];
        let len = usize::try_from(1 << numbers.below(4)).unwrap();
        let aside = [0, 0, 0, 1, 4][usize::try_from(numbers.below(5)).unwrap()];
        let offset = place.saturating_sub(aside);
        let bytes = match numbers.below(4) {
            0 => vec![0xFF; len],
            1 => vec![0; len],
            2 => {
                let mut bytes = vec![0; len];
                bytes[0] = 1 << numbers.below(8);
                bytes
            }
            _ => (0..len)
                .map(|_| u8::try_from(numbers.below(256)).unwrap())
                .collect(),
        };
        (offset, bytes)
    };
    (0..count).map(change).collect()
}

/// Makes the checksum right again of what holds a place, where its kind has one.
pub(crate) fn seal(disk: &mut ChangedDisk, content: Content, offset: u64) {
    match content {
        Content::Btrfs => seal_btrfs(disk, offset),
        Content::Xfs => seal_xfs(disk, offset),
        _ => {}
    }
}

fn seal_btrfs(disk: &mut ChangedDisk, offset: u64) {
    const SUPERBLOCK: u64 = 64 << 10;
    let (start, len) = if (SUPERBLOCK..SUPERBLOCK + 4096).contains(&offset) {
        (SUPERBLOCK, 4096)
    } else {
        (offset - offset % (16 << 10), 16 << 10)
    };
    let block = disk.bytes(start, len);
    let fsid = disk.bytes(SUPERBLOCK + 32, 16);
    if start != SUPERBLOCK && block[32..48] != fsid {
        return;
    }
    let sum = crc32c::crc32c(&block[32..]).to_le_bytes();
    disk.change(start, sum.to_vec());
}

/// Sectors with a checksum of their own, inodes, and blocks of folders and extents.
fn seal_xfs(disk: &mut ChangedDisk, offset: u64) {
    let sector = offset - offset % 512;
    let bytes = disk.bytes(sector, 512);
    match &bytes[..4] {
        b"XFSB" => return seal_at(disk, sector, 512, 224),
        b"XAGI" => return seal_at(disk, sector, 512, 312),
        _ => {}
    }
    if bytes.starts_with(b"IN") {
        return seal_at(disk, sector, 512, 100);
    }
    let block = offset - offset % 4096;
    let bytes = disk.bytes(block, 4096);
    match &bytes[..4] {
        b"XDB3" | b"XDD3" => seal_at(disk, block, 4096, 4),
        b"BMA3" => seal_at(disk, block, 4096, 64),
        _ if matches!(
            &bytes[8..10],
            [0x3D, 0xF1 | 0xFF] | [0x3E, 0xBE] | [0x3B, 0xEE]
        ) =>
        {
            seal_at(disk, block, 4096, 12);
        }
        _ => {}
    }
}

fn seal_at(disk: &mut ChangedDisk, start: u64, len: usize, field: usize) {
    let mut bytes = disk.bytes(start, len);
    bytes[field..field + 4].fill(0);
    let sum = crc32c::crc32c(&bytes).to_le_bytes();
    disk.change(start + u64::try_from(field).unwrap(), sum.to_vec());
}
