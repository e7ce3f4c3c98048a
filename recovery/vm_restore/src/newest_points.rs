//! Which VMs come back when many do.

use std::collections::BTreeMap;

use repository::{Catalog, PointSummary};

/// Which VMs of a repository are meant; where a list is empty it leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VmFilter {
    /// Hosts, by name: VMs whose newest point was taken from one of them. A VM that has moved
    /// belongs to the host that it was last seen on.
    pub hosts: Vec<String>,
    /// VMs, by name or identity.
    pub vms: Vec<String>,
}

impl VmFilter {
    fn takes(&self, summary: &PointSummary) -> bool {
        let is_host = |host: &String| same_name(host, &summary.host);
        let is_vm = |vm: &String| is_named(summary, vm);
        (self.hosts.is_empty() || self.hosts.iter().any(is_host))
            && (self.vms.is_empty() || self.vms.iter().any(is_vm))
    }
}

/// The newest points of VMs, one of each, by the VMs' names.
#[derive(Debug, Clone)]
pub struct NewestPoints<'a> {
    /// Those of all VMs of the repository: what is said of a VM among others must not depend on
    /// which of them are chosen this time.
    pub(crate) all: Vec<&'a PointSummary>,
    chosen: Vec<&'a PointSummary>,
}

impl<'a> NewestPoints<'a> {
    /// Chooses from the points of a repository.
    pub fn choose(catalog: &'a Catalog, filter: &VmFilter) -> Self {
        let vms = catalog.vms();
        let newest = vms.iter().filter_map(|(identity, _)| {
            let points = catalog.points.iter().map(|point| &point.summary);
            let own = points.filter(|summary| summary.vm.identity == *identity);
            own.max_by_key(|summary| summary.started)
        });
        let all: Vec<&PointSummary> = newest.collect();
        let chosen = all.iter().copied().filter(|summary| filter.takes(summary));
        let chosen = chosen.collect();
        Self { all, chosen }
    }

    /// Returns the points that were chosen.
    pub fn chosen(&self) -> &[&'a PointSummary] {
        &self.chosen
    }

    /// Returns the hosts that the chosen points were taken from, and how many VMs of each.
    pub fn hosts(&self) -> BTreeMap<&'a str, usize> {
        count_hosts(&self.chosen)
    }

    /// Returns the hosts of the whole repository likewise.
    pub fn all_hosts(&self) -> BTreeMap<&'a str, usize> {
        count_hosts(&self.all)
    }

    /// Returns the chosen points of VMs of this name or identity.
    pub fn named(&self, vm: &str) -> Vec<&'a PointSummary> {
        let chosen = self.chosen.iter().copied();
        chosen.filter(|summary| is_named(summary, vm)).collect()
    }

    /// Says whether the repository has a VM of this name or identity.
    pub fn knows_vm(&self, vm: &str) -> bool {
        self.all.iter().any(|summary| is_named(summary, vm))
    }

    /// Says whether the newest point of any VM was taken from this host.
    pub fn knows_host(&self, host: &str) -> bool {
        let mut all = self.all.iter();
        all.any(|summary| same_name(&summary.host, host))
    }
}

fn count_hosts<'a>(points: &[&'a PointSummary]) -> BTreeMap<&'a str, usize> {
    let mut hosts = BTreeMap::new();
    for summary in points {
        *hosts.entry(summary.host.as_str()).or_default() += 1;
    }
    hosts
}

fn is_named(summary: &PointSummary, vm: &str) -> bool {
    same_name(vm, &summary.vm.name) || same_name(vm, &summary.vm.identity)
}

/// Names of hosts and VMs do not differ by case alone.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
