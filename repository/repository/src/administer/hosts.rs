//! Hosts that add restore points, and can neither read nor remove any.

use jiff::Timestamp;
use serde::Serialize;

use crate::administer::domains::check_name;
use crate::features::READ_SEALED_PACKS;
use crate::keys::{DataKey, HostEntry, HostKey};
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// A write-only host, as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct HostInfo {
    /// Its name.
    pub name: String,
    /// The domain that it writes to.
    pub domain: String,
    /// When it was added.
    pub added: Timestamp,
}

impl Repository {
    /// Gives a host the keys of this handle's domain without those of its data, and returns what
    /// the host opens the repository with. It lies sealed in the key ring as well.
    ///
    /// All hosts of a domain dedupe against each other: one that stores wrong bytes under a right
    /// name spoils what others leave out. A host that is trusted less than the others belongs into
    /// a domain of its own. Fails with `Exists` where there is a host of that name.
    pub fn add_host(&self, name: &str) -> Result<HostKey, RepositoryError> {
        check_name(name)?;
        self.shared.master("add a host")?;
        // Before the host: a program that cannot read its packs would call them damaged.
        self.shared.announce_feature(READ_SEALED_PACKS)?;
        let domain = self.shared.domain().id;
        let key = HostKey::generate()?;
        self.shared.change_ring("add a host", |ring| {
            if ring.hosts.iter().any(|host| host.name == name) {
                let what = format!("there is a host {name} already");
                return Err(RepositoryError::new(RepositoryErrorKind::Exists, what)
                    .hint("`lifeboat repo host list` shows the hosts"));
            }
            if ring.data_keys_of(domain).all(DataKey::is_derived) {
                ring.data_keys.push(DataKey::sealed(domain)?);
            }
            ring.hosts.push(HostEntry {
                name: name.to_owned(),
                domain,
                key: key.clone(),
                added: Timestamp::now(),
            });
            Ok(())
        })?;
        self.shared.publish_host_keys()?;
        Ok(key)
    }

    /// Returns the hosts, oldest first.
    pub fn hosts(&self) -> Result<Vec<HostInfo>, RepositoryError> {
        self.shared.master("list the hosts")?;
        self.shared.reload_keys()?;
        let ring = self.shared.ring();
        let info = |host: &HostEntry| HostInfo {
            name: host.name.clone(),
            domain: ring
                .domain(host.domain)
                .map(|domain| domain.name.clone())
                .unwrap_or_default(),
            added: host.added,
        };
        Ok(ring.hosts.iter().map(info).collect())
    }

    /// Takes a host's keys out of the repository, so that its key opens nothing any more, and
    /// makes a new key pair for the other hosts of its domain.
    ///
    /// A host that kept what it was given still has the naming key and the map key of its domain;
    /// what it can write is for the store's own rights to end.
    pub fn remove_host(&self, name: &str) -> Result<(), RepositoryError> {
        let removed = self.shared.change_ring("remove a host", |ring| {
            let position = ring.hosts.iter().position(|host| host.name == name);
            let removed = position.map(|position| ring.hosts.remove(position));
            let removed = removed.ok_or_else(|| {
                let what = format!("there is no host {name}");
                RepositoryError::new(RepositoryErrorKind::NoSuchKey, what)
                    .hint("`lifeboat repo host list` shows the hosts")
            })?;
            if ring.hosts.iter().any(|host| host.domain == removed.domain) {
                ring.data_keys.push(DataKey::sealed(removed.domain)?);
            }
            Ok(removed)
        })?;
        self.shared.publish_host_keys()?;
        let prefix = format!("hosts/{}-", removed.key.slot());
        let mut objects = Vec::new();
        self.shared.store.list("hosts/", &mut |object| {
            if object.name.starts_with(&prefix) {
                objects.push(object.name);
            }
        })?;
        for object in objects {
            self.shared.store.remove(&object)?;
        }
        Ok(())
    }
}
