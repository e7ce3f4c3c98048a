//! What stands in the way of a restore to a host, or is worth knowing before it.

use hyperv_host::{CheckpointTree, Finding, Identity, PowerState, Severity, TargetHost, TargetVm};
use repository::{RestorePoint, StreamRole};
use vm_config::VmConfiguration;

use super::guest_disk::GuestDisks;
use super::plan::RestoreKind;
use super::request::HostRestoreRequest;

/// What findings are made of.
pub(crate) struct Facts<'a> {
    pub(crate) point: &'a RestorePoint,
    pub(crate) target: &'a TargetHost,
    pub(crate) request: &'a HostRestoreRequest,
    pub(crate) kind: RestoreKind,
    pub(crate) configuration: Option<&'a VmConfiguration>,
    /// The VM that gives way, is set aside, or that something is attached to.
    pub(crate) old: Option<&'a TargetVm>,
    pub(crate) old_is_there: bool,
    pub(crate) guest: &'a GuestDisks,
    /// The checkpoints that come back.
    pub(crate) tree: Option<&'a CheckpointTree>,
    pub(crate) same_host: bool,
}

pub(crate) fn finding(id: &str, severity: Severity, text: String, cure: &str) -> Finding {
    Finding::new(id, severity, text).cure(cure)
}

