//! What differs between the disks of two restore points.

use block_io::ByteRanges;
use repository::{DifferenceKind, Repository, RepositoryError, RestorePoint, Stream};
use vm_restore::{RestoreError, disk_count};

/// Returns for each disk of `new` what of it reads otherwise than the disk of the same number of
/// `old`, in whole chunks of the repository. Nothing of the disks is read but their maps, and of
/// these only what differs.
///
/// A point that holds all checkpoints keeps image files, whose places are not those of the disk: there
/// a disk differs in nothing, or it is not known in what: `None`.
///
/// # Errors
///
/// `Failed`, whose cause is of [`Repository::compare_streams`], or says that a checkpoint tree cannot be
/// understood.
pub fn changed_ranges(
    repository: &Repository,
    old: &RestorePoint,
    new: &RestorePoint,
) -> Result<Vec<Option<ByteRanges>>, RestoreError> {
    disk_count(old)?;
    let disks = 0..u32::try_from(disk_count(new)?).unwrap_or(u32::MAX);
    if new.checkpoints.is_some() || old.checkpoints.is_some() {
        let is_same = old.checkpoints == new.checkpoints && are_same(&old.images, &new.images);
        return Ok(disks.map(|_| is_same.then(ByteRanges::new)).collect());
    }
    let find =
        |point: &'_ RestorePoint, number| point.disks().find(|disk| disk.number == number).cloned();
    let compare = |number| match (find(old, number), find(new, number)) {
        (Some(old), Some(new)) => changed(repository, &old, &new),
        (None, Some(new)) => Ok(std::iter::once(0..new.size_bytes).collect()),
        _ => Ok(ByteRanges::new()),
    };
    let compared = disks.map(|number| {
        let failed = |error: RepositoryError| RestoreError::Failed {
            what: format!(
                "cannot compare disk {number} of point {} with {}",
                new.id, old.id
            ),
            cause: error.into(),
        };
        compare(number).map(Some).map_err(failed)
    });
    compared.collect()
}

fn changed(
    repository: &Repository,
    old: &Stream,
    new: &Stream,
) -> Result<ByteRanges, RepositoryError> {
    let found = repository.compare_streams(old, new)?;
    let differing = found
        .iter()
        .filter(|found| found.kind != DifferenceKind::ReadsTheSame);
    Ok(differing
        .map(|found| found.offset..found.offset.saturating_add(found.len_bytes))
        .collect())
}

/// Returns whether two lists are of the same files with the same content.
fn are_same(old: &[Stream], new: &[Stream]) -> bool {
    let name = |stream: &Stream| stream.root.as_ref().map(|root| root.name().to_owned());
    let is_same = |(old, new): (&Stream, &Stream)| {
        old.name == new.name && old.size_bytes == new.size_bytes && name(old) == name(new)
    };
    old.len() == new.len() && old.iter().zip(new).all(is_same)
}
