//! What the host has.

use std::collections::HashMap;

use hyperv_host::{DiskEntry, Finding, HostError, Inventory, Severity, VmEntry};
use jiff::Timestamp;

use crate::WmiHost;
use crate::disk_files::DiskFiles;
use crate::facts::{HostState, UnreadVm, VmFacts};
use crate::findings;

/// Lists the VMs: a fixed number of calls, and each disk's files where they can be seen.
pub(crate) fn inventory(host: &WmiHost) -> Result<Inventory, HostError> {
    let facts = host.host_facts()?;
    let now = host.clock.now();
    let mut vms: Vec<VmEntry> = facts
        .vms
        .iter()
        .map(|vm| entry(host, vm, &facts.host, now))
        .collect();
    vms.extend(facts.unread.iter().map(unread_entry));
    vms.sort_by(|one, other| (&one.name, &one.identity).cmp(&(&other.name, &other.identity)));
    tell_of_equal_names(&mut vms);
    Ok(Inventory {
        vms,
        findings: findings::of_host(&facts, host.bytes.is_some(), host.vss.is_some()),
    })
}

/// Makes the entry of a VM.
pub(crate) fn entry(host: &WmiHost, vm: &VmFacts, state: &HostState, now: Timestamp) -> VmEntry {
    let mut found = findings::of_vm(vm, state, now);
    let mut disks = Vec::new();
    for disk in &vm.disks {
        let files = DiskFiles::look(vm, disk, host.bytes.as_ref());
        found.extend(files.problem);
        disks.push(DiskEntry {
            number: disk.number,
            slot: disk.slot,
            path: disk.path.clone(),
            kind: disk.kind,
            size_bytes: files.size_bytes,
            chain_files: files.chain_files,
        });
    }
    VmEntry {
        identity: vm.identity(),
        name: vm.name.clone(),
        state: Some(vm.state),
        node: None,
        generation: vm.settings.generation,
        version: Some(vm.settings.version.to_string()),
        disks,
        checkpoints: vm.user_snapshots().count(),
        findings: found,
    }
}

/// Makes the entry of a VM of which the host does not say what it is made of. It must not be
/// missed in the list.
fn unread_entry(vm: &UnreadVm) -> VmEntry {
    let text = format!("the host does not say what the VM is made of: {}", vm.why);
    let finding = Finding::new("VM-UNREADABLE", Severity::Block, text).cure(
        "run again; if it stays so, see whether Hyper-V Manager shows the VM's settings, and \
         restart the service vmms on the host, which does not stop VMs",
    );
    VmEntry {
        identity: vm.id.to_string(),
        name: vm.name.clone(),
        state: None,
        node: None,
        generation: None,
        version: None,
        disks: Vec::new(),
        checkpoints: 0,
        findings: vec![finding],
    }
}

/// Names need not be unique; people should know where they are not (requirement X-05).
pub(crate) fn tell_of_equal_names(vms: &mut [VmEntry]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for vm in vms.iter() {
        *uses.entry(vm.name.to_lowercase()).or_default() += 1;
    }
    for vm in vms {
        let same = uses.get(&vm.name.to_lowercase()).copied().unwrap_or(1);
        if same > 1 {
            let text = format!("{same} VMs of this host are called {:?}", vm.name);
            let cure = format!("name this one by its id: {}", vm.identity);
            let finding = Finding::new("VM-SAME-NAME", Severity::Info, text).cure(cure);
            vm.findings.push(finding);
        }
    }
}
