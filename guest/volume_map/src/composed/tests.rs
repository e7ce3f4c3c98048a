//! Composed devices against a flat model.

use std::sync::Arc;

use block_io::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, MemoryDisk, NumberedDisk,
};
use proptest::prelude::*;

use super::{Stripes, device_part, joined, mirrored, near_copies, striped, zeros};

type Device = Arc<dyn BlockDevice>;

/// A device each byte of which tells where it is.
fn numbered(seed: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap()))
        .collect()
}

fn device(bytes: &[u8]) -> Device {
    Arc::new(MemoryDisk::new(bytes.to_vec()))
}

/// Disks, each with its number.
fn disks(bytes: &[Vec<u8>]) -> Vec<Device> {
    let numbered = (0..)
        .zip(bytes)
        .map(|(number, bytes)| Arc::new(NumberedDisk::new(device(bytes), number)) as Device);
    numbered.collect()
}

/// A device that cannot be read.
struct Broken(u64);

impl BlockDevice for Broken {
    fn size_bytes(&self) -> u64 {
        self.0
    }
    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<(), DiskError> {
        Err(DiskError::new(DiskErrorKind::Io, "broken"))
    }
    fn extent_at(&self, _: u64, _: u64) -> Result<Extent, DiskError> {
        Err(DiskError::new(DiskErrorKind::Io, "broken"))
    }
}

/// Reads a range and compares it with the model; ranges beyond the end are refused.
fn same(device: &dyn BlockDevice, model: &[u8], at: usize, len: usize) {
    assert_eq!(device.size_bytes(), model.len() as u64);
    let mut buf = vec![0xEE; len];
    let read = device.read_at(at as u64, &mut buf);
    match model.get(at..at + len) {
        Some(bytes) => {
            read.unwrap();
            assert!(buf == bytes, "{at} + {len}");
        }
        None => assert_eq!(read.unwrap_err().kind(), DiskErrorKind::OutOfRange),
    }
}

/// Walks all extents: they cover the device, and what they call zero is.
fn extents_cover(device: &dyn BlockDevice) {
    let mut at = 0;
    while at < device.size_bytes() {
        let extent = device.extent_at(at, device.size_bytes() - at).unwrap();
        assert!(extent.len_bytes > 0 && at + extent.len_bytes <= device.size_bytes());
        if extent.kind != ExtentKind::Data {
            let mut buf = vec![1; usize::try_from(extent.len_bytes).unwrap()];
            device.read_at(at, &mut buf).unwrap();
            assert!(block_io::is_zero(&buf));
        }
        at += extent.len_bytes;
    }
}

