//! How much the next backup of a VM will add.

use std::collections::HashMap;

use serde::Serialize;

use crate::Stored;
use crate::stored::median;

/// Of what a first backup reads, so much is taken to be stored where no other tells: guests hold
/// programs that compress to a half, and data that does not.
const FIRST_RATIO: f64 = 0.6;
/// Of what a first backup stored, so much is taken to come with the next one where none tells.
const NEXT_RATIO: f64 = 0.05;
/// Backups of a VM that are looked at: how it changes changes.
const RECENT: usize = 7;

/// What the next backup reads of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskRead {
    /// All of it, and none of it is in the repository: so many bytes.
    First(u64),
    /// All of it; most is in the repository.
    Again(u64),
    /// What changed.
    Changed,
}

/// How much the next backup of a VM will add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Bytes that the repository will grow by.
    pub bytes: u64,
    /// What this was told from, the weakest of it.
    pub basis: Basis,
}

/// What an estimate was told from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// What the last backups of this VM stored.
    OwnPast,
    /// What backups of other VMs stored.
    OtherVms,
    /// Nothing in this repository: what is usual.
    Usual,
}

/// Estimates what the next backup of `vm` adds, from what all points stored.
pub fn estimate(vm: &str, disks: &[DiskRead], stored: &[Stored]) -> Estimate {
    let knows = stored.iter().any(|own| own.vm == vm);
    let first_bytes = disks.iter().map(|disk| match disk {
        DiskRead::First(bytes) => *bytes,
        // What was never stored is not known.
        DiskRead::Again(bytes) if !knows => *bytes,
        DiskRead::Again(_) | DiskRead::Changed => 0,
    });
    let first_bytes = first_bytes.fold(0, u64::saturating_add);
    let rest = knows && disks.iter().any(|disk| !matches!(disk, DiskRead::First(_)));
    let mut bytes = 0;
    let mut basis = Basis::OwnPast;
    if first_bytes > 0 {
        let (ratio, from) = first_ratio(vm, stored);
        bytes = part(first_bytes, ratio);
        basis = basis.max(from);
    }
    if rest {
        let (more, from) = next_bytes(vm, stored);
        bytes = bytes.saturating_add(more);
        basis = basis.max(from);
    }
    Estimate { bytes, basis }
}

/// Returns which part of what a first backup reads is stored.
fn first_ratio(vm: &str, stored: &[Stored]) -> (f64, Basis) {
    let ratios = |own: bool| {
        let firsts = stored.iter().filter(|one| one.first && one.read_bytes > 0);
        let chosen = firsts.filter(|one| (one.vm == vm) == own);
        median(
            chosen
                .map(|one| ratio(one.stored_bytes, one.read_bytes))
                .collect(),
        )
    };
    match (ratios(true), ratios(false)) {
        (Some(own), _) => (own, Basis::OwnPast),
        (None, Some(others)) => (others, Basis::OtherVms),
        (None, None) => (FIRST_RATIO, Basis::Usual),
    }
}

/// Returns what a backup of a VM that is not the first one stores.
fn next_bytes(vm: &str, stored: &[Stored]) -> (u64, Basis) {
    let mut own: Vec<&Stored> = stored.iter().filter(|one| one.vm == vm).collect();
    own.sort_by_key(|one| one.time);
    let next = own.iter().rev().filter(|one| !one.first).take(RECENT);
    if let Some(bytes) = median(next.map(|one| one.stored_bytes).collect()) {
        return (bytes, Basis::OwnPast);
    }
    let firsts = own.iter().filter(|one| one.first);
    let first = firsts.map(|one| one.stored_bytes).max().unwrap_or(0);
    match next_ratio(stored) {
        Some(ratio) => (part(first, ratio), Basis::OtherVms),
        None => (part(first, NEXT_RATIO), Basis::Usual),
    }
}

/// Returns which part of its first backup the later ones of a VM store.
fn next_ratio(stored: &[Stored]) -> Option<f64> {
    let firsts = stored
        .iter()
        .filter(|one| one.first && one.stored_bytes > 0);
    let firsts: HashMap<&str, u64> = firsts
        .map(|one| (one.vm.as_str(), one.stored_bytes))
        .collect();
    let later = stored.iter().filter(|one| !one.first);
    let ratios = later.filter_map(|one| {
        let first = firsts.get(one.vm.as_str())?;
        Some(ratio(one.stored_bytes, *first))
    });
    median(ratios.collect())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate needs no more than 52 bits"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Returns a part of bytes; ratios are positive and not much over one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate needs no more than 52 bits, and the conversion saturates"
)]
fn part(bytes: u64, ratio: f64) -> u64 {
    (bytes as f64 * ratio).round() as u64
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn stored(vm: &str, day: i64, first: bool, read: u64, bytes: u64) -> Stored {
        Stored {
            vm: vm.to_owned(),
            time: Timestamp::from_second(day * 86_400).unwrap(),
            first,
            read_bytes: read,
            stored_bytes: bytes,
        }
    }

    #[test]
    fn a_first_backup_is_like_those_of_others_or_as_is_usual() {
        let disks = [DiskRead::First(1000), DiskRead::Again(500)];
        let none = estimate("new", &disks, &[]);
        assert_eq!((none.bytes, none.basis), (900, Basis::Usual));
        let others = [
            stored("a", 1, true, 1000, 200),
            stored("b", 1, true, 1000, 300),
            stored("c", 1, true, 1000, 900),
        ];
        let like = estimate("new", &disks, &others);
        assert_eq!((like.bytes, like.basis), (450, Basis::OtherVms));
    }

    #[test]
    fn a_later_backup_is_like_the_last_ones_of_its_own() {
        let mut past = vec![stored("a", 0, true, 1000, 600)];
        for (day, bytes) in (1..10)
            .map(|day| (day, 5000))
            .chain((10..).zip([21, 22, 20, 21, 22, 20, 21, 22, 20, 21]))
        {
            past.push(stored("a", day, false, 60, bytes));
        }
        let next = estimate("a", &[DiskRead::Changed, DiskRead::Again(1000)], &past);
        assert_eq!((next.bytes, next.basis), (21, Basis::OwnPast));
        // A disk that is new adds what it holds.
        let new = [DiskRead::Changed, DiskRead::First(100)];
        assert_eq!(estimate("a", &new, &past).bytes, 21 + 60);
        let second = estimate("a", &[DiskRead::Changed], &past[..1]);
        assert_eq!((second.bytes, second.basis), (30, Basis::Usual));
    }

    #[test]
    fn nothing_to_read_adds_nothing() {
        assert_eq!(estimate("a", &[], &[]).bytes, 0);
    }
}
