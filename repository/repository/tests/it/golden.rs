//! A repository that an earlier build wrote is read by this one, to the byte.
//!
//! `tests/golden/v1` was made by [`make`], once, when the format was version 1. It is never made
//! anew: a build that cannot read it has broken every repository there is.

use std::path::{Path, PathBuf};

use object_store::FolderStore;
use repository::{InitOptions, PasswordCost, RecoveryKey, Repository, Unlock};

use crate::support::{CHUNK, Quiet, back_up, disk_bytes, read_back};

const PASSWORD: Unlock<'static> = Unlock::Password("golden");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The disk at its first and second point: more than a leaf, with zeros, and a short last chunk.
fn disks() -> [Vec<u8>; 2] {
    let mut first = disk_bytes(1, 260 * CHUNK + 100);
    // Noise does not compress; a golden file in a source tree should be small.
    for (number, chunk) in first.chunks_mut(CHUNK).enumerate() {
        if number % 16 != 3 {
            chunk.fill(u8::try_from(number % 7).unwrap());
        }
    }
    let mut second = first.clone();
    second[5 * CHUNK..7 * CHUNK].fill(200);
    second.truncate(259 * CHUNK + 1);
    [first, second]
}

fn make(folder: &Path) {
    let key = RecoveryKey::generate().unwrap();
    let options = InitOptions {
        chunk_bytes: u32::try_from(CHUNK).unwrap(),
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    let store = std::sync::Arc::new(FolderStore::create(folder).unwrap());
    let unlocks = [PASSWORD, Unlock::RecoveryKey(&key)];
    let repository = Repository::init(store, &unlocks, options).unwrap();
    std::fs::write(folder.with_extension("recovery-key"), key.to_text()).unwrap();
    disks()
        .iter()
        .for_each(|disk| drop(back_up(&repository, "golden vm", disk)));
}

#[test]
fn a_repository_of_version_1_reads_as_it_did_when_it_was_made() {
    if std::env::var_os("LIFEBOAT_MAKE_GOLDEN").is_some() {
        make(&folder());
    }
    let text = std::fs::read_to_string(folder().with_extension("recovery-key")).unwrap();
    let key = RecoveryKey::parse(&text).unwrap();
    for unlock in [PASSWORD, Unlock::RecoveryKey(&key)] {
        let store = std::sync::Arc::new(FolderStore::open(&folder()).unwrap());
        let repository = Repository::open(store, &unlock).unwrap();
        let points = repository.points_of("golden vm").unwrap();
        assert_eq!(points.len(), 2);
        // Both points have the same time in this test; the one with a parent map of two chunks
        // more is told by its size.
        for disk in disks() {
            let of_size =
                |p: &&repository::RestorePoint| p.streams[0].size_bytes == disk.len() as u64;
            let point = points.iter().find(of_size).unwrap();
            assert_eq!(read_back(&repository, point).unwrap(), disk);
        }
        assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
    }
}
