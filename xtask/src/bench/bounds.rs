//! The bounds that Lifeboat promises, and which of them hold.

use serde::Serialize;

use super::measure::Measurement;
use super::report::{Findings, Row, mebibytes};

/// A bound of the project and what was measured.
#[derive(Serialize)]
pub(crate) struct Bound {
    pub(crate) what: &'static str,
    pub(crate) wanted: String,
    pub(crate) found: String,
    /// `None` where a side of the comparison was not measured.
    pub(crate) holds: Option<bool>,
}

/// Judges what was measured.
pub(crate) fn bounds(found: &Findings) -> Vec<Bound> {
    let own = found.rows.iter().find(|row| row.is_lifeboat);
    // 32 MiB per TiB of disk is one byte per 32 KiB.
    let memory_limit = mebibytes((192 << 20) + found.disk_bytes / 32768);
    let mut bounds = first_backup(found, own);
    bounds.extend(second_backup(found, own));
    bounds.extend(changed_ranges(found));
    bounds.extend(restore(found, own));
    bounds.extend(random_reads(found, own));
    bounds.extend(collection(found));
    bounds.push(at_most(
        "memory in MiB: backup, restore, check",
        memory_limit,
        own.and_then(Row::peak_memory_bytes).map(mebibytes),
    ));
    bounds
}

