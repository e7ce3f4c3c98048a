//! Whose a pack is, by its own header.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::StoreErrorKind;

use crate::collect::collector::Collection;
use crate::collect::inventory::Inventory;
use crate::collect::parallel::{REQUESTS, for_each};
use crate::domain_view::Shared;
use crate::format::{HEADER_BYTES, Header};
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

impl Collection<'_> {
    /// Returns whose a pack is; `None` for one that is to be left alone.
    ///
    /// The pack's own header is asked, whatever indexes list it: indexes and condemned objects are
    /// the word of a domain, which may speak of its own packs alone.
    pub(super) fn owner(&mut self, number: u32) -> Result<Option<DomainId>, RepositoryError> {
        if let Some(owner) = self.owners.get(&number) {
            return Ok(*owner);
        }
        let owner = owner_by_header(self.shared(), self.inventory, number)?;
        self.owners.insert(number, owner);
        Ok(owner)
    }

    /// Asks the headers of all that may be condemned, several at once.
    pub(super) fn ask_headers(&mut self) -> Result<(), RepositoryError> {
        let inventory = self.inventory;
        let numbers = inventory.table.iter().map(|(number, _)| number);
        let candidates = numbers.filter(|number| {
            let known = self.condemned.contains(number) || self.owners.contains_key(number);
            !known && !self.is_needed(*number) && !self.is_surely_young(*number)
        });
        let candidates: Vec<u32> = candidates.collect();
        let owners = Mutex::new(HashMap::new());
        for_each(&candidates, REQUESTS, |_, number| {
            self.cancelled()?;
            let owner = owner_by_header(self.shared(), inventory, *number)?;
            let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.insert(*number, owner);
            Ok(())
        })?;
        let owners = owners.into_inner();
        self.owners
            .extend(owners.unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// Asks a pack's header whose it is. `None`: it is of a domain that we do not hold, cannot be read,
/// or is gone.
pub(super) fn owner_by_header(
    shared: &Arc<Shared>,
    inventory: &Inventory,
    number: u32,
) -> Result<Option<DomainId>, RepositoryError> {
    let pack = inventory.table.pack(number).id;
    let mut bytes = [0; HEADER_BYTES];
    match shared.store.get_range(&pack.object_name(), 0, &mut bytes) {
        Err(error)
            if matches!(
                error.kind(),
                StoreErrorKind::NotFound | StoreErrorKind::WrongSize
            ) =>
        {
            return Ok(None);
        }
        result => result?,
    }
    let Ok(header) = Header::parse(&bytes, pack) else {
        return Ok(None);
    };
    match shared.domain_of(header.domain) {
        Ok(domain) => Ok(Some(domain.id)),
        Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => Ok(None),
        Err(error) => Err(error),
    }
}
