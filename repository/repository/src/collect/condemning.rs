//! Writing down what nothing reaches, so that it can be deleted a grace later.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::collect::collector::Collection;
use crate::collect::condemned_objects::{CondemnedObject, timestamp};
use crate::collect::inventory::{is_older, seconds};
use crate::format::Condemned;
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

/// Packs of one condemned object.
const PACKS_MAX: usize = 1 << 16;
/// The same where the store is full: such an object finds room in the reserve.
const PACKS_MAX_FULL: usize = 1000;

impl Collection<'_> {
    /// Returns for how long whatever nothing reaches may still become part of a point.
    fn young(&self) -> Duration {
        match self.options.no_other_writers {
            true => Duration::ZERO,
            false => self.options.young,
        }
    }

    /// Says whether a pack is to stay where it is: something reaches it, and it was not moved.
    pub(super) fn is_needed(&self, number: u32) -> bool {
        self.inventory.table.reached(number) && !self.rewritten.contains(&number)
    }

    /// Says whether a pack is young by any measure, whatever its domain's runs say.
    pub(super) fn is_surely_young(&self, number: u32) -> bool {
        !self.options.no_other_writers && !self.is_old(number)
    }

    /// Writes down what nothing reaches and is not young.
    pub(super) fn condemn(&mut self) -> Result<Vec<CondemnedObject>, RepositoryError> {
        let mut packs: HashMap<DomainId, Condemned> = HashMap::new();
        let (inventory, now, young) = (self.inventory, self.inventory.now, self.young());
        let table = &inventory.table;
        let young_since = |domain| seconds(inventory.runs.young_since(domain, young, now));
        self.ask_headers()?;
        for (number, pack) in table.iter() {
            let size_bytes = u64::from(pack.size_bytes);
            if self.condemned.contains(&number) {
                if !self.deleted.contains(&number) && !table.reached(number) {
                    self.report.waiting_packs += 1;
                    self.report.waiting_bytes += size_bytes;
                }
                continue;
            }
            if self.is_needed(number) {
                continue;
            }
            // The header is not asked of what is young by any measure.
            let surely_young = self.is_surely_young(number);
            let owner = if surely_young {
                None
            } else {
                self.owner(number)?
            };
            match owner {
                Some(domain)
                    if self.options.no_other_writers || pack.written <= young_since(domain) =>
                {
                    self.report.condemned_packs += 1;
                    self.report.condemned_bytes += size_bytes;
                    packs.entry(domain).or_default().packs.push(pack.id);
                }
                None if !surely_young => self.report.foreign_packs += 1,
                _ => {
                    self.report.young_packs += 1;
                    self.report.young_bytes += size_bytes;
                }
            }
        }
        let named: HashSet<&String> = inventory
            .condemned
            .iter()
            .flat_map(|object| &object.content.forwards)
            .collect();
        for forward in &inventory.forwards.objects {
            let since = inventory.runs.young_since(forward.domain, young, now);
            let old = self.options.no_other_writers || forward.info.modified <= since;
            if old && !forward.reached() && !named.contains(&forward.info.name) {
                let condemned = packs.entry(forward.domain).or_default();
                condemned.forwards.push(forward.info.name.clone());
            }
        }
        let put = self.put_all_condemned(packs)?;
        self.condemned.extend(
            put.iter()
                .flat_map(|object| &object.content.packs)
                .filter_map(|pack| table.number(pack)),
        );
        self.say_next_deletion(!put.is_empty());
        Ok(put)
    }

    fn say_next_deletion(&mut self, condemned_now: bool) {
        let now = self.inventory.now;
        let grace = self.options.grace;
        let waiting = self.inventory.condemned.iter().filter(|object| {
            !is_older(object.written, grace, now) && !object.content.packs.is_empty()
        });
        let times = waiting.map(|object| object.written);
        let times = times.chain(condemned_now.then_some(now));
        self.report.next_deletion = times.min().map(|time| time + grace);
    }

    fn put_all_condemned(
        &mut self,
        condemned: HashMap<DomainId, Condemned>,
    ) -> Result<Vec<CondemnedObject>, RepositoryError> {
        let mut put = Vec::new();
        for (domain, all) in condemned {
            let mut forwards = Some(all.forwards);
            let parts: Vec<&[_]> = match all.packs.is_empty() {
                true => vec![&[]],
                false => all.packs.chunks(PACKS_MAX).collect(),
            };
            for part in parts {
                let content = Condemned {
                    marked: timestamp(self.inventory.now)?,
                    packs: part.to_vec(),
                    forwards: forwards.take().unwrap_or_default(),
                    done: Vec::new(),
                };
                self.put_condemned(domain, content, &mut put)?;
            }
        }
        Ok(put)
    }

    /// Writes one condemned object; where there is no room, smaller ones as far as they go.
    fn put_condemned(
        &mut self,
        domain: DomainId,
        content: Condemned,
        put: &mut Vec<CondemnedObject>,
    ) -> Result<(), RepositoryError> {
        let shared = self.shared().of_domain(domain)?;
        let written = self.inventory.now;
        let dry_run = self.options.dry_run;
        let mut write = |content: Condemned| {
            let object = match dry_run {
                true => String::new(),
                false => shared.put_condemned(&content)?,
            };
            put.push(CondemnedObject {
                object,
                domain,
                written,
                content,
            });
            Ok(())
        };
        let full = |error: &RepositoryError| error.kind() == RepositoryErrorKind::NoSpace;
        let result = match write(content.clone()) {
            Err(error) if full(&error) && content.packs.len() > PACKS_MAX_FULL => {
                content.packs.chunks(PACKS_MAX_FULL).try_for_each(|packs| {
                    write(Condemned {
                        marked: content.marked,
                        packs: packs.to_vec(),
                        ..Condemned::default()
                    })
                })
            }
            result => result,
        };
        match result {
            Err(error) if full(&error) => {
                self.report.store_is_full = true;
                Ok(())
            }
            result => result,
        }
    }
}
