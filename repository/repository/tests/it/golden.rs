//! A repository that an earlier build wrote is read by this one, to the byte.
//!
//! `tests/golden/v1` was made by [`make`], once, when the format was version 1. It is never made
//! anew: a build that cannot read it has broken every repository there is.

use std::path::{Path, PathBuf};

use object_store::FolderStore;
use repository::{
    InitOptions, LeftOutDisk, PasswordCost, Proof, RecoveryKey, Repository, RepositoryError,
    RepositoryErrorKind, RestorePoint, StreamRead, Unlock,
};

use crate::support::{CHUNK, Quiet, back_up, disk_bytes, init, read_back};

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
            let of_size = |p: &&RestorePoint| p.streams[0].size_bytes == disk.len() as u64;
            let point = points.iter().find(of_size).unwrap();
            assert_eq!(read_back(&repository, point).unwrap(), disk);
        }
        assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
    }
}

/// The JSON of a point with all fields, as the format page has them; never made anew.
const POINT: &str = include_str!("../golden/point-v1.json");

#[test]
fn a_point_with_all_fields_reads_and_writes_as_it_did() {
    let point: RestorePoint = serde_json::from_str(POINT).unwrap();
    assert_eq!(point.method.as_deref(), Some("recovery-checkpoint"));
    let slot = serde_json::json!({"controller": "scsi", "number": 0, "location": 3});
    assert_eq!(
        point.left_out,
        [LeftOutDisk {
            slot: Some(slot),
            path: "Disk 2 10.00 GB Bus 0 Lun 0 Target 2".to_owned(),
            reason: "pass-through".to_owned(),
        }]
    );
    let reads: Vec<_> = point.streams.iter().map(|s| s.read.clone()).collect();
    assert_eq!(
        reads,
        [
            Some(StreamRead::ChangedRanges {
                ranges: 12,
                changed_bytes: 3_407_872,
            }),
            Some(StreamRead::Everything {
                reason: "first-backup".to_owned(),
            }),
            None,
        ]
    );
    assert_eq!(
        point.streams[0].proof,
        Some(Proof {
            swept_to: 47_448_064,
            round_started: "2026-01-01T22:00:00Z".parse().unwrap(),
            checked_bytes: 1_376_256,
        })
    );
    let written = serde_json::to_value(&point).unwrap();
    let golden: serde_json::Value = serde_json::from_str(POINT).unwrap();
    assert_eq!(written, golden);
}

#[test]
fn a_point_of_the_first_programs_lacks_fields_and_one_of_a_later_program_has_more() {
    let mut json: serde_json::Value = serde_json::from_str(POINT).unwrap();
    let stream = &mut json["streams"][0];
    stream["read"] = serde_json::json!({"how": "by-telepathy", "depth": [1, 2]});
    stream["colour"] = serde_json::json!("red");
    json["weather"] = serde_json::json!({"rain": true});
    let later: RestorePoint = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(later.streams[0].read, Some(StreamRead::Unknown));
    for field in ["method", "left_out"] {
        json.as_object_mut().unwrap().remove(field);
    }
    for field in ["read", "proof"] {
        json["streams"][0].as_object_mut().unwrap().remove(field);
    }
    let earlier: RestorePoint = serde_json::from_value(json).unwrap();
    assert_eq!((earlier.method, earlier.left_out), (None, Vec::new()));
    let stream = &earlier.streams[0];
    assert_eq!((&stream.read, &stream.proof), (&None, &None));
}

/// The JSON of a point that holds a checkpoint tree; never made anew.
const TREE_POINT: &str = include_str!("../golden/point-v2.json");

#[test]
fn a_point_with_a_checkpoint_tree_reads_and_writes_as_it_did() {
    let point: RestorePoint = serde_json::from_str(TREE_POINT).unwrap();
    assert_eq!(point.images.len(), 2);
    let parent = point.images[1].parent.as_deref();
    assert_eq!(parent, Some(point.images[0].name.as_str()));
    assert_eq!(point.stages[1].milliseconds, 8400);
    assert_eq!(point.interruption_ms, Some(9600));
    let version = RestorePoint::version_of(&point.images, point.checkpoints.as_ref());
    assert_eq!(version, point.version);
    let written = serde_json::to_value(&point).unwrap();
    let golden: serde_json::Value = serde_json::from_str(TREE_POINT).unwrap();
    assert_eq!(written, golden);
}

/// What a program of the first version understands of a point is its version, and that it does
/// not know it: so nothing that it does parse may hold a role that it has never heard of.
#[test]
fn what_programs_of_version_1_parse_of_a_tree_holds_nothing_new() {
    let golden: serde_json::Value = serde_json::from_str(TREE_POINT).unwrap();
    assert_eq!(golden["version"], 2);
    let streams = golden["streams"].as_array().unwrap();
    assert!(streams.iter().all(|stream| stream["role"] != "image"));
}

#[test]
fn a_newer_point_is_refused_as_newer_and_leaves_the_others_readable() {
    let folder = tempfile::tempdir().unwrap();
    let repository = init(folder.path());
    let mut point = back_up(&repository, "vm", &[7; 100_000]);
    point.version = 3;
    point.id = RestorePoint::new_id().unwrap();
    let run = repository.begin_run(1).unwrap();
    run.publish(&point).unwrap();
    let (points, refused) = repository.points().unwrap();
    assert_eq!(points.len(), 1);
    let kinds: Vec<_> = refused.iter().map(RepositoryError::kind).collect();
    assert_eq!(kinds, [RepositoryErrorKind::Unsupported]);
    assert!(refused[0].to_string().contains("version 3"));
}
