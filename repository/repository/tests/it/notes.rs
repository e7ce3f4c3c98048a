//! What is said of points, settings, and removing points: with everything failing once.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use repository::{KeepRules, Note, Removal, Repository, RepositoryError, Settings};
use store_faults::{Fault, ListingLag, MemoryStore};

use crate::support::{PASSWORD, back_up, options};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

fn init(store: &MemoryStore) -> Repository {
    Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap()
}

fn open(store: &MemoryStore) -> Result<Repository, RepositoryError> {
    Repository::open(Arc::new(store.clone()), &PASSWORD)
}

#[test]
fn of_each_kind_the_last_note_counts_also_where_a_clock_was_ahead() {
    let repository = init(&MemoryStore::new());
    let point = back_up(&repository, "vm", &[1; 5000]);
    let say = |note: Note, time: &str| repository.add_note(&point.id, &note, at(time)).unwrap();
    let hold = |name: &str, until: Option<&str>| Note::Hold {
        name: name.to_owned(),
        until: until.map(at),
    };
    say(Note::Pin(true), "2099-01-01T00:00:00Z");
    say(Note::Pin(false), "2026-01-02T00:00:00Z");
    say(hold("audit", None), "2026-01-02T00:00:00Z");
    say(
        hold("trial", Some("2026-06-01T00:00:00Z")),
        "2026-01-02T00:00:00Z",
    );
    let release = Note::Release {
        name: "audit".to_owned(),
    };
    say(release, "2026-01-03T00:00:00Z");
    say(
        Note::Comment("before the move".to_owned()),
        "2026-01-03T00:00:00Z",
    );
    let verified = |good| Note::Verified {
        how: "read".to_owned(),
        good,
    };
    say(verified(true), "2026-01-04T00:00:00Z");
    say(verified(false), "2026-01-05T00:00:00Z");
    for rolled in [false, true] {
        if rolled {
            assert_eq!(repository.roll_up_points().unwrap().written, 1);
        }
        let catalog = repository.catalog().unwrap();
        let notes = &catalog.points[0].notes;
        assert!(!notes.pinned && notes.known_bad(), "{notes:?}");
        assert_eq!(notes.comment.as_deref(), Some("before the move"));
        let names: Vec<&str> = notes.holds.iter().map(|hold| hold.name.as_str()).collect();
        assert_eq!(names, ["trial"]);
        assert!(notes.keep(at("2026-05-31T00:00:00Z")) && !notes.keep(at("2026-06-01T00:00:00Z")));
        assert_eq!(notes.unknown, 0);
    }
}

#[test]
fn a_note_that_cannot_be_read_keeps_its_point() {
    let store = MemoryStore::new();
    let repository = init(&store);
    let point = back_up(&repository, "vm", &[1; 5000]);
    repository
        .add_note(&point.id, &Note::Comment("x".to_owned()), now())
        .unwrap();
    let object = &store.names("notes/")[0];
    assert!(store.tamper(object, |bytes| bytes[100] ^= 1));
    let catalog = repository.catalog().unwrap();
    assert_eq!(catalog.points[0].notes.unknown, 1);
    let object = catalog.points[0].summary.object.clone();
    let allowed = |notes: &repository::PointNotes| !notes.keep(now());
    let removal = repository.remove_point_with_notes(&object, |_, notes| allowed(notes));
    assert_eq!(removal.unwrap(), Removal::Kept);
    // A note that is copied to another point is not about that one.
    let other = back_up(&repository, "other", &[2; 5000]);
    let pin = Note::Pin(true);
    repository.add_note(&other.id, &pin, now()).unwrap();
    let pinned = store.names(&format!("notes/{}/", other.id))[0].clone();
    let copy = format!("notes/{}/{}", point.id, "0".repeat(32));
    assert!(store.duplicate(&pinned, &copy));
    let catalog = repository.catalog().unwrap();
    let found = catalog.of_vm("vm").next().unwrap();
    assert!(!found.notes.pinned && found.notes.unknown == 2);
}

#[test]
fn settings_are_the_last_ones_that_were_set() {
    let store = MemoryStore::new();
    let repository = init(&store);
    assert_eq!(repository.settings().unwrap(), Settings::default());
    let mut settings = Settings {
        keep: Some(KeepRules {
            daily: 7,
            time_zone: Some("Europe/Berlin".to_owned()),
            ..KeepRules::default()
        }),
        quota_bytes: Some(1 << 40),
        ..Settings::default()
    };
    repository
        .set_settings(&settings, at("2090-01-01T00:00:00Z"))
        .unwrap();
    assert_eq!(repository.settings().unwrap(), settings);
    settings
        .keep_vm
        .insert("vm".to_owned(), KeepRules::default());
    store.deny_removal(true);
    repository.set_settings(&settings, now()).unwrap();
    assert_eq!(store.names("settings/").len(), 2);
    assert_eq!(open(&store).unwrap().settings().unwrap(), settings);
    // Nothing is decided by settings of which some cannot be read.
    let object = store.names("settings/")[0].clone();
    assert!(store.tamper(&object, |bytes| bytes[80] ^= 1));
    assert!(repository.settings().is_err());
}

