//! Volumes that are not simply encrypted, and metadata that are not whole.

use std::ffi::OsString;
use std::fs;
use std::sync::Arc;

use bitlocker_volumes::{
    Recipe, change_copy, change_metadata, places, shown, startup_key_file, write,
};
use block_io::{BlockDevice, MemoryDisk};
use disk_model::noise;
use encrypted_volumes::{BitLockerSecret, UnlockError, UnlockErrorKind, open_bitlocker};

use crate::other_readers::dislocker;

const SIZE: usize = 2 << 20;

fn open(volume: Vec<u8>) -> Result<Vec<u8>, UnlockError> {
    open_with(volume, &BitLockerSecret::StartupKey(&startup_key_file()))
}

fn open_with(volume: Vec<u8>, secret: &BitLockerSecret<'_>) -> Result<Vec<u8>, UnlockError> {
    let open = open_bitlocker(Arc::new(MemoryDisk::new(volume)), secret)?;
    let mut bytes = vec![0; usize::try_from(open.size_bytes()).unwrap()];
    open.read_at(0, &mut bytes).unwrap();
    Ok(bytes)
}

/// Refused, as what, with these words.
fn refused(volume: Vec<u8>, kind: UnlockErrorKind, words: &str) {
    let error = open(volume).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn where_a_conversion_was_paused_the_rest_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let key = folder.path().join("key.bek");
    fs::write(&key, startup_key_file()).unwrap();
    let mut key_argument = OsString::from("-f");
    key_argument.push(&key);
    let clear = noise(7, SIZE);
    let header = &places(SIZE)[3];
    // The beginning's other place is encrypted, half of it is, or none.
    let ends = [
        SIZE - 4096,
        header.end,
        header.start + 4096,
        header.start,
        512 << 10,
        8192,
        0,
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let recipe = Recipe {
            states: (5, if number % 2 == 0 { 4 } else { 1 }),
            encrypted_bytes: Some(end as u64),
            ..Recipe::new(0x8004)
        };
        let volume = write(&clear, &recipe);
        fs::write(&path, &volume).unwrap();
        assert!(open(volume).unwrap() == shown(&clear), "{end}");
        // dislocker ends with a fault where nothing is encrypted, and writes no more than what is.
        if end > 0
            && let Some(theirs) = dislocker(&path, &key_argument)
        {
            assert!(theirs == shown(&clear)[..theirs.len()], "{end}");
        }
    }
}

#[test]
fn states_that_are_not_certain_are_refused_by_name() {
    let clear = noise(7, SIZE);
    let unsupported = UnlockErrorKind::Unsupported;
    for (states, converting_bytes, words) in [
        ((2, 4), 0, "encrypting or decrypting"),
        ((2, 1), 1 << 16, "encrypting or decrypting"),
        ((1, 1), 0, "not encrypted any more"),
        ((3, 4), 0, "state 3"),
        ((4, 1), 0, "state 4, 1 next"),
        ((5, 4), 4096, "state 5"),
        ((0, 0), 0, "state 0"),
    ] {
        let recipe = Recipe {
            states,
            converting_bytes,
            encrypted_bytes: Some(1 << 20),
            ..Recipe::new(0x8004)
        };
        refused(write(&clear, &recipe), unsupported, words);
    }
    let mut volume = write(&clear, &Recipe::new(0x8004));
    volume[160..164].copy_from_slice(&[0x3B, 0x4D, 0xA8, 0x92]);
    refused(volume.clone(), unsupported, "a way 92a84d3b-2e29");
    volume[160..176].copy_from_slice(&[
        0x3B, 0x4D, 0xA8, 0x92, 0x80, 0xDD, 0x0E, 0x4D, 0x9E, 0x4E, 0xB1, 0xE3, 0x28, 0x4E, 0xAE,
        0xD8,
    ]);
    refused(volume.clone(), unsupported, "encrypt on write");
    volume[1] = 0x52;
    refused(volume, unsupported, "Windows Vista");
    let mut volume = write(&clear, &Recipe::new(0x8004));
    change_metadata(&mut volume, true, |block| block[100] = 6);
    refused(volume, unsupported, "0x8006");
}

#[test]
fn one_whole_copy_is_enough_and_the_newest_is_taken() {
    let clear = noise(7, SIZE);
    let volume = write(&clear, &Recipe::new(0x8004));
    for whole in 0..3 {
        let mut volume = volume.clone();
        for (copy, place) in places(SIZE)[..3].iter().enumerate() {
            if copy != whole {
                volume[place.start + 200] ^= 1;
            }
        }
        assert!(open(volume).unwrap() == shown(&clear), "{whole}");
    }
    let mut none = volume.clone();
    for place in &places(SIZE)[..3] {
        none[place.start + 200] ^= 1;
    }
    refused(none, UnlockErrorKind::Corrupt, "none of the three copies");

    // The third copy alone is of a volume that has a clear key, and has given out more nonces.
    let with_clear_key = Recipe {
        has_clear_key: true,
        ..Recipe::new(0x8004)
    };
    let mut newer = volume.clone();
    let place = places(SIZE)[2].clone();
    newer[place.clone()].copy_from_slice(&write(&clear, &with_clear_key)[place]);
    assert!(open_with(newer.clone(), &BitLockerSecret::ClearKey).is_err());
    change_copy(&mut newer, 2, true, |block| block[96] += 1);
    let bytes = open_with(newer, &BitLockerSecret::ClearKey).unwrap();
    assert!(bytes == shown(&clear));

    // Copies that say another thing of how much is encrypted: which is right is not known.
    let mut torn = volume.clone();
    change_copy(&mut torn, 1, true, |block| block[17] ^= 0x10);
    refused(torn, UnlockErrorKind::Unsupported, "contradict each other");
}

#[test]
fn a_volume_that_is_cut_off_is_refused() {
    let volume = write(&noise(7, SIZE), &Recipe::new(0x8004));
    for len in [0, 100, 512, 64 << 10, 1 << 20] {
        refused(volume[..len].to_vec(), UnlockErrorKind::Corrupt, "");
    }
    let words = "longer than what is here";
    refused(
        volume[..SIZE - 512].to_vec(),
        UnlockErrorKind::Corrupt,
        words,
    );
    // What lies behind the volume is not shown.
    let longer = [&volume[..], &[0x77; 8192]].concat();
    assert_eq!(open(longer).unwrap().len(), SIZE);
}