impl Facts<'_> {
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(self.running());
        found.extend(self.replicated());
        if matches!(self.kind, RestoreKind::Disks) {
            return found;
        }
        found.extend(self.clustered());
        if matches!(self.kind, RestoreKind::Network) {
            return found;
        }
        found.extend(self.version());
        found.extend(self.no_definition());
        found.extend(self.same_identity());
        found.extend(self.same_name());
        found.extend(self.resources());
        found.extend(self.checkpoints_that_go());
        found.extend(self.of_point());
        found
    }

    pub(crate) fn makes_a_vm(&self) -> bool {
        self.kind.makes_a_vm()
    }

    fn version(&self) -> Option<Finding> {
        let wanted = self.point.vm.configuration_version.as_deref()?;
        let known = &self.target.versions;
        let reads = self.kind != RestoreKind::FromConfiguration;
        if !reads || known.is_empty() || known.iter().any(|version| version == wanted) {
            return None;
        }
        let text = format!(
            "{} does not run the VM's configuration version {wanted}; it runs {}",
            self.target.computer,
            known.join(", ")
        );
        Some(finding(
            "POINT-VERSION",
            Severity::Block,
            text,
            "make a new VM of the same settings with the disks of the point (`--as-new-vm`), or \
             restore to a host that runs the version",
        ))
    }

    fn no_definition(&self) -> Option<Finding> {
        let mut files = self.point.files();
        let has_file = files.any(|file| file.role == StreamRole::Configuration);
        let (text, cure) = match (self.kind, self.configuration) {
            (RestoreKind::FromConfiguration, None) => (
                "the point does not say what the VM is made of",
                "restore its disks and attach them to a VM that you make",
            ),
            (RestoreKind::FromConfiguration, Some(_)) => return None,
            (_, None) if !has_file => (
                "the point has no configuration of the VM",
                "restore its disks and attach them to a VM that you make",
            ),
            _ if !has_file => (
                "the point has no definition file of the VM",
                "make a new VM of the same settings with the disks of the point (`--as-new-vm`)",
            ),
            _ => return None,
        };
        let id = "POINT-NO-CONFIGURATION";
        Some(finding(id, Severity::Block, text.to_owned(), cure))
    }

    /// The VM's identity must be free, unless the VM that has it gives way.
    fn same_identity(&self) -> Option<Finding> {
        let old = self.old.filter(|_| self.old_is_there)?;
        let is_free = self.kind != RestoreKind::NewVm || self.request.identity == Identity::New;
        if is_free {
            return None;
        }
        let text = format!(
            "{} has the VM already, as {:?}{}",
            self.target.computer,
            old.name,
            old.node
                .as_ref()
                .map_or_else(String::new, |node| format!(" on {node}"))
        );
        Some(finding(
            "POINT-SAME-VM",
            Severity::Block,
            text,
            "let it give way (`--in-place`), set it aside (`--in-place --keep-old`), or restore \
             with a new identity (`--new-identity`)",
        ))
    }

    fn same_name(&self) -> Option<Finding> {
        let adds = matches!(
            self.kind,
            RestoreKind::NewVm | RestoreKind::FromConfiguration
        );
        let name = self.request.name.as_ref().unwrap_or(&self.point.vm.name);
        let mut vms = self.target.vms.iter();
        let other = vms.find(|vm| vm.name.to_lowercase() == name.to_lowercase());
        let other = other.filter(|other| {
            // That it is the same VM is told already.
            adds && (other.identity != self.point.vm.identity
                || self.request.identity == Identity::New
                || self.kind == RestoreKind::FromConfiguration)
        })?;
        let text = format!(
            "{} has a VM called {:?} already",
            self.target.computer, other.name
        );
        let cure = "give it another name with `--name`";
        Some(finding("POINT-SAME-NAME", Severity::Warn, text, cure))
    }

    fn running(&self) -> Option<Finding> {
        let old = self.old.filter(|_| self.old_is_there)?;
        let must_be_off = matches!(
            self.kind,
            RestoreKind::InPlace | RestoreKind::Configuration | RestoreKind::Network
        );
        let loses_memory = matches!(self.kind, RestoreKind::Configuration | RestoreKind::Network);
        if old.state == PowerState::Saved && loses_memory {
            let text = format!(
                "{:?} is saved, and its memory fits only what the VM is made of now",
                old.name
            );
            let cure =
                "start it and shut it down, or discard its saved state (Remove-VMSavedState)";
            return Some(finding("POINT-VM-RUNNING", Severity::Block, text, cure));
        }
        if old.state == PowerState::Saved && self.kind == RestoreKind::InPlace {
            let text = format!(
                "{:?} is saved: its memory goes with it, and what the guest had not written is lost",
                old.name
            );
            let cure = "start it and shut it down first, where that matters";
            return Some(finding("POINT-VM-RUNNING", Severity::Warn, text, cure));
        }
        if matches!(old.state, PowerState::Off | PowerState::Saved) {
            return None;
        }
        if self.kind == RestoreKind::Beside {
            let text = format!("{:?} goes on running under its new name", old.name);
            let cure = "turn it off before the restored VM starts: both have the same addresses";
            return Some(finding("POINT-VM-RUNNING", Severity::Warn, text, cure));
        }
        (must_be_off && !self.request.stop_running).then(|| {
            finding(
                "POINT-VM-RUNNING",
                Severity::Block,
                format!("{:?} runs, and has to be off for this", old.name),
                "shut it down, or let the restore turn it off (`--stop`)",
            )
        })
    }

    fn replicated(&self) -> Option<Finding> {
        let old = self
            .old
            .filter(|old| old.is_replicated && self.old_is_there)?;
        let text = format!(
            "{:?} is part of a replication: what a restore changes makes it start over, or end",
            old.name
        );
        let cure = "end the replication first, and set it up again after the restore: the initial \
                    copy can start from the restored disks";
        Some(finding("POINT-REPLICA", Severity::Warn, text, cure))
    }

    fn clustered(&self) -> Option<Finding> {
        let old = self.old.filter(|old| old.is_clustered && self.old_is_there);
        let (text, cure) = match (old, self.kind) {
            (Some(old), RestoreKind::InPlace | RestoreKind::Configuration) => (
                format!(
                    "{:?} is a role of the cluster: the role is taken offline for the restore, stays \
                     a role, and gets the restored VM",
                    old.name
                ),
                "nothing; a role that was online is online again afterwards, unless `--no-start` is \
                 given",
            ),
            (_, RestoreKind::NewVm | RestoreKind::Beside | RestoreKind::FromConfiguration)
                if self.target.is_cluster =>
            {
                (
                    "the restored VM is on a node of the cluster, and no role of it".to_owned(),
                    "make it one with Add-ClusterVirtualMachineRole once it is as it should be",
                )
            }
            _ => return None,
        };
        Some(finding("POINT-CLUSTERED", Severity::Info, text, cure))
    }

    /// A configuration of its own time knows nothing of checkpoints that came later.
    fn checkpoints_that_go(&self) -> Option<Finding> {
        let old = self.old.filter(|old| old.checkpoints > 0);
        let old = old.filter(|_| self.kind == RestoreKind::Configuration)?;
        let text = format!(
            "{:?} has {} checkpoint(s), which another configuration knows nothing of",
            old.name, old.checkpoints
        );
        let cure = "remove the checkpoints first, so that each disk is one file";
        let id = "POINT-CHECKPOINTS-GO";
        Some(finding(id, Severity::Block, text, cure))
    }

    fn resources(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(configuration) = self.configuration.filter(|_| self.makes_a_vm()) else {
            return found;
        };
        let processors = self.target.logical_processors;
        if processors > 0 && configuration.processors > processors {
            let text = format!(
                "the VM has {} processors, and {} has {processors}",
                configuration.processors, self.target.computer
            );
            let cure = "give the VM fewer processors before it starts";
            found.push(finding("POINT-RESOURCES", Severity::Warn, text, cure));
        }
        let wanted = configuration.memory.startup_mib.saturating_mul(1 << 20);
        let has = self.target.memory_bytes;
        let free = self.target.free_memory_bytes.unwrap_or(has);
        if has > 0 && wanted > has.min(free) {
            let text = format!(
                "the VM starts with {} MiB of memory, and {} has {} MiB, {} MiB of it free",
                configuration.memory.startup_mib,
                self.target.computer,
                has >> 20,
                free.min(has) >> 20
            );
            let cure = "give the VM less memory before it starts, or turn others off";
            found.push(finding("POINT-RESOURCES", Severity::Warn, text, cure));
        }
        found
    }
}
