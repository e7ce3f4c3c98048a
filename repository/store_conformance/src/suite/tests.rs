//! A good store passes, and each way of being bad is found by a case of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use object_store::{FolderStore, ObjectInfo, ObjectStore, StoreError, StoreErrorKind};

use super::*;
use crate::case::CaseOutcome;

/// A way in which a store can be bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    Replaces,
    ShortRange,
    ShortListing,
    ListsSiblings,
    ClockBehind,
    RemoveIsLost,
    MayNotRemove,
    MayNotList,
    MissingIsIo,
}

struct Bad {
    store: FolderStore,
    defect: Defect,
    writes: AtomicUsize,
}

impl Bad {
    fn denied<T>(name: &str) -> Result<T, StoreError> {
        Err(StoreError::new(StoreErrorKind::Denied, name, "not you"))
    }
}

impl ObjectStore for Bad {
    fn location(&self) -> String {
        self.store.location()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.defect == Defect::Replaces {
            self.store.remove(name)?;
        }
        self.store.put_new(name, bytes)
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, limit_bytes).map_err(|error| {
            if self.defect == Defect::MissingIsIo && error.kind() == StoreErrorKind::NotFound {
                return StoreError::new(StoreErrorKind::Io, name, "something is wrong");
            }
            error
        })
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        match self.store.get_range(name, offset, buf) {
            Err(error)
                if error.kind() == StoreErrorKind::WrongSize
                    && self.defect == Defect::ShortRange =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.store.size_bytes(name)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        let mut seen = 0;
        let prefix = match self.defect {
            Defect::MayNotList => return Self::denied(prefix),
            Defect::ListsSiblings => prefix.split_inclusive('/').next().unwrap_or(prefix),
            _ => prefix,
        };
        self.store.list(prefix, &mut |object| {
            seen += 1;
            if self.defect != Defect::ShortListing || seen <= 1000 {
                visit(object);
            }
        })
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.defect {
            Defect::MayNotRemove => Self::denied(name),
            // Of cleaning up, nothing is lost.
            Defect::RemoveIsLost if name.ends_with("/remove") => Ok(()),
            _ => self.store.remove(name),
        }
    }

    fn now(&self) -> Result<SystemTime, StoreError> {
        let now = self.store.now()?;
        Ok(match self.defect {
            Defect::ClockBehind => now - Duration::from_secs(3600),
            _ => now,
        })
    }
}

fn failures_of(defect: Defect, options: SuiteOptions) -> (Vec<&'static str>, SuiteReport, usize) {
    let folder = tempfile::tempdir().unwrap();
    let bad = || Bad {
        store: FolderStore::create(folder.path()).unwrap(),
        defect,
        writes: AtomicUsize::new(0),
    };
    let (store, second) = (bad(), bad());
    store
        .store
        .put_new("points/a/b", b"somebody else's")
        .unwrap();
    let mut seen = 0;
    let report = run_suite(&store, &second, options, &mut |_| seen += 1).unwrap();
    assert_eq!(seen, report.cases.len());
    let others = store.store.get("points/a/b", 100).unwrap();
    assert_eq!(others, b"somebody else's");
    let failed = report.cases.iter().filter(|case| case.outcome.is_failure());
    let mut objects = 0;
    store.store.list("", &mut |_| objects += 1).unwrap();
    (failed.map(|case| case.name).collect(), report, objects - 1)
}

fn options() -> SuiteOptions {
    SuiteOptions {
        listed_objects: 1_010,
        large_object_bytes: 1 << 20,
        listing_lag_max: Duration::ZERO,
    }
}

/// A long listing costs time, and only one case looks at it.
fn options_for(case: &str) -> SuiteOptions {
    match case {
        "list-many" => options(),
        _ => SuiteOptions::quick(),
    }
}

#[test]
fn a_folder_passes_and_nothing_is_left() {
    let (failed, report, left) = failures_of(Defect::None, options());
    assert_eq!(failed, [""; 0], "{report:#?}");
    assert_eq!((left, report.left_objects), (0, 0));
    let names: std::collections::BTreeSet<_> = report.cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), report.cases.len());
    assert!(report.cases.len() >= 17, "{names:?}");
}

#[test]
fn each_defect_is_found_by_its_case() {
    for (defect, case) in [
        (Defect::Replaces, "create-once"),
        (Defect::ShortRange, "read-range"),
        (Defect::ShortListing, "list-many"),
        (Defect::ListsSiblings, "list-nested"),
        (Defect::ClockBehind, "clock"),
        (Defect::RemoveIsLost, "remove-and-write-again"),
        (Defect::MayNotList, "permissions"),
        (Defect::MissingIsIo, "read-missing"),
    ] {
        let (failed, report, _) = failures_of(defect, options_for(case));
        assert!(failed.contains(&case), "{defect:?}: {failed:?}");
        if case == "permissions" {
            assert_eq!(report.cases.len(), 1, "went on without a right");
            let CaseOutcome::Failed { why } = &report.cases[0].outcome else {
                panic!("{report:?}");
            };
            assert!(
                why.contains("cannot list") && !why.contains("cannot write"),
                "{why}"
            );
        }
    }
}

#[test]
fn a_host_that_only_adds_is_told_so() {
    let (_, report, _) = failures_of(Defect::MayNotRemove, SuiteOptions::quick());
    let permissions = &report.cases[0].outcome;
    let CaseOutcome::Passed {
        remark: Some(remark),
    } = permissions
    else {
        panic!("{permissions:?}");
    };
    assert!(remark.contains("only adds"), "{remark}");
    assert!(report.left_objects > 0 && report.left_why.is_some());
}
