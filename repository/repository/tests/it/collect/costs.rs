//! What a collection asks of a store, counted.

use repository::CollectOptions;

use super::site::{Site, collect_on, noise};
use crate::support::CHUNK;

const CHUNKS: usize = 2000;

/// Reads and map nodes of a dry run over a disk of which there are so many points.
fn cost(points: usize, chunks_changed: usize) -> (u64, u64) {
    let mut site = Site::new();
    let mut disk = noise(1, CHUNKS * CHUNK);
    for point in 0..points {
        if point > 0 {
            let changed = noise(2 + u32::try_from(point).unwrap(), chunks_changed * CHUNK);
            disk[..changed.len()].copy_from_slice(&changed);
        }
        site.back_up("vm", &disk);
    }
    let host = site.store.another_host();
    let dry = CollectOptions {
        dry_run: true,
        ..CollectOptions::default()
    };
    let report = collect_on(&host, &dry).unwrap();
    assert_eq!(report.points, points as u64);
    (host.take_counts().reads, report.nodes)
}

#[test]
fn nodes_that_points_share_are_read_once() {
    let (reads, nodes) = cost(1, 0);
    assert_eq!(nodes, (CHUNKS as u64).div_ceil(256) + 1);
    let (shared_reads, shared_nodes) = cost(16, 0);
    assert_eq!(shared_nodes, nodes);
    // The point itself, and what a run leaves behind besides, such as a roll-up.
    assert!(shared_reads <= reads + 3 * 15, "{reads} {shared_reads}");
    // A change in one place makes a new leaf and what is above it.
    let (_, changed_nodes) = cost(16, 1);
    assert_eq!(changed_nodes, nodes + 15 * 2);
}
