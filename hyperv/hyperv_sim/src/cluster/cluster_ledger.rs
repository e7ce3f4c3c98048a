//! Everything that exists on a cluster and that a backup could leave there.

use super::SimCluster;
use crate::{Ledger, SimError};

impl SimCluster {
    /// Lists everything that exists on all nodes and that a backup could leave there. On which node
    /// a VM is makes no difference; a file that one node alone has carries that node's name.
    pub fn ledger(&self) -> Result<Ledger, SimError> {
        let shared = self.facts()?;
        let mut all = Ledger::default();
        for (node, host) in self.nodes() {
            let own = host.ledger()?;
            all.merge(own, |path| match shared.is_shared(path) {
                true => path.to_owned(),
                false => format!("{node}: {path}"),
            });
        }
        Ok(all)
    }
}
