//! Restores through the host's own VSS writer (contract 5.2; requirements REST-03 to REST-07).
//!
//! ```text
//!   begin       document ─► select, new targets ─► journal
//!   pre         journal: asked ─► PreRestore ─► the writer is well? the VM is gone?
//!   post        files are in place ─► PostRestore ─► the writer is well? the VM is there?
//!                                                                         └─► journal closed
//! ```

use std::time::Duration;

use ::vss::{
    ComponentId, ComponentKind, FileSet, HYPERV_WRITER, VssError, VssErrorKind, VssRestore,
};
use hyperv_host::{
    Finding, HostError, HostErrorKind, RestoredVm, StepObserver, WriterFiles, WriterOrder,
    WriterRecord, WriterRestore, WriterRestoreHost, WriterWay,
};
use uuid::Uuid;

use super::entry::{Begun, begin_entry, change, vm_ids};
use super::findings;
use crate::WmiHost;
use crate::backup::link::Link;
use crate::backup::{journal_of, stop_if_cancelled};
use crate::cluster::take_role_offline;
use crate::facts::{VmFacts, WindowsVersion};
use crate::host_failure::host_failure;
use crate::journal::{JournalEntry, OpenEntry, Recorded, RestoreEntry};
use crate::vss::{failed_writer, service_of, vss_failure};

/// How often, and how long apart, it is looked whether the writer has taken a VM away.
const LOOKS: u32 = 30;
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Says what the writer is to restores: hosts without `root\virtualization\v2` import nothing.
/// One that does not say its version is asked for nothing unasked. Contract: 4.1 [M]
fn way_of(windows: &WindowsVersion) -> WriterWay {
    match windows.is_known() || windows.version.0 == 0 {
        true => WriterWay::Possible,
        false => WriterWay::OnlyWay,
    }
}

impl WriterRestoreHost for WmiHost {
    fn way(&self) -> Result<WriterWay, HostError> {
        let state = self.host_state()?;
        service_of(self, &state)?;
        Ok(way_of(&state.windows))
    }

    fn begin<'a>(
        &'a self,
        order: &WriterOrder,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn WriterRestore + 'a>, HostError> {
        let link = Link::of(self);
        let state = self.host_state()?;
        let vm = vm_of_order(&link, order)?;
        let component = component_of(&link, &order.record)?;
        let service = service_of(self, &state)?;
        observer.step("telling the host's VSS writer what comes back");
        stop_if_cancelled(observer)?;
        let begun = service.begin_restore(&order.record.document);
        let mut restore = begun.map_err(|error| failure(&link, "reading its document", error))?;
        let chosen = restore.select(&component);
        chosen.map_err(|error| failure(&link, "choosing the VM in its document", error))?;
        for moved in &order.moved {
            let files = set_of(&moved.files);
            let added = restore.add_new_target(&component, &files, &moved.folder);
            added.map_err(|error| failure(&link, "naming another folder", error))?;
        }
        let entry = begin(self, &link, &state.computer, (order, vm))?;
        Ok(Box::new(ThroughWriter {
            link,
            vm,
            component,
            restore,
            entry: Some(entry),
            is_unsettled: false,
        }))
    }
}

/// Writes the restore down, and takes over what an earlier try of it has written down.
fn begin(
    host: &WmiHost,
    link: &Link,
    computer: &str,
    (order, vm): (&WriterOrder, Uuid),
) -> Result<OpenEntry, HostError> {
    let mut earlier = Vec::new();
    if let Some(journal) = journal_of(host)? {
        for recorded in journal.entries()? {
            if let Recorded::Dead(entry) = recorded
                && is_writers(entry.entry())
                && entry.entry().run == order.run
                && entry.entry().computer.eq_ignore_ascii_case(computer)
            {
                earlier.push(entry);
            }
        }
    }
    let mut entry = begin_entry(
        host,
        link,
        computer,
        Begun {
            vm: Some(vm),
            name: &order.name,
            run: &order.run,
            restore: RestoreEntry {
                expected: Some(vm),
                configuration_folder: order.configuration_folder.clone(),
                through_writer: true,
                ..RestoreEntry::default()
            },
        },
    )?;
    let was_there = |own: &OpenEntry| {
        let restore = own.entry().restore.as_ref();
        restore.is_some_and(|restore| restore.vms_before.contains(&vm))
    };
    let asked = earlier.iter().filter_map(|own| {
        let restore = own.entry().restore.as_ref();
        restore.and_then(|restore| restore.asked)
    });
    let (asked, was_there) = (asked.min(), earlier.iter().any(was_there));
    if asked.is_some() {
        change(&mut entry, |own| {
            own.asked = asked;
            if was_there && !own.vms_before.contains(&vm) {
                own.vms_before.push(vm);
            }
        })?;
    }
    for own in earlier {
        own.close()?;
    }
    Ok(entry)
}

