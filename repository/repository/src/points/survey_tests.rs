//! What somebody with the keys of one host writes into roll-ups, and why it decides nothing.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::points::SealedBy;
use crate::points::point_notes::HeardNote;
use crate::points::roll_up::{RollUp, RolledNote};
use crate::test_repository::{a_point, at_host, made};
use crate::{HostKey, Note, Repository, RestorePoint};

/// A point of a VM with nothing in it.
fn put_point(repository: &Repository, vm: &str) -> RestorePoint {
    let point = a_point(vm);
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
    let liar = at_host(&store, &key);
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
