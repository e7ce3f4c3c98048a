//! What a collection does when nothing goes wrong.

use repository::{CollectOptions, RepositoryErrorKind};

use super::site::{DAY, HOUR, Site, noise};

const SIZE: usize = 4 << 20;

#[test]
fn what_no_point_needs_is_condemned_then_deleted_and_points_stay_whole() {
    let mut site = Site::new();
    let old = site.back_up("vm", &noise(1, SIZE));
    site.back_up("vm", &noise(2, SIZE));
    let packs = site.packs();
    site.remove(&old);
    // Too young to tell whose it is.
    let report = site.collect();
    assert_eq!(report.condemned_packs, 0);
    assert!(report.young_packs > 0);
    site.store.advance(4 * DAY);
    let dry = CollectOptions {
        dry_run: true,
        ..CollectOptions::default()
    };
    let would = site.try_collect(&dry).unwrap();
    assert!(site.store.names("condemned/").is_empty());
    let report = site.collect();
    assert!(report.condemned_packs > 0);
    assert_eq!(would.condemned_packs, report.condemned_packs);
    assert_eq!((report.deleted_packs, site.packs()), (0, packs));
    site.store.advance(23 * HOUR);
    assert_eq!(site.collect().deleted_packs, 0);
    site.store.advance(HOUR);
    let deleted = site.collect();
    assert_eq!(deleted.deleted_packs, report.condemned_packs);
    assert_eq!(site.packs() as u64, packs as u64 - deleted.deleted_packs);
    site.check();
    // What says so goes too, a grace later.
    site.store.advance(DAY);
    site.collect();
    assert!(site.store.names("condemned/").is_empty());
    site.check();
}

#[test]
fn an_empty_repository_and_one_without_garbage_stay_as_they_are() {
    let mut site = Site::new();
    site.collect_until_clean();
    site.back_up("vm", &noise(1, SIZE));
    let packs = site.packs();
    site.collect_until_clean();
    assert_eq!(site.packs(), packs);
    assert!(site.store.names("condemned/").is_empty());
    site.check();
}

#[test]
fn a_grace_below_a_day_is_refused_unless_nobody_else_writes() {
    let site = Site::new();
    let short = CollectOptions {
        grace: HOUR,
        ..CollectOptions::default()
    };
    let error = site.try_collect(&short).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
}

#[test]
fn with_no_other_writers_garbage_goes_at_once() {
    let mut site = Site::new();
    let old = site.back_up("vm", &noise(1, SIZE));
    site.back_up("vm", &noise(2, SIZE));
    site.remove(&old);
    let alone = CollectOptions {
        no_other_writers: true,
        ..CollectOptions::default()
    };
    let report = site.try_collect(&alone).unwrap();
    assert!(report.deleted_packs > 0);
    assert_eq!(report.deleted_packs, report.condemned_packs);
    assert_eq!(site.packs() as u64, report.needed_packs);
    site.check();
    site.back_up("vm", &noise(1, SIZE));
    site.check();
}