/// What a person does between backups. Returns what was said to have worked.
fn work(
    store: &MemoryStore,
    victim: &str,
    kept: &str,
) -> Result<Vec<&'static str>, RepositoryError> {
    let repository = open(store)?;
    let mut done = Vec::new();
    repository.add_note(kept, &Note::Pin(true), now())?;
    done.push("pin");
    repository.roll_up_points()?;
    done.push("roll");
    repository.remove_point_with_notes(victim, |_, notes| !notes.keep(now()))?;
    done.push("remove");
    repository.remove_stray_notes()?;
    repository.roll_up_points()?;
    let quota_bytes = Some(1);
    let settings = Settings {
        quota_bytes,
        ..Settings::default()
    };
    repository.set_settings(&settings, now())?;
    done.push("settings");
    Ok(done)
}

#[test]
fn whatever_fails_or_dies_no_kept_point_goes_and_no_listing_is_wrong() {
    let store = MemoryStore::new();
    let repository = init(&store);
    let mut ids = Vec::new();
    for number in 0..10_u8 {
        ids.push(back_up(&repository, "vm", &[number; 5000]).id);
    }
    for id in &ids {
        let note = Note::Comment("said before".to_owned());
        repository.add_note(id, &note, now()).unwrap();
    }
    repository.roll_up_points().unwrap();
    for number in 10..18_u8 {
        ids.push(back_up(&repository, "vm", &[number; 5000]).id);
    }
    let object_of = |id: &str| {
        let names = store.names("points/");
        names.into_iter().find(|name| name.ends_with(id)).unwrap()
    };
    let (kept, victim) = (ids[3].clone(), object_of(&ids[0]));
    for make in [Fault::DieAt as fn(usize) -> Fault, Fault::FailOnce] {
        for step in 0.. {
            let copy = store.fork();
            let host = copy.another_host();
            host.set_fault(make(step), true);
            let result = work(&host, &victim, &kept);
            let struck = host.steps() > step;
            let repository = open(&copy).unwrap();
            for round in 0..2 {
                let catalog = repository.catalog().unwrap();
                assert!(catalog.unreadable.is_empty(), "step {step}");
                let found: Vec<&str> = catalog
                    .points
                    .iter()
                    .map(|p| p.summary.id.as_str())
                    .collect();
                assert!(
                    ids[1..].iter().all(|id| found.contains(&id.as_str())),
                    "step {step}"
                );
                let pinned = catalog.points.iter().filter(|point| point.notes.pinned);
                let pinned: Vec<&str> = pinned.map(|point| point.summary.id.as_str()).collect();
                assert!(
                    pinned.is_empty() || pinned == [kept.as_str()],
                    "step {step}"
                );
                let comments = catalog.points.iter().filter(|p| p.notes.comment.is_some());
                assert!((9..=10).contains(&comments.count()), "step {step}");
                assert!(
                    catalog.points.iter().all(|p| p.notes.unknown == 0),
                    "step {step}"
                );
                if let Ok(done) = &result {
                    assert_eq!(done.len(), 4);
                    assert_eq!((pinned.len(), found.len()), (1, 17), "step {step}");
                    assert_eq!(repository.settings().unwrap().quota_bytes, Some(1));
                }
                // What the next run does changes nothing of it.
                if round == 0 {
                    repository.roll_up_points().unwrap();
                    copy.advance(Duration::from_secs(2 * 86_400));
                    repository.remove_stray_notes().unwrap();
                }
            }
            if !struck {
                assert!(step > 20, "only {step} steps: too few to mean anything");
                break;
            }
        }
    }
}

#[test]
fn listings_that_lag_show_nothing_that_cannot_be_read() {
    let store = MemoryStore::new();
    let repository = init(&store);
    store.set_lag(
        ListingLag {
            time: Duration::from_secs(600),
            requests: 40,
        },
        7,
    );
    let mut ids = Vec::new();
    for number in 0..30_u8 {
        let point = back_up(&repository, &format!("vm{number}"), &[number; 5000]);
        repository
            .add_note(&point.id, &Note::Pin(number % 2 == 0), now())
            .unwrap();
        ids.push(point.id);
        repository.roll_up_points().unwrap();
        let catalog = repository.catalog().unwrap();
        assert!(catalog.unreadable.is_empty());
        for point in &catalog.points {
            assert_eq!(point.notes.unknown, 0);
        }
    }
    let victim = store.names("points/")[0].clone();
    repository
        .remove_point_with_notes(&victim, |_, _| true)
        .unwrap();
    for _ in 0..10 {
        assert!(repository.catalog().unwrap().unreadable.is_empty());
        repository.roll_up_points().unwrap();
    }
    store.advance(Duration::from_secs(3600));
    store.set_lag(ListingLag::default(), 1);
    let catalog = repository.catalog().unwrap();
    assert_eq!(catalog.points.len(), 29);
    let pins = catalog.points.iter().filter(|point| point.notes.pinned);
    let was_pinned = ids.iter().position(|id| victim.ends_with(id)).unwrap() % 2 == 0;
    assert_eq!(pins.count(), if was_pinned { 14 } else { 15 });
}
