//! Volumes that lie. Whatever is changed, there are the right bytes or an error.

use std::sync::Arc;

use bitlocker_volumes::{
    PASSWORD, Recipe, change_metadata, places, shown, startup_key_file, write,
};
use block_io::{BlockDevice, MemoryDisk};
use disk_model::noise;
use encrypted_volumes::{
    BitLockerSecret, PROTECTORS_MAX, UnlockError, UnlockErrorKind, bitlocker_protectors,
    open_bitlocker,
};
use proptest::prelude::*;

const SIZE: usize = 2 << 20;

fn open(volume: &[u8]) -> Result<Arc<dyn BlockDevice>, UnlockError> {
    let file = startup_key_file();
    let volume = Arc::new(MemoryDisk::new(volume.to_vec()));
    open_bitlocker(volume, &BitLockerSecret::StartupKey(&file))
}

/// The size of a copy of the metadata, up to its checksum.
fn block_size(volume: &[u8]) -> usize {
    let start = places(volume.len())[0].start;
    usize::from(u16::from_le_bytes([volume[start + 8], volume[start + 9]])) * 16
}

#[test]
fn no_changed_byte_of_the_metadata_gives_data() {
    let volume = write(&noise(7, SIZE), &Recipe::new(0x8001));
    let size = block_size(&volume);
    for at in 0..size {
        let mut changed = volume.clone();
        change_metadata(&mut changed, false, |block| block[at] ^= 1 << (at % 8));
        let error = open(&changed).err();
        let kind = error
            .unwrap_or_else(|| panic!("byte {at} is not looked at"))
            .kind();
        assert_ne!(kind, UnlockErrorKind::Disk, "byte {at}");
    }
    // The seal itself: its key's nonce, tag and hash.
    for at in size + 8..size + 8 + 80 {
        let mut changed = volume.clone();
        for place in &places(SIZE)[..3] {
            changed[place.start + at] ^= 0x10;
        }
        // Its role and version are not looked at.
        if ![2, 3, 6, 7].contains(&(at - size - 8)) {
            let kind = open(&changed).err().map(|error| error.kind());
            assert_eq!(kind, Some(UnlockErrorKind::Corrupt), "byte {at}");
        }
    }
}

#[test]
fn a_changed_bit_of_a_hidden_key_is_a_wrong_key_or_damage() {
    let volume = write(&noise(7, SIZE), &Recipe::new(0x8004));
    let find = |needle: &[u8]| {
        let start = places(SIZE)[0].start;
        let area = &volume[start..start + (64 << 10)];
        area.windows(needle.len())
            .position(|part| part == needle)
            .unwrap()
    };
    // By their nonces: the start-up key's and the volume's own.
    for (nonce, kind) in [
        (3, UnlockErrorKind::WrongKey),
        (60, UnlockErrorKind::Corrupt),
    ] {
        let entry = [&[5, 0, 1, 0][..], &[nonce; 12]].concat();
        let start = find(&entry) + 4;
        for bit in 0..(12 + 16 + 44) * 8 {
            let mut changed = volume.clone();
            change_metadata(&mut changed, true, |block| {
                block[start + bit / 8] ^= 1 << (bit % 8);
            });
            let error = open(&changed).err().unwrap();
            assert_eq!(error.kind(), kind, "bit {bit} of {nonce}: {error}");
        }
    }
}

#[test]
fn the_first_sector_is_believed_only_where_the_metadata_agree() {
    let clear = noise(7, SIZE);
    let (volume, whole) = (write(&clear, &Recipe::new(0x8004)), shown(&clear));
    for at in 0..512 {
        let mut changed = volume.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(open) = open(&changed) else { continue };
        let mut bytes = vec![0; SIZE];
        open.read_at(0, &mut bytes).unwrap();
        assert!(bytes == whole, "byte {at}");
    }
    // Sectors of another length.
    let mut changed = volume.clone();
    changed[11..13].copy_from_slice(&4096_u16.to_le_bytes());
    assert_eq!(
        open(&changed).err().unwrap().kind(),
        UnlockErrorKind::Corrupt
    );
}

