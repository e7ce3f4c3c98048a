//! A repository in which everything is that the format has: forwards of packs that were rewritten,
//! packs sealed by a host that only writes, notes, settings, a roll-up, a domain, a second password.
//!
//! `tests/golden/v1-all` was made by [`make`], once; like `v1` it is never made anew. A reader in
//! another language restores it, too (`bin/lifeboat/tests/it/independent_reader.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::FolderStore;
use repository::{HostKey, Note, RecoveryKey, Repository, Settings, Unlock};
use store_faults::MemoryStore;

use crate::collect::site::{DAY, Site, noise};
use crate::support::{CHUNK, PASSWORD, Quiet, back_up, options, read_back};

const SIZE: usize = 16 * CHUNK;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1-all")
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Three quarters of a disk change, its first point goes, and what is left of its packs moves.
fn rewritten(site: &mut Site) {
    let mut disk = noise(1, SIZE);
    let old = site.back_up("moved", &disk);
    let new = noise(2, SIZE);
    for (number, chunk) in disk.chunks_mut(CHUNK).enumerate() {
        if number % 4 != 0 {
            chunk.copy_from_slice(&new[number * CHUNK..][..CHUNK]);
        }
    }
    let kept = site.back_up("moved", &disk);
    let now = kept.finished;
    let repository = site.repository();
    for note in [Note::Pin(true), Note::Comment("before the move".to_owned())] {
        repository.add_note(&kept.id, &note, now).unwrap();
    }
    site.remove(&old);
    site.store.advance(4 * DAY);
    assert!(site.collect().rewritten_packs > 0);
    site.store.advance(2 * DAY);
    site.collect();
}

fn by_a_host_that_only_writes(site: &mut Site) {
    let domain = site.repository().add_domain("web01").unwrap();
    let key: HostKey = domain.add_host("web01").unwrap();
    let host = Arc::new(site.store.another_host());
    let host = Repository::open(host, &Unlock::HostKey(&key)).unwrap();
    for seed in [3, 4] {
        let bytes = noise(seed, SIZE / 2);
        let point = back_up(&host, "sealed", &bytes);
        site.remember(&point, &bytes);
    }
}

fn make(folder: &Path) {
    let recovery = RecoveryKey::generate().unwrap();
    let store = MemoryStore::new();
    let unlocks = [PASSWORD, Unlock::RecoveryKey(&recovery)];
    Repository::init(Arc::new(store.clone()), &unlocks, options()).unwrap();
    let mut site = Site {
        store,
        expected: BTreeMap::new(),
    };
    rewritten(&mut site);
    by_a_host_that_only_writes(&mut site);
    let repository = site.repository();
    let settings = Settings {
        quota_bytes: Some(1 << 40),
        ..Settings::default()
    };
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    repository.set_settings(&settings, now).unwrap();
    repository.new_data_key().unwrap();
    // As many points as it takes to be rolled up.
    for day in 0..8 {
        site.back_up("newer key", &[noise(5, CHUNK), vec![day; CHUNK]].concat());
    }
    site.repository().roll_up_points().unwrap();
    site.check();
    for name in site.store.names("") {
        let path = folder.join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, site.store.bytes_of(&name).unwrap()).unwrap();
    }
    std::fs::write(folder.with_extension("recovery-key"), recovery.to_text()).unwrap();
    let expected: BTreeMap<_, _> = site
        .expected
        .iter()
        .map(|(id, (_, bytes))| (id, hash(bytes)))
        .collect();
    let json = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    std::fs::write(folder.with_extension("json"), json).unwrap();
}

#[test]
fn a_repository_with_everything_that_the_format_has_reads_as_it_did_when_it_was_made() {
    if std::env::var_os("LIFEBOAT_MAKE_GOLDEN_ALL").is_some() {
        make(&folder());
    }
    let read = |extension| std::fs::read_to_string(folder().with_extension(extension)).unwrap();
    let key = RecoveryKey::parse(&read("recovery-key")).unwrap();
    let expected: BTreeMap<String, String> = serde_json::from_str(&read("json")).unwrap();
    for kind in ["forward", "rollups", "notes", "settings"] {
        assert!(
            folder().join(kind).is_dir(),
            "the golden folder lacks {kind}/"
        );
    }
    for unlock in [PASSWORD, Unlock::RecoveryKey(&key)] {
        let store = Arc::new(FolderStore::open(&folder()).unwrap());
        let repository = Repository::open(store, &unlock).unwrap();
        let catalog = repository.catalog().unwrap();
        assert_eq!(catalog.points.len(), expected.len());
        for listed in &catalog.points {
            let point = repository.find_point(&listed.summary.id).unwrap();
            let bytes = read_back(&repository, &point).unwrap();
            assert_eq!(hash(&bytes), expected[&point.id], "{}", point.vm.name);
            let noted = point.vm.name == "moved";
            assert_eq!(listed.notes.pinned, noted);
            let comment = noted.then(|| "before the move".to_owned());
            assert_eq!(listed.notes.comment, comment);
        }
        let settings = repository.settings().unwrap();
        assert_eq!(settings.quota_bytes, Some(1 << 40));
        assert_eq!(repository.check(true, &Quiet).unwrap().damage, []);
    }
}