/// One restore through the writer.
struct ThroughWriter {
    link: Link,
    vm: Uuid,
    component: ComponentId,
    restore: Box<dyn VssRestore>,
    /// `None` once it has ended.
    entry: Option<OpenEntry>,
    /// What the writer was asked last may still take effect.
    is_unsettled: bool,
}

impl ThroughWriter {
    fn entry(&mut self) -> Result<&mut OpenEntry, HostError> {
        self.entry
            .as_mut()
            .ok_or_else(|| HostError::new(HostErrorKind::Refused, "the restore has ended already"))
    }

    /// Judges what the writer was asked. That it failed is settled where the writer says so, or the
    /// service did not take the call; else it may still take effect.
    fn judge(&mut self, asked: Result<(), VssError>, doing: &str) -> Result<(), HostError> {
        let statuses = self.restore.writer_statuses(&|| false);
        if let Ok(statuses) = &statuses
            && let Some(why) = failed_writer(statuses)
        {
            self.is_unsettled = false;
            let text = format!("{}: {doing}: {why}", self.link.host());
            return Err(HostError::new(HostErrorKind::Refused, text).hint(HINT));
        }
        if let Err(error) = asked {
            self.is_unsettled = !is_refusal(error.kind());
            return Err(failure(&self.link, doing, error));
        }
        statuses.map_err(|error| failure(&self.link, doing, error))?;
        Ok(())
    }

    /// Waits until the host does not list the VM any more. How long a writer's own removal takes to
    /// be seen is not documented. Contract: 5.2 [M]
    fn wait_until_gone(&self) -> Result<(), HostError> {
        for left in (0..LOOKS).rev() {
            let ids = vm_ids(&self.link);
            let ids =
                ids.map_err(|error| host_failure(self.link.host(), "listing the VMs", error))?;
            if !ids.contains(&self.vm) {
                return Ok(());
            }
            if left > 0 {
                self.link.clock.wait(LOOK_EVERY);
            }
        }
        let text = format!(
            "{}: the VSS writer says that it made room, and the VM {} is still there",
            self.link.host(),
            self.vm
        );
        Err(HostError::new(HostErrorKind::Refused, text).hint(HINT))
    }

    /// Finds the VM that the writer has registered.
    fn registered(&self) -> Result<VmFacts, HostError> {
        let read = || VmFacts::read(&*self.link.session, self.vm);
        let found = self.link.look_for(|_| self.link.patiently(read));
        let found = found.map_err(|error| {
            host_failure(self.link.host(), "looking for the restored VM", error)
        })?;
        found.ok_or_else(|| {
            let text = format!(
                "{}: the VSS writer has ended the restore, and the VM {} is not there",
                self.link.host(),
                self.vm
            );
            HostError::new(HostErrorKind::Refused, text).hint(HINT)
        })
    }
}

const HINT: &str = "see the event log Hyper-V-VMMS/Admin on the host; without the writer the VM \
                    comes back with `--through import`";

impl WriterRestore for ThroughWriter {
    fn pre_restore(&mut self, observer: &dyn StepObserver) -> Result<(), HostError> {
        const DOING: &str = "letting the VSS writer make room for the VM (PreRestore)";
        observer.step("letting the host's VSS writer make room for the VM");
        stop_if_cancelled(observer)?;
        if let Some(vm) = self.link.vm(self.vm)? {
            // The writer knows nothing of clusters (contract 5.2).
            take_role_offline(&self.link, &vm)?;
        }
        let now = self.link.clock.now();
        change(self.entry()?, |own| own.asked = Some(now))?;
        self.is_unsettled = true;
        let asked = self.restore.pre_restore(&|| observer.cancelled());
        self.judge(asked, DOING)?;
        self.wait_until_gone()?;
        self.is_unsettled = false;
        Ok(())
    }

