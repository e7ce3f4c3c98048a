//! Removing points by rule, with what fails, dies and lies meanwhile.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::error::Error;
use std::sync::Arc;

use block_io::{BlockDevice as _, MemoryDisk};
use jiff::{SignedDuration, Timestamp};
use pruning::{PruneObserver, PruneOutcome, PruneReport, VmRules, plan_prune, prune};
use repository::{
    Consistency, InitOptions, KeepRules, Note, PasswordCost, PointKind, PointVm, Repository,
    RestorePoint, Stream, StreamObserver, StreamRole, Unlock,
};
use store_faults::{Fault, MemoryStore};

const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");

struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl PruneObserver for Quiet {
    fn done(&self, _: &PruneOutcome) {}
    fn cancelled(&self) -> bool {
        false
    }
}

fn init(store: &MemoryStore) -> Repository {
    let options = InitOptions {
        chunk_bytes: 4096,
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    Repository::init(Arc::new(store.clone()), &[PASSWORD], options).unwrap()
}

fn open(store: &MemoryStore) -> Repository {
    Repository::open(Arc::new(store.clone()), &PASSWORD).unwrap()
}

/// Backs a VM up once a day for so many days, the last time an hour before the store's time.
fn back_up(store: &MemoryStore, repository: &Repository, vm: &str, days: u8) -> Vec<String> {
    let now = Timestamp::try_from(store.time()).unwrap();
    let run = repository.begin_run(1).unwrap();
    let mut ids = Vec::new();
    for day in (0..days).rev() {
        let disk = MemoryDisk::new(vec![day + 1; 9000]);
        let mut stream = Stream::of_file(StreamRole::Disk, "d", "d", disk.size_bytes());
        let stored = run.store_stream(&disk, None, &Quiet).unwrap();
        (stream.root, stream.statistics) = (stored.root, stored.statistics);
        let time = now - SignedDuration::from_hours(i64::from(day) * 24 + 1);
        let point = RestorePoint {
            version: 1,
            id: RestorePoint::new_id().unwrap(),
            vm: PointVm {
                identity: vm.to_owned(),
                name: vm.to_uppercase(),
                generation: None,
                configuration_version: None,
            },
            host: "test".to_owned(),
            started: time,
            finished: time,
            kind: PointKind::Full,
            method: None,
            consistency: Consistency::Crash,
            consistency_reason: String::new(),
            parent: None,
            streams: vec![stream],
            images: Vec::new(),
            checkpoints: None,
            stages: Vec::new(),
            interruption_ms: None,
            host_settings: None,
            writer: None,
            left_out: Vec::new(),
            configuration: None,
            warnings: Vec::new(),
            program: "test".to_owned(),
        };
        ids.push(run.publish(&point).unwrap().id);
    }
    repository.roll_up_points().unwrap();
    ids
}

fn daily(count: u32) -> VmRules {
    VmRules::Same(KeepRules {
        daily: count,
        ..KeepRules::default()
    })
}

fn prune_all(
    repository: &Repository,
    rules: &VmRules,
) -> Result<PruneReport, Box<dyn Error + Send + Sync>> {
    let now = repository.store_time()?;
    let plan = plan_prune(&repository.catalog()?, rules, None, now)?;
    prune(repository, &plan, rules, &Quiet)
}

fn left(repository: &Repository) -> Vec<String> {
    let catalog = repository.catalog().unwrap();
    assert!(catalog.unreadable.is_empty());
    let points = catalog.points.into_iter();
    points.map(|point| point.summary.id).collect()
}

#[test]
fn what_no_rule_keeps_goes_with_its_notes_and_pins_stay() {
    let store = MemoryStore::new();
    let repository = init(&store);
    let ids = back_up(&store, &repository, "web", 10);
    let others = back_up(&store, &repository, "sql", 3);
    let note = |id: &str, note: Note| repository.add_note(id, &note, Timestamp::now()).unwrap();
    note(&ids[2], Note::Pin(true));
    note(&ids[4], Note::Comment("goes with its point".to_owned()));
    let report = prune_all(&repository, &daily(4)).unwrap();
    assert_eq!((report.removed, report.stay, report.locked), (5, 0, 0));
    let mut expected: Vec<String> = ids[6..].to_vec();
    expected.push(ids[2].clone());
    expected.extend(others);
    let mut found = left(&repository);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(store.names("notes/").len(), 1);
    assert_eq!(prune_all(&repository, &daily(4)).unwrap().removed, 0);
}

#[test]
fn a_vm_without_rules_keeps_everything_and_one_follows_its_own() {
    let store = MemoryStore::new();
    let repository = init(&store);
    back_up(&store, &repository, "web", 4);
    back_up(&store, &repository, "sql", 4);
    let mut settings = repository::Settings::default();
    let last = |last| KeepRules {
        last,
        ..KeepRules::default()
    };
    settings.keep_vm.insert("web".to_owned(), last(1));
    let rules = VmRules::Settings(settings.clone());
    assert_eq!(prune_all(&repository, &rules).unwrap().removed, 3);
    settings.keep = Some(last(2));
    settings
        .keep_vm
        .insert("web".to_owned(), KeepRules::default());
    let rules = VmRules::Settings(settings);
    assert_eq!(prune_all(&repository, &rules).unwrap().removed, 2);
    assert_eq!(left(&repository).len(), 3);
}

#[test]
fn what_is_pinned_after_the_plan_was_made_stays() {
    let store = MemoryStore::new();
    let repository = init(&store);
    let ids = back_up(&store, &repository, "web", 5);
    let rules = daily(2);
    let now = repository.store_time().unwrap();
    let plan = plan_prune(&repository.catalog().unwrap(), &rules, None, now).unwrap();
    assert_eq!(plan.removed().count(), 3);
    repository
        .add_note(&ids[0], &Note::Pin(true), Timestamp::now())
        .unwrap();
    let report = prune(&repository, &plan, &rules, &Quiet).unwrap();
    assert_eq!((report.removed, report.stay), (2, 1));
    assert!(left(&repository).contains(&ids[0]));
}

#[test]
fn a_crash_or_a_failure_anywhere_removes_nothing_that_is_kept_and_the_next_run_goes_on() {
    let store = MemoryStore::new();
    let repository = init(&store);
    let ids = back_up(&store, &repository, "web", 6);
    for id in &ids {
        let note = Note::Comment("said".to_owned());
        repository.add_note(id, &note, Timestamp::now()).unwrap();
    }
    for make in [Fault::DieAt as fn(usize) -> Fault, Fault::FailOnce] {
        for step in 0.. {
            let copy = store.fork();
            let host = copy.another_host();
            let working = open(&host);
            host.set_fault(make(step), true);
            let result = prune_all(&working, &daily(2));
            let struck = host.steps() > step;
            let repository = open(&copy);
            let found = left(&repository);
            assert!(ids[4..].iter().all(|id| found.contains(id)), "step {step}");
            if let Ok(report) = result
                && report.removed == 4
            {
                assert_eq!(found.len(), 2, "step {step}");
            }
            copy.advance(std::time::Duration::from_secs(2 * 86_400));
            prune_all(&repository, &daily(2)).unwrap();
            assert_eq!(left(&repository), ids[4..], "step {step}");
            assert_eq!(copy.names("notes/").len(), 2, "step {step}");
            if !struck {
                assert!(step > 10, "only {step} steps: too few to mean anything");
                break;
            }
        }
    }
}