/// Walks all places: they cover the device, and what lies there on the disks is what is read.
fn places_cover(device: &dyn BlockDevice, disks: &[Vec<u8>]) {
    let mut at = 0;
    while at < device.size_bytes() {
        let place = device.place_at(at, device.size_bytes() - at).unwrap();
        assert!(place.len_bytes > 0 && at + place.len_bytes <= device.size_bytes());
        let from = usize::try_from(place.offset).unwrap();
        let mut buf = vec![0; usize::try_from(place.len_bytes).unwrap()];
        device.read_at(at, &mut buf).unwrap();
        let disk = &disks[usize::try_from(place.disk).unwrap()];
        assert!(buf == disk[from..from + buf.len()], "{at}: {place:?}");
        at += place.len_bytes;
    }
    assert_eq!(device.place_at(at, 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn joined_devices_read_one_after_the_other(
        lens in prop::collection::vec(0..900_usize, 1..6), at in 0..3000_usize, len in 0..2000_usize,
    ) {
        let parts: Vec<Vec<u8>> = lens.iter().zip(0..).map(|(len, seed)| numbered(seed, *len)).collect();
        let joined = joined(disks(&parts)).unwrap();
        same(&joined, &parts.concat(), at, len);
        extents_cover(&joined);
        places_cover(&joined, &parts);
    }

    #[test]
    fn stripes_deal_chunks_out_in_turn(
        members in 1..5_usize, chunk in 1..300_usize, rows in 0..6_usize, rest in 0..50_usize,
        rotation in 0..9_usize, at in 0..3000_usize, len in 0..2000_usize,
    ) {
        let bytes: Vec<Vec<u8>> =
            (0..members).map(|seed| numbered(u8::try_from(seed * 40).unwrap(), chunk * rows + rest % chunk)).collect();
        let mut model = Vec::new();
        for number in 0..rows * members {
            let row = number / members;
            model.extend(&bytes[(number + rotation) % members][row * chunk..(row + 1) * chunk]);
        }
        let stripes = Stripes { chunk_bytes: chunk as u64, rotation: rotation as u64 };
        let striped = striped(disks(&bytes), stripes).unwrap();
        same(&striped, &model, at, len);
        extents_cover(&striped);
        places_cover(&striped, &bytes);
    }

    #[test]
    fn near_copies_read_any_copy_that_is_there(
        members in 2..6_usize, copies in 2..3_usize, chunk in 1..200_usize, rows in 1..6_usize,
        gone in 0..6_usize, at in 0..2000_usize, len in 0..1000_usize,
    ) {
        let chunks = rows * members / copies;
        let model = numbered(3, chunks * chunk);
        let mut bytes = vec![vec![0; rows * chunk]; members];
        for (number, data) in model.chunks(chunk).enumerate() {
            for copy in 0..copies {
                let place = number * copies + copy;
                let row = place / members * chunk;
                bytes[place % members][row..row + chunk].copy_from_slice(data);
            }
        }
        let mut parts: Vec<Option<Device>> = disks(&bytes).into_iter().map(Some).collect();
        parts[gone % members] = None;
        let used = (rows * chunk) as u64;
        let copied = near_copies(parts, copies as u64, chunk as u64, used).unwrap();
        same(&copied, &model, at, len);
        extents_cover(&copied);
        places_cover(&copied, &bytes);
    }
}

#[test]
fn a_chunk_without_a_copy_makes_no_device() {
    let part = || Some(device(&[0; 64]));
    assert!(near_copies(vec![None, None, part(), part()], 2, 16, 64).is_none());
    assert!(near_copies(vec![None, part(), None, part()], 2, 16, 64).is_some());
    assert!(near_copies(vec![None, part(), part()], 2, 16, 64).is_some());
    assert!(near_copies(vec![None, None, part()], 2, 16, 64).is_none());
}

#[test]
fn a_mirror_reads_the_first_member_that_can_be_read() {
    let bytes = numbered(9, 100);
    let mirror = mirrored(vec![Arc::new(Broken(100)), device(&bytes)]).unwrap();
    same(&mirror, &bytes, 10, 90);
    extents_cover(&mirror);
    // What the first has is where it is, or nowhere: the next may have another.
    assert_eq!(mirror.place_at(0, 1), None);
    let both = [numbered(1, 100), numbered(2, 90)];
    places_cover(&mirrored(disks(&both)).unwrap(), &both);
    let broken = mirrored(vec![Arc::new(Broken(100)), Arc::new(Broken(100))]).unwrap();
    assert_eq!(
        broken.read_at(0, &mut [0]).unwrap_err().kind(),
        DiskErrorKind::Io
    );
    assert!(mirrored(Vec::new()).is_none());
}

#[test]
fn a_part_ends_where_it_ends() {
    let bytes = numbered(0, 100);
    let whole = device(&bytes);
    same(&device_part(&whole, 20, 30).unwrap(), &bytes[20..50], 0, 30);
    same(&device_part(&whole, 20, 30).unwrap(), &bytes[20..50], 1, 30);
    let numbered = disks(std::slice::from_ref(&bytes));
    let part = device_part(&numbered[0], 20, 30).unwrap();
    places_cover(&part, &[bytes]);
    assert_eq!(part.place_at(20, 11), None);
    // Who has no number tells of no place.
    assert_eq!(device_part(&whole, 20, 30).unwrap().place_at(0, 1), None);
    for (offset, len) in [(90, 11), (101, 0), (u64::MAX, 2), (1, u64::MAX)] {
        assert!(device_part(&whole, offset, len).is_none());
    }
}

#[test]
fn what_a_disk_knows_to_be_zero_stays_known() {
    let parts = vec![device(&[7; 10]), zeros(50), device(&[7; 10])];
    let joined = joined(parts).unwrap();
    let extent = joined.extent_at(10, 60).unwrap();
    assert_eq!((extent.kind, extent.len_bytes), (ExtentKind::Zero, 50));
    let part = device_part(&joined, 20, 45).unwrap();
    assert_eq!(part.extent_at(0, 45).unwrap().len_bytes, 40);
}

#[test]
fn nonsense_makes_no_device() {
    let stripes = |chunk_bytes| Stripes {
        chunk_bytes,
        rotation: 0,
    };
    assert!(striped(vec![device(&[0; 9])], stripes(0)).is_none());
    assert!(striped(Vec::new(), stripes(4)).is_none());
    assert!(near_copies(vec![Some(device(&[0; 9]))], 0, 4, 9).is_none());
    assert!(near_copies(vec![Some(device(&[0; 9]))], 2, 4, 9).is_none());
    assert!(near_copies(vec![None], 1, u64::MAX, u64::MAX).is_none());
    let huge = || zeros(u64::MAX - 5);
    assert!(joined(vec![huge(), huge()]).is_none());
    assert!(striped(vec![huge(), huge()], stripes(512)).is_none());
}
