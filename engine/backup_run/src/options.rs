//! How a run goes about it.

use hyperv_host::{BackupRequest, SavedState, SnapshotSets, VmEntry};
use skip_ranges::SkipRequest;
use vm_config::DiskSlot;

use crate::{CommandPolicy, ProofPolicy};

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Threads that read and encode; 0: one more than the machine has processors.
    pub workers: usize,
    /// VMs that are held still at the same time. One is read while the next is being frozen and
    /// the last one let go; however many there are, one disk is read at a time.
    pub vms_at_once: usize,
    /// Most bytes that are read from the host in a second; `None`: as many as it gives.
    pub bytes_per_second: Option<u64>,
    /// What is asked of the host for each VM.
    pub request: BackupRequest,
    /// Disks that are left out on purpose: VM by name or identity, and where the disk is attached.
    pub exclude: Vec<(String, DiskSlot)>,
    /// VMs, by name or identity, that may be saved where nothing else freezes them, whatever
    /// `request` says for all.
    pub allow_saved: Vec<String>,
    /// Commands before and after the work.
    pub commands: CommandPolicy,
    /// How much of what a host calls unchanged is read all the same.
    pub proof: ProofPolicy,
    /// What is left out of guests' disks where it can be told; nothing, unless asked for. What is
    /// known of each VM (`flushed`) a run finds out itself.
    pub skip: SkipRequest,
    /// Program and version, as points name it.
    pub program: String,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            workers: 0,
            vms_at_once: 2,
            bytes_per_second: None,
            request: BackupRequest::default(),
            exclude: Vec::new(),
            allow_saved: Vec::new(),
            commands: CommandPolicy::default(),
            proof: ProofPolicy::default(),
            skip: SkipRequest::default(),
            program: String::new(),
        }
    }
}

impl BackupOptions {
    /// Returns what is asked of the host for one VM. Where commands run around each VM its volume
    /// snapshots are its own: one set for all is made when the first VM begins, and the command
    /// before the second would run when that one is frozen already.
    pub(crate) fn request_for(&self, vm: &VmEntry) -> BackupRequest {
        let mut request = self.request.clone();
        let own = self.exclude.iter().filter(|(name, _)| is_called(vm, name));
        request.exclude.extend(own.map(|(_, slot)| *slot));
        if self.allow_saved.iter().any(|name| is_called(vm, name)) {
            request.saved_state = SavedState::Allow;
        }
        if self.commands.is_around_vms() {
            request.snapshot_sets = SnapshotSets::PerVm;
        }
        request
    }
}

/// Returns whether a person means this VM.
fn is_called(vm: &VmEntry, name: &str) -> bool {
    name.to_lowercase() == vm.name.to_lowercase() || name.eq_ignore_ascii_case(&vm.identity)
}