    fn post_restore(&mut self, observer: &dyn StepObserver) -> Result<RestoredVm, HostError> {
        const DOING: &str = "letting the VSS writer register the VM (PostRestore)";
        observer.step("letting the host's VSS writer register the VM");
        stop_if_cancelled(observer)?;
        let told = self.restore.set_restored(&self.component, true);
        told.map_err(|error| failure(&self.link, DOING, error))?;
        // From here on the writer is at work: to stop it now would leave half a VM.
        self.is_unsettled = true;
        let asked = self.restore.post_restore(&|| false);
        self.judge(asked, DOING)?;
        let vm = self.registered()?;
        self.is_unsettled = false;
        let entry = self.entry.take();
        Ok(RestoredVm {
            identity: vm.identity(),
            name: vm.name,
            findings: entry.and_then(findings::close).into_iter().collect(),
        })
    }

    fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    fn give_up(mut self: Box<Self>) -> Vec<Finding> {
        let Some(entry) = self.entry.take() else {
            return Vec::new();
        };
        let before = entry.entry().restore.as_ref();
        let was_there = before.is_some_and(|own| own.vms_before.contains(&self.vm));
        match was_there {
            true => settle(&self.link, entry),
            // Nothing was taken from the host.
            false => findings::close(entry).into_iter().collect(),
        }
    }
}

/// Says whether the service did not take a call at all, so that no writer heard of it. A deadline that
/// passed, or writers that could not be reached, say nothing of what a writer does.
fn is_refusal(kind: VssErrorKind) -> bool {
    use VssErrorKind as Kind;
    matches!(
        kind,
        Kind::Absent
            | Kind::Denied
            | Kind::BadState
            | Kind::NotFound
            | Kind::Busy
            | Kind::NotRetryable
            | Kind::NotSupported
    )
}

/// Says whether an entry is of a restore through the writer.
pub(super) fn is_writers(entry: &JournalEntry) -> bool {
    let restore = entry.restore.as_ref();
    restore.is_some_and(|restore| restore.through_writer)
}

/// Tells what a restore through the writer that died has left; nothing is changed. `true`: the entry
/// can be closed.
pub(super) fn residue(link: &Link, entry: &JournalEntry) -> Vec<(bool, Finding)> {
    match is_away(link, entry) {
        Ok(true) => vec![(false, findings::away_with_writer(entry))],
        Ok(false) => {
            let nothing = "the VM is there, and nothing of it is to be seen";
            vec![(true, findings::unsettled(entry, &nothing))]
        }
        Err(error) => vec![(true, findings::unsettled(entry, &error))],
    }
}

/// Closes the entry of a restore through the writer, unless the VM is away: then it says so. Nothing
/// is changed on the host: only whoever has the files can give the VM back.
pub(super) fn settle(link: &Link, entry: OpenEntry) -> Vec<Finding> {
    match is_away(link, entry.entry()) {
        Ok(true) => vec![findings::away_with_writer(entry.entry())],
        Ok(false) => findings::close(entry).into_iter().collect(),
        Err(error) => vec![findings::unsettled(entry.entry(), &error)],
    }
}

fn is_away(link: &Link, entry: &JournalEntry) -> Result<bool, HostError> {
    if entry.is_untouched() {
        return Ok(false);
    }
    let ids = vm_ids(link);
    let ids = ids.map_err(|error| host_failure(link.host(), "listing the VMs", error))?;
    Ok(!ids.contains(&entry.vm))
}

fn vm_of_order(link: &Link, order: &WriterOrder) -> Result<Uuid, HostError> {
    Uuid::parse_str(&order.vm).map_err(|_| {
        let text = format!("{}: {:?} is no identity of a VM", link.host(), order.vm);
        HostError::new(HostErrorKind::NoSuchVm, text)
    })
}

/// Returns what the writer calls the VM. Its instance is another one after each start of its
/// service, and restores are told the writer alone. Contract: 5.2 [M]
fn component_of(link: &Link, record: &WriterRecord) -> Result<ComponentId, HostError> {
    let writer = Uuid::parse_str(&record.writer).ok();
    let Some(writer) = writer.filter(|id| *id == HYPERV_WRITER) else {
        let text = format!(
            "{}: the point is of another writer ({}) than Hyper-V's",
            link.host(),
            record.writer
        );
        return Err(HostError::new(HostErrorKind::Blocked, text).hint(HINT));
    };
    Ok(ComponentId {
        instance: Uuid::nil(),
        writer,
        kind: ComponentKind::FileGroup,
        logical_path: record.logical_path.clone(),
        name: record.component.clone(),
    })
}

fn set_of(files: &WriterFiles) -> FileSet {
    FileSet {
        path: files.folder.clone(),
        spec: files.spec.clone(),
        is_recursive: files.recursive,
    }
}

fn failure(link: &Link, doing: &str, error: VssError) -> HostError {
    vss_failure(link.host(), doing, error)
}
