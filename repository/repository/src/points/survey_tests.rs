//! What somebody with the keys of one host writes into roll-ups, and why it decides nothing.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use store_faults::MemoryStore;

use crate::points::SealedBy;
use crate::points::point_notes::HeardNote;
use crate::points::roll_up::{RollUp, RolledNote};
use crate::{HostKey, InitOptions, Note, PasswordCost, Repository, RestorePoint, Unlock};

const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");

fn made() -> (MemoryStore, Repository) {
    let store = MemoryStore::new();
    let options = InitOptions {
        chunk_bytes: 4096,
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    let shared = Arc::new(store.another_host());
    let repository = Repository::init(shared, &[PASSWORD], options).unwrap();
    (store, repository)
}

/// A point of a VM with nothing in it.
fn put_point(repository: &Repository, vm: &str) -> RestorePoint {
    let golden = include_str!("../../tests/golden/point-v1.json");
    let mut point: RestorePoint = serde_json::from_str(golden).unwrap();
    point.id = RestorePoint::new_id().unwrap();
    point.vm.identity = vm.to_owned();
    point.streams.clear();
    repository.put_point(&point).unwrap();
    point
}

/// Writes a roll-up in which every note of `point` is said to release its pin, by the master key.
fn forge_release(liar: &Repository, owner: &Repository, point: &RestorePoint) {
    let (heard, _) = owner.notes_of(&point.id).unwrap();
    let other = put_point(owner, "other");
    let now = Timestamp::now();
    owner.add_note(&other.id, &Note::Pin(false), now).unwrap();
    let mut released = owner.notes_of(&other.id).unwrap().0.remove(0).note;
    released.point = point.id.clone();
    let lies = heard.into_iter().map(|heard| {
        RolledNote::of(&HeardNote {
            object: heard.object,
            by: SealedBy::Master,
            note: released.clone(),
        })
    });
    let roll_up = RollUp::new(Vec::new(), Vec::new(), lies.collect());
    roll_up.put(&liar.shared, liar.shared.domain().id).unwrap();
}

fn is_pinned(catalog: &crate::Catalog, point: &RestorePoint) -> bool {
    let mut points = catalog.points.iter();
    let own = points.find(|own| own.summary.id == point.id).unwrap();
    own.notes.pinned
}

#[test]
fn a_roll_up_says_nothing_of_notes_of_another_domains_points() {
    let (store, owner) = made();
    let point = put_point(&owner, "vm");
    let now = Timestamp::now();
    owner.add_note(&point.id, &Note::Pin(true), now).unwrap();
    let key: HostKey = owner
        .add_domain("web01")
        .unwrap()
        .add_host("web01")
        .unwrap();
    let host = Arc::new(store.another_host());
    let liar = Repository::open(host, &Unlock::HostKey(&key)).unwrap();
    forge_release(&liar, &owner, &point);
    assert!(is_pinned(&owner.catalog().unwrap(), &point));
}

#[test]
fn what_a_roll_up_says_of_notes_of_a_vm_that_is_read_anew_is_not_believed() {
    let (_store, owner) = made();
    let point = put_point(&owner, "vm");
    let now = Timestamp::now();
    owner.add_note(&point.id, &Note::Pin(true), now).unwrap();
    // The point itself is in no roll-up.
    forge_release(&owner, &owner, &point);
    let anew = HashSet::from(["vm".to_owned()]);
    assert!(is_pinned(&owner.catalog_read_anew(&anew).unwrap(), &point));
}
