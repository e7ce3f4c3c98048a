use std::fs;

use uuid::Uuid;

use super::*;

fn entry(run: &str) -> JournalEntry {
    JournalEntry::new("HV1", Uuid::from_u128(5), "web", run)
}

fn kinds(journal: &Journal) -> Vec<&'static str> {
    let kind = |recorded: &Recorded| match recorded {
        Recorded::Living(_) => "living",
        Recorded::Dead(_) => "dead",
        Recorded::Unreadable { .. } => "unreadable",
    };
    journal.entries().unwrap().iter().map(kind).collect()
}

#[test]
fn an_entry_lives_with_its_run_dies_with_it_and_is_gone_when_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let journal = &Journal::open(&path).unwrap();
    let mut open = journal.begin(entry("run-1")).unwrap();
    open.change(|entry| entry.snapshot = Some("Microsoft:X".to_owned()))
        .unwrap();
    assert_eq!(kinds(journal), ["living"]);
    drop(open);
    let mut found = journal.entries().unwrap();
    let Some(Recorded::Dead(dead)) = found.pop() else {
        panic!("{found:?}");
    };
    assert_eq!(dead.entry().snapshot.as_deref(), Some("Microsoft:X"));
    assert_eq!(kinds(journal), ["living"], "whoever found it holds it");
    dead.close().unwrap();
    assert!(kinds(journal).is_empty());
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "nothing is left");
}

#[test]
fn two_runs_of_one_name_have_two_entries() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let other = Journal::open(folder.path()).unwrap();
    let run = "../../weird run: 5?";
    let one = journal.begin(entry(run)).unwrap();
    let two = other.begin(entry(run)).unwrap();
    assert_eq!(kinds(&journal), ["living", "living"]);
    drop(one);
    drop(two);
    assert_eq!(kinds(&other), ["dead", "dead"]);
}

#[test]
fn what_cannot_be_read_is_reported_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let newer = journal.begin(entry("n")).unwrap();
    let text = String::from_utf8(newer.entry().to_bytes().unwrap()).unwrap();
    drop(newer);
    let text = text.replace("\"version\": 1", "\"version\": 9");
    fs::write(folder.path().join("b.json"), text).unwrap();
    fs::write(folder.path().join("a.json"), vec![b' '; 2 << 20]).unwrap();
    fs::write(folder.path().join("c.json.lock"), "").unwrap();
    fs::write(folder.path().join("d.json.partial"), "{").unwrap();
    assert_eq!(kinds(&journal), ["dead", "unreadable", "unreadable"]);
    assert!(!folder.path().join("c.json.lock").exists());
    assert!(folder.path().join("b.json").exists());
}

#[test]
fn entries_of_other_vms_are_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let other = JournalEntry::new("HV1", Uuid::from_u128(6), "db", "run-1");
    drop(journal.begin(entry("run-1")).unwrap());
    drop(journal.begin(other).unwrap());
    let found = journal.entries_of(Uuid::from_u128(5)).unwrap();
    assert!(matches!(&found[..], [Recorded::Dead(own)] if own.entry().vm_name == "web"));
    let found = journal.entries_of(Uuid::from_u128(6)).unwrap();
    assert!(matches!(&found[..], [Recorded::Dead(own)] if own.entry().vm_name == "db"));
}
