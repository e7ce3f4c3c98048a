//! The table holds what the crates that make findings say, and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use finding_catalog::{Explanation, all, find, of_error, of_return_code};
use hyperv_host::HostErrorKind;

/// Folders whose crates make findings.
const MAKERS: [&str; 5] = [
    "hyperv",
    "engine",
    "recovery",
    "bin",
    "checks/guest_listing",
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "benches" | "target") {
            rust_files(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// Finds `"VM-DISK-MISSING"` and the like in the part of a source that ships.
fn ids_in(source: &str) -> BTreeSet<String> {
    let shipped = source.split("#[cfg(test)]").next().unwrap();
    let is_id = |text: &&str| {
        let kind = text.split_once('-').map(|(kind, _)| kind);
        matches!(
            kind,
            Some("VM" | "HOST" | "DISK" | "GUEST" | "RESIDUE" | "REPO" | "POINT")
        ) && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    };
    let code = shipped
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(is_id)
        .map(str::to_owned)
        .collect()
}

fn ids_of_sources() -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for maker in MAKERS {
        rust_files(&root.join(maker), &mut files);
    }
    assert!(
        files.len() > 100,
        "the sources are where they are looked for"
    );
    let ids = files.into_iter().flat_map(|file| {
        let source = fs::read_to_string(&file).unwrap();
        ids_in(&source)
            .into_iter()
            .map(move |id| (id, file.clone()))
    });
    ids.collect()
}

#[test]
fn every_finding_has_a_page() {
    let made = ids_of_sources();
    let without: Vec<_> = made
        .iter()
        .filter(|(id, _)| !find(id).is_some_and(|page| page.is_finding))
        .collect();
    assert!(without.is_empty(), "findings without a page: {without:#?}");
}

#[test]
fn every_page_of_a_finding_has_somebody_who_makes_it() {
    let made = ids_of_sources();
    for page in all().filter(|page| page.is_finding) {
        assert!(
            made.contains_key(page.id),
            "nothing makes the finding {}",
            page.id
        );
    }
}

#[test]
fn every_failure_of_a_host_has_one_page() {
    use HostErrorKind as Kind;
    let kinds = [
        Kind::Unreachable,
        Kind::NoSuchVm,
        Kind::Configuration,
        Kind::NoHyperv,
        Kind::Denied,
        Kind::Blocked,
        Kind::Busy,
        Kind::ConsistencyMissed,
        Kind::NoRoom,
        Kind::Refused,
        Kind::Cancelled,
        Kind::Disk,
    ];
    for kind in kinds {
        let pages = all().filter(|page| page.errors.contains(&kind));
        assert_eq!(pages.count(), 1, "{kind:?}");
        assert!(of_error(kind).is_some());
    }
    // Whatever Hyper-V's methods document, but for 0 and 4096.
    for code in (1..=6).chain(32768..=32779) {
        let pages = all().filter(|page| page.return_codes.contains(&code));
        assert_eq!(pages.count(), 1, "{code}");
    }
    assert_eq!(of_return_code(32775).unwrap().code, "LB-2108");
    assert_eq!(of_return_code(0), None);
}

#[test]
fn pages_are_whole_and_in_order() {
    let pages: Vec<&Explanation> = all().collect();
    assert!(pages.windows(2).all(|pair| pair[0].code < pair[1].code));
    let ids: BTreeSet<&str> = pages.iter().map(|page| page.id).collect();
    assert_eq!(ids.len(), pages.len());
    for page in pages {
        let number = page
            .code
            .strip_prefix("LB-")
            .and_then(|number| number.parse().ok());
        assert!((1000_u16..6000).contains(&number.unwrap()), "{}", page.code);
        assert!(
            !page.title.is_empty() && !page.title.ends_with('.'),
            "{}",
            page.id
        );
        for text in [page.means, page.matters, page.cure] {
            let whole = text.trim_end_matches('"').ends_with('.') && text.len() > 20;
            assert!(whole, "{}: {text}", page.id);
            assert!(!text.contains("  "), "{}: {text}", page.id);
        }
        for more in page.more.iter().filter(|more| more.starts_with("LB-")) {
            assert!(find(more).is_some(), "{} leads to {more}", page.id);
        }
    }
}

#[test]
fn a_page_is_found_by_code_and_by_name() {
    for text in [
        "LB-3001",
        "lb-3001",
        " 3001 ",
        "VM-PASS-THROUGH",
        "vm-pass-through",
    ] {
        assert_eq!(find(text).unwrap().id, "VM-PASS-THROUGH", "{text}");
    }
    for text in ["", "LB-", "LB-0000", "LB-99999999", "é", "VM", "ÉÉ-2107"] {
        assert_eq!(find(text), None, "{text}");
    }
}

#[test]
fn a_page_reads_like_this() {
    let page = find("LB-3005").unwrap().to_string();
    let expected = "\
LB-3005  VM-NO-DISKS: the VM has no disk
  Severity  info
  Means     No virtual disk is attached to the VM.
  Matters   A point of it holds its configuration and its state alone.
  Do        Nothing, if that is as it should be.
";
    assert_eq!(page, expected);
    for page in all() {
        let text = page.to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 96),
            "{text}"
        );
    }
}

#[test]
fn pages_are_told_in_groups() {
    use finding_catalog::Area;
    let rows = [
        ("HOST-VMMS", Area::Host),
        ("HOST-SHADOW-STORAGE", Area::Host),
        ("HOST-CLUSTER-MIXED", Area::Cluster),
        ("VM-NOT-CLUSTERED", Area::Cluster),
        ("VM-NO-SCSI", Area::Vm),
        ("RESIDUE-CHECKPOINT", Area::Vm),
        ("VM-PASS-THROUGH", Area::Vm),
        ("VM-IC-BACKUP", Area::Guest),
        ("VM-FS", Area::Guest),
        ("REPO-EMPTY", Area::Repository),
        ("POINT-VERSION", Area::Restore),
    ];
    for (id, area) in rows {
        assert_eq!(find(id).unwrap().area(), area, "{id}");
    }
}