#[test]
fn places_that_cannot_be_are_refused() {
    let volume = write(&noise(7, SIZE), &Recipe::new(0x8004));
    let no_entry = Recipe {
        has_header_entry: false,
        ..Recipe::new(0x8004)
    };
    let bare = write(&noise(7, SIZE), &no_entry);
    let header = places(SIZE)[3].start as u64;
    let metadata = places(SIZE)[0].start as u64;
    for (at, value) in [
        // The volume's size, odd and too large; the beginning's place: odd, at the beginning, in the
        // metadata, at the end, and beyond every number.
        (16, SIZE as u64 - 1),
        (16, SIZE as u64 + 512),
        (16, u64::MAX),
        (56, header + 1),
        (56, 0),
        (56, metadata),
        (56, metadata + (64 << 10) - 512),
        (56, SIZE as u64 - 512),
        (56, u64::MAX - 511),
    ] {
        let mut changed = bare.clone();
        let value = value.to_le_bytes();
        change_metadata(&mut changed, true, |block| {
            block[at..at + 8].copy_from_slice(&value);
        });
        let error = open(&changed).err().unwrap();
        assert_eq!(error.kind(), UnlockErrorKind::Corrupt, "{at}: {error}");
    }
    // As many sectors as there can be, and none.
    for sectors in [u32::MAX, 0] {
        let mut changed = bare.clone();
        let sectors = sectors.to_le_bytes();
        change_metadata(&mut changed, true, |block| {
            block[28..32].copy_from_slice(&sectors);
        });
        assert_eq!(
            open(&changed).err().unwrap().kind(),
            UnlockErrorKind::Corrupt
        );
    }
    // What the entry says beside it.
    let mut changed = volume;
    change_metadata(&mut changed, true, |block| block[28] = 8);
    let error = open(&changed).err().unwrap();
    assert!(
        error.to_string().contains("contradict themselves"),
        "{error}"
    );
}

#[test]
fn more_protectors_than_anybody_has_are_not_tried() {
    let mut volume = write(&noise(7, SIZE), &Recipe::new(0x8004));
    change_metadata(&mut volume, true, |block| {
        let mut value = vec![9; 26];
        value.extend(0x2000_u16.to_le_bytes());
        let mut entry: Vec<u8> = [36_u16, 2, 8, 1]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        entry.extend(value);
        // In front of the others.
        let many = entry.repeat(PROTECTORS_MAX + 4);
        block.splice(112..112, many.iter().copied());
        block.resize(block.len().next_multiple_of(16), 0);
        let size = u16::try_from(block.len() / 16).unwrap();
        block[8..10].copy_from_slice(&size.to_le_bytes());
        let old = u32::from_le_bytes(block[64..68].try_into().unwrap());
        let new = old + u32::try_from(many.len()).unwrap();
        block[64..68].copy_from_slice(&new.to_le_bytes());
    });
    let disk: Arc<dyn BlockDevice> = Arc::new(MemoryDisk::new(volume));
    for error in [
        open_bitlocker(Arc::clone(&disk), &BitLockerSecret::Password(PASSWORD)).err(),
        bitlocker_protectors(&disk).err(),
    ] {
        assert_eq!(error.unwrap().kind(), UnlockErrorKind::Unsupported);
    }
}

#[test]
fn a_file_that_is_no_start_up_key_is_refused() {
    let volume: Arc<dyn BlockDevice> = Arc::new(MemoryDisk::new(write(
        &noise(7, SIZE),
        &Recipe::new(0x8004),
    )));
    let file = startup_key_file();
    for len in 0..file.len() {
        let mut cut = file[..len].to_vec();
        if len >= 4 {
            cut[..4].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
        }
        let error = open_bitlocker(Arc::clone(&volume), &BitLockerSecret::StartupKey(&cut));
        assert_eq!(
            error.err().unwrap().kind(),
            UnlockErrorKind::WrongKey,
            "{len}"
        );
    }
    let mut other = file;
    *other.last_mut().unwrap() ^= 1;
    let error = open_bitlocker(volume, &BitLockerSecret::StartupKey(&other))
        .err()
        .unwrap();
    assert_eq!(error.kind(), UnlockErrorKind::WrongKey);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// By somebody who has the master key, so that every check of sums passes.
    #[test]
    fn any_metadata_end_and_what_opens_reads_to_its_end(
        changes in prop::collection::vec((8..900_usize, any::<u8>()), 1..12),
        beginning in prop::collection::vec((0..512_usize, any::<u8>()), 0..2),
    ) {
        let mut volume = write(&noise(7, SIZE), &Recipe::new(0x8004));
        change_metadata(&mut volume, true, |block| {
            for (at, byte) in &changes {
                // The size is what the copy is found by.
                if let Some(place) = block.get_mut(*at).filter(|_| *at >= 10) {
                    *place = *byte;
                }
            }
        });
        for (at, byte) in beginning {
            volume[at] = byte;
        }
        for secret in [BitLockerSecret::StartupKey(&startup_key_file()), BitLockerSecret::ClearKey] {
            let disk = Arc::new(MemoryDisk::new(volume.clone()));
            if let Ok(open) = open_bitlocker(disk, &secret) {
                let mut bytes = vec![0; usize::try_from(open.size_bytes()).unwrap()];
                open.read_at(0, &mut bytes).unwrap();
            }
        }
    }
}
