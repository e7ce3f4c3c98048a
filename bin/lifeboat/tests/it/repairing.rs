//! A damaged repository, from the first look to the last restore.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{Sandbox, json_lines};

const CHUNK: usize = 64 << 10;

/// Returns the largest pack.
fn largest_pack(sandbox: &Sandbox) -> PathBuf {
    let mut packs = Vec::new();
    for folder in fs::read_dir(sandbox.path("repository/packs")).unwrap() {
        let files = fs::read_dir(folder.unwrap().path()).unwrap();
        packs.extend(files.map(|file| file.unwrap().path()));
    }
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    packs.into_iter().max_by_key(size).unwrap()
}

#[test]
fn damage_is_told_repaired_and_healed_by_the_next_backup() {
    let sandbox = Sandbox::with_repository();
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut bytes = vec![0; 40 * CHUNK];
    noise.fill(&mut bytes);
    sandbox.raw("old.raw", &bytes);
    sandbox.back_up_all();
    let pack = largest_pack(&sandbox);
    let mut stored = fs::read(&pack).unwrap();
    stored[1 << 20] ^= 1;
    fs::write(&pack, stored).unwrap();

    // The structure is good; whoever reads finds it, with a key and without.
    sandbox.ok(&["repo", "check"]);
    let lines = sandbox.run(&["repo", "check", "--read-data", "--json"]);
    assert_eq!(lines.status.code(), Some(13));
    let lines = json_lines(&String::from_utf8(lines.stdout).unwrap());
    let lost = lines.iter().find(|line| line["type"] == "lost").unwrap();
    assert_eq!(lost["lost_bytes"], CHUNK, "{lost}");
    let mut keyless = sandbox.command(&["repo", "check", "--without-key"]);
    keyless.env_remove("LIFEBOAT_PASSWORD_FILE");
    keyless.env_remove("LIFEBOAT_RECOVERY_KEY_FILE");
    assert_eq!(keyless.output().unwrap().status.code(), Some(13));

    // Nothing is changed before somebody agrees.
    sandbox.ok(&["repo", "repair", "--read-data", "--dry-run"]);
    sandbox.fails(2, &["repo", "repair", "--read-data"]);
    assert!(pack.exists());
    sandbox.fails(3, &["repo", "repair", "--read-data", "--yes"]);
    assert!(!pack.exists());

    // What is lost is an error, or zeros for those who ask for them: never green.
    sandbox.fails(13, &["restore", "disk", "old@latest", "-o", "a.raw"]);
    let args = [
        "restore",
        "disk",
        "old@latest",
        "-o",
        "b.raw",
        "--allow-damaged",
    ];
    sandbox.fails(3, &args);
    let restored = fs::read(sandbox.path("b.raw")).unwrap();
    let differs = |number: &usize| {
        let range = number * CHUNK..(number + 1) * CHUNK;
        restored[range.clone()] != bytes[range]
    };
    let different: Vec<usize> = (0..40).filter(differs).collect();
    assert_eq!(different.len(), 1);
    let chunk = &restored[different[0] * CHUNK..][..CHUNK];
    assert!(chunk.iter().all(|byte| *byte == 0));

    // The next backup brings it back, in the older point too.
    sandbox.back_up_all();
    sandbox.ok(&["repo", "check", "--read-data"]);
    sandbox.ok(&["restore", "disk", "old@latest~1", "-o", "c.raw"]);
    assert!(fs::read(sandbox.path("c.raw")).unwrap() == bytes);
    sandbox.ok(&["repo", "repair", "--read-data"]);
}
