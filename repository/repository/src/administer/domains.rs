//! Domains: who may dedupe against whom.

use crate::features::READ_DOMAINS;
use crate::keys::{DataKey, Domain};
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// The most that a name of a domain or host may have, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// A domain, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainInfo {
    /// Its name.
    pub name: String,
    /// Its id, 32 hex digits.
    pub id: String,
    /// Data keys that it has had.
    pub data_keys: usize,
    /// Hosts that write to it without reading its data.
    pub hosts: Vec<String>,
    /// Whether new data of this handle goes to it.
    pub current: bool,
}

/// Fails unless a name is one that people can read and type.
pub(crate) fn check_name(name: &str) -> Result<(), RepositoryError> {
    let good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && name.chars().all(good) {
        return Ok(());
    }
    let what = "a name has letters, digits, dashes, dots and underscores, and 64 of them at most";
    Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what))
}

impl Repository {
    /// Makes a domain with keys of its own, and returns a handle that writes to it.
    ///
    /// Fails with `Exists` where there is one of that name.
    pub fn add_domain(&self, name: &str) -> Result<Self, RepositoryError> {
        check_name(name)?;
        self.shared.master("make a domain")?;
        // Before the domain: a program that knows one alone would call the others' points damaged.
        self.shared.announce_feature(READ_DOMAINS)?;
        let id = self.shared.change_ring("make a domain", |ring| {
            if ring.domains.iter().any(|domain| domain.name == name) {
                let what = format!("there is a domain {name} already");
                return Err(RepositoryError::new(RepositoryErrorKind::Exists, what)
                    .hint("`lifeboat repo domain list` shows the domains"));
            }
            let domain = Domain::generate(name)?;
            let id = domain.id;
            ring.data_keys.push(DataKey::derived(id)?);
            ring.domains.push(domain);
            Ok(id)
        })?;
        let shared = self.shared.of_domain(id)?;
        Ok(Self { shared })
    }

    /// Returns the domains that this key opens, oldest first.
    pub fn domain_list(&self) -> Result<Vec<DomainInfo>, RepositoryError> {
        self.shared.reload_keys()?;
        let ring = self.shared.ring();
        let info = |domain: &Domain| DomainInfo {
            name: domain.name.clone(),
            id: crate::hex::encode(&domain.id),
            data_keys: ring.data_keys_of(domain.id).count(),
            hosts: ring
                .hosts
                .iter()
                .filter(|host| host.domain == domain.id)
                .map(|host| host.name.clone())
                .collect(),
            current: domain.id == self.shared.domain().id,
        };
        Ok(ring.domains.iter().map(info).collect())
    }
}
