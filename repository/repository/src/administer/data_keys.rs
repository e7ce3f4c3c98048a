//! New keys for new data.

use crate::keys::DataKey;
use crate::{Repository, RepositoryError};

impl Repository {
    /// Makes a new data key for this handle's domain, and returns how many the domain has now.
    ///
    /// New data goes under it, from every host's next run on; old data stays under the old keys,
    /// which stay in the ring. Chunks keep their names, so nothing is stored twice. A domain that
    /// hosts write to without reading gets a new key pair as well.
    pub fn new_data_key(&self) -> Result<usize, RepositoryError> {
        let domain = self.shared.domain().id;
        let count = self.shared.change_ring("make a data key", |ring| {
            let sealed = ring.data_keys_of(domain).any(|key| !key.is_derived());
            ring.data_keys.push(DataKey::derived(domain)?);
            if sealed {
                ring.data_keys.push(DataKey::sealed(domain)?);
            }
            let keys = ring.data_keys_of(domain);
            Ok(keys.filter(|key| key.is_derived()).count())
        })?;
        self.shared.publish_host_keys()?;
        Ok(count)
    }
}