/// The bound against whichever peer is the fastest at something.
fn faster(
    what: &'static str,
    factor: f64,
    found: &Findings,
    step: fn(&Row) -> Option<Measurement>,
) -> Bound {
    let peers = found.rows.iter().filter(|row| !row.is_lifeboat);
    let best = peers
        .filter_map(|row| Some((step(row)?.wall_seconds, &row.tool)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let own = found.rows.iter().find(|row| row.is_lifeboat);
    let ours = own.and_then(step).map(|step| step.wall_seconds);
    let ratio = best.as_ref().zip(ours).map(|((peer, _), ours)| peer / ours);
    at_least(
        what,
        factor,
        best.map_or("a peer", |(_, tool)| tool.as_str()),
        ratio,
    )
}

fn cores(found: &Findings) -> f64 {
    u32::try_from(found.machine.processors.max(1)).map_or(1.0, f64::from)
}

fn first_backup(found: &Findings, own: Option<&Row>) -> Vec<Bound> {
    let first = own.and_then(|row| row.first);
    let parts = found.floor.seconds();
    vec![
        faster("first backup", 2.5, found, |row| row.first),
        at_most(
            "first backup: wall seconds, 1.4 times its parts over the cores",
            1.4 * parts / cores(found),
            first.map(|first| first.wall_seconds),
        ),
        at_most(
            "first backup: processor seconds, 1.3 times its parts",
            1.3 * parts,
            first.map(|first| first.processor_seconds),
        ),
    ]
}

fn second_backup(found: &Findings, own: Option<&Row>) -> Vec<Bound> {
    vec![
        faster("second backup, all read", 3.0, found, |row| row.second),
        at_most(
            "second backup: growth in MiB",
            80.0,
            own.filter(|row| row.second.is_some())
                .map(|row| mebibytes(row.growth_bytes)),
        ),
    ]
}

fn changed_ranges(found: &Findings) -> Vec<Bound> {
    let changed = found.changed.as_ref();
    let own = changed.and_then(|changed| changed.own.as_ref());
    let benji = changed.and_then(|changed| changed.benji.as_ref());
    let ratio = benji
        .zip(own)
        .map(|(benji, own)| benji.took.wall_seconds / own.took.wall_seconds);
    vec![
        at_most(
            "changed ranges: processor seconds, 1.5 times their parts",
            changed.map_or(f64::NAN, |changed| 1.5 * changed.floor.seconds()),
            own.map(|own| own.took.processor_seconds),
        ),
        at_most(
            "changed ranges: growth in MiB",
            80.0,
            own.map(|own| mebibytes(own.growth_bytes)),
        ),
        at_least("changed ranges", 5.0, "Benji with the same ranges", ratio),
    ]
}

fn restore(found: &Findings, own: Option<&Row>) -> Vec<Bound> {
    let restore = own.and_then(|row| row.restore);
    let into_vhdx = own.and_then(|row| row.restore_vhdx);
    vec![
        faster("restore", 1.5, found, |row| row.restore),
        at_most(
            "restore: processor seconds, 1.3 times its parts",
            1.3 * found.restore_floor.processor_seconds(),
            restore.map(|restore| restore.processor_seconds),
        ),
        at_most(
            "restore: wall seconds, 1.3 times its parts over the cores, or the disk",
            1.3 * found.restore_floor.wall_seconds(cores(found)),
            restore.map(|restore| restore.wall_seconds),
        ),
        at_most(
            "restore into a VHDX: processor seconds, 1.3 times the same parts",
            1.3 * found.restore_floor.processor_seconds(),
            into_vhdx.map(|restore| restore.processor_seconds),
        ),
        at_most(
            "restore into a VHDX: wall seconds, 1.3 times the same parts over the cores, or the disk",
            1.3 * found.restore_floor.wall_seconds(cores(found)),
            into_vhdx.map(|restore| restore.wall_seconds),
        ),
    ]
}

fn random_reads(found: &Findings, own: Option<&Row>) -> Vec<Bound> {
    let mounted = found.rows.iter().find(|row| row.tool == "restic");
    let rate = |row: &Row| row.random_reads_per_second;
    let mounted = own.and_then(rate).zip(mounted.and_then(rate));
    let nbd = found.nbd.as_ref();
    vec![
        at_least(
            "cold random reads",
            25.0,
            "restic's mount",
            mounted.map(|(ours, peer)| ours / peer),
        ),
        at_least(
            "cold random reads over NBD, depth 1",
            0.3,
            "qemu-nbd on the raw file",
            nbd.and_then(|nbd| Some(nbd.own / nbd.qemu?)),
        ),
        at_least(
            "cold random reads over NBD, depth 8",
            1.6,
            "our own depth 1",
            nbd.map(|nbd| nbd.own_deep / nbd.own),
        ),
    ]
}

fn collection(found: &Findings) -> Vec<Bound> {
    let collection = found.collection.as_ref();
    let own = collection.and_then(|collection| collection.own.as_ref());
    let peer = collection.and_then(|collection| collection.rustic.as_ref());
    let ratio = own
        .zip(peer)
        .map(|(own, peer)| peer.seconds_per_chunk() / own.seconds_per_chunk());
    let peak = own.map(|own| mebibytes(own.peak_memory_bytes));
    vec![
        at_least(
            "garbage collection, per chunk",
            10.0,
            "rustic's prune",
            ratio,
        ),
        at_most("garbage collection: memory in MiB", 300.0, peak),
    ]
}

fn at_least(what: &'static str, factor: f64, of: &str, ratio: Option<f64>) -> Bound {
    Bound {
        what,
        wanted: format!("at least {factor} times {of}"),
        found: ratio.map_or("-".into(), |ratio| format!("{ratio:.2} times")),
        holds: ratio.map(|ratio| ratio >= factor),
    }
}

fn at_most(what: &'static str, limit: f64, value: Option<f64>) -> Bound {
    Bound {
        what,
        wanted: format!("at most {limit:.2}"),
        found: value.map_or("-".into(), |value| format!("{value:.2}")),
        holds: value.map(|value| value <= limit),
    }
}

#[cfg(test)]
mod tests {
    use super::super::floor::Floor;
    use super::super::report::Machine;
    use super::super::restore_floor::RestoreFloor;
    use super::*;

    fn took(wall_seconds: f64, processor_seconds: f64, mebibytes: u64) -> Option<Measurement> {
        let peak_memory_bytes = mebibytes << 20;
        Some(Measurement {
            wall_seconds,
            processor_seconds,
            peak_memory_bytes,
        })
    }

    fn row(tool: &str, seconds: f64, reads: f64) -> Row {
        Row {
            tool: tool.into(),
            is_lifeboat: tool == "lifeboat",
            first: took(seconds, seconds, 100),
            second: took(seconds, seconds, 100),
            restore: took(seconds, seconds, 100),
            restore_vhdx: took(seconds, seconds, 100).filter(|_| tool == "lifeboat"),
            restored_right: true,
            growth_bytes: 70 << 20,
            random_reads_per_second: Some(reads),
            ..Row::default()
        }
    }

    fn judged(rows: &[Row]) -> Vec<(&'static str, Option<bool>)> {
        let findings = Findings {
            disk_bytes: 4 << 30,
            source_file_bytes: 0,
            machine: Machine {
                processors: 2,
                ..Machine::default()
            },
            floor: Floor {
                hash_seconds: 16.0,
                ..Floor::default()
            },
            restore_floor: RestoreFloor {
                hash_seconds: 16.0,
                ..RestoreFloor::default()
            },
            rows: rows.to_vec(),
            changed: None,
            nbd: None,
            collection: None,
        };
        let judged = bounds(&findings);
        judged
            .iter()
            .map(|bound| (bound.what, bound.holds))
            .collect()
    }

    fn verdicts(rows: &[Row], wanted: bool) -> Vec<&'static str> {
        let with =
            |(what, holds): (&'static str, Option<bool>)| (holds == Some(wanted)).then_some(what);
        judged(rows).into_iter().filter_map(with).collect()
    }

    #[test]
    fn the_fastest_peer_counts() {
        let slow = row("borg", 100.0, 0.0);
        let fast = row("restic", 30.0, 100.0);
        let rows = [slow.clone(), fast, row("lifeboat", 10.0, 2500.0)];
        assert!(verdicts(&rows, false).is_empty());
        let faster = row("restic", 14.0, 101.0);
        let missed = verdicts(&[slow, faster, row("lifeboat", 10.0, 2500.0)], false);
        let wanted = [
            "first backup",
            "second backup, all read",
            "restore",
            "cold random reads",
        ];
        assert_eq!(missed, wanted);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let rows = [row("restic", 30.0, 100.0)];
        assert!(judged(&rows).iter().all(|(_, holds)| holds.is_none()));
        let missed = verdicts(&[row("lifeboat", 30.0, 2500.0)], false);
        // Against its own parts it is measured without any peer.
        assert_eq!(missed.len(), 6, "{missed:?}");
    }

    #[test]
    fn memory_may_grow_with_the_disk() {
        let limit = |disk_bytes: u64| mebibytes((192 << 20) + disk_bytes / 32768);
        assert!((limit(1 << 40) - 224.0).abs() < 1e-9);
    }
}
