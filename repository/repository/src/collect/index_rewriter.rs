//! Index objects without what is condemned, and few instead of many.

use std::collections::HashMap;

use crate::collect::CollectStage;
use crate::collect::collector::Collection;
use crate::collect::inventory::ListedIndex;
use crate::format::{IndexEntry, IndexObject, PackId};
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

/// The most that is merged into one index object, in bytes of the old ones: a million entries,
/// which take about 110 MB of memory while it is built.
const MERGED_BYTES_MAX: u64 = 45 << 20;
/// Index objects that are left alone if they are good.
const SMALL_MAX: usize = 8;
/// The most that an index object may be, in bytes (format page, section 13).
const INDEX_BYTES_MAX: u64 = 1 << 30;

impl Collection<'_> {
    /// Writes index objects anew that list what is condemned or gone, and merges small ones.
    pub(crate) fn rewrite_indexes(&mut self) -> Result<(), RepositoryError> {
        let mut by_domain: HashMap<DomainId, Vec<&ListedIndex>> = HashMap::new();
        for index in &self.inventory.indexes {
            by_domain.entry(index.domain).or_default().push(index);
        }
        let mut groups = Vec::new();
        for (domain, indexes) in by_domain {
            let chosen = self.choose(&indexes);
            groups.extend(in_groups(&chosen).into_iter().map(|group| (domain, group)));
        }
        let total = groups.len() as u64;
        for ((domain, group), number) in groups.into_iter().zip(1..) {
            if self.observer.cancelled() {
                return Ok(());
            }
            self.observer
                .advanced(CollectStage::Indexing, number, total);
            match self.rewrite_group(domain, &group) {
                Err(error) if error.kind() == RepositoryErrorKind::NoSpace => {
                    self.report.store_is_full = true;
                    return Ok(());
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Chooses what to write anew: what lists a pack that is condemned or gone, and small ones
    /// where they are many.
    fn choose<'i>(&self, indexes: &[&'i ListedIndex]) -> Vec<&'i ListedIndex> {
        let is_small = |index: &ListedIndex| index.size_bytes < MERGED_BYTES_MAX / 2;
        let many = indexes.iter().filter(|index| is_small(index)).count() > SMALL_MAX;
        let is_wrong = |index: &ListedIndex| {
            !index.gone_packs.is_empty()
                || index.packs.iter().any(|pack| self.condemned.contains(pack))
        };
        let chosen = indexes
            .iter()
            .filter(|index| is_wrong(index) || (many && is_small(index)));
        chosen.copied().collect()
    }

    /// Writes one index object instead of several, and removes these when it is durable.
    fn rewrite_group(
        &mut self,
        domain: DomainId,
        group: &[&ListedIndex],
    ) -> Result<(), RepositoryError> {
        let shared = self.repository.shared.of_domain(domain)?;
        let table = &self.inventory.table;
        let keeps = |pack: &PackId| {
            let number = table.number(pack);
            number.is_some_and(|number| !self.condemned.contains(&number))
        };
        let (mut entries, mut packs): (Vec<IndexEntry>, Vec<PackId>) = Default::default();
        let mut read = Vec::new();
        for index in group {
            let before = entries.len();
            let result = shared.open_index(&index.object, index.id, index.size_bytes);
            let bytes = shared.store.get(&index.object, INDEX_BYTES_MAX);
            // One that is gone was rewritten by another collector, and one that is broken is
            // repair's.
            let (Ok(directory), Ok(bytes)) = (result, bytes) else {
                continue;
            };
            let taken = directory.entries(&bytes, &mut |entry| {
                if keeps(&entry.locator.pack) {
                    entries.push(entry);
                }
            });
            if taken.is_err() {
                entries.truncate(before);
                continue;
            }
            packs.extend(directory.packs.iter().copied().filter(keeps));
            read.push(&index.object);
        }
        if self.options.dry_run || read.is_empty() {
            return Ok(());
        }
        if !packs.is_empty() {
            // Two index objects may list one pack, where two writers found it unlisted.
            entries.sort_unstable_by_key(|entry| {
                (entry.name, entry.locator.pack, entry.locator.offset)
            });
            entries.dedup_by_key(|entry| (entry.name, entry.locator.pack, entry.locator.offset));
            let IndexObject { id, bytes } =
                IndexObject::build(shared.domain(), &mut entries, packs)?;
            shared.store.put_new(&id.index_object_name(), &bytes)?;
            self.report.indexes_written += 1;
        }
        for object in read {
            if self.remove(object)? {
                self.report.indexes_removed += 1;
            }
        }
        Ok(())
    }
}

/// Puts index objects together as far as they may be merged.
fn in_groups<'i>(indexes: &[&'i ListedIndex]) -> Vec<Vec<&'i ListedIndex>> {
    let mut groups: Vec<Vec<&ListedIndex>> = Vec::new();
    let mut group_bytes = 0;
    for index in indexes {
        match groups.last_mut() {
            Some(group) if group_bytes + index.size_bytes <= MERGED_BYTES_MAX => group.push(index),
            _ => {
                groups.push(vec![index]);
                group_bytes = 0;
            }
        }
        group_bytes += index.size_bytes;
    }
    groups
}
