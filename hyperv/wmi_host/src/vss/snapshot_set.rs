//! A set of volume snapshots that VMs are read from, ended by the last of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use ::vss::{Component, HYPERV_WRITER, VssBackup};
use hyperv_host::{Finding, Severity, Stage, WriterFiles, WriterRecord};
use jiff::Timestamp;
use uuid::Uuid;

use super::attempt::Made;
use super::snapshot_view::SnapshotView;
use super::writer_verdict::{Step, Verdict, judge};

/// A set of volume snapshots that VMs are read from.
pub(super) struct SnapshotSet {
    /// The host's files as they are on the snapshots.
    pub(super) view: Arc<SnapshotView>,
    /// When the snapshots were made.
    pub(super) taken: Timestamp,
    /// What it took to make them.
    pub(super) stages: Vec<Stage>,
    /// What each VM is to the writer; none where no writer takes part.
    components: HashMap<Uuid, Component>,
    state: Mutex<State>,
}

struct State {
    /// `None` once it has ended.
    backup: Option<Box<dyn VssBackup>>,
    /// VMs whose runs have not ended.
    open: BTreeSet<Uuid>,
    /// VMs that the writer was told of that they are read, all of them.
    told: BTreeSet<Uuid>,
    /// A VM got its point.
    succeeded: bool,
}

impl SnapshotSet {
    /// Takes a set for VMs that will each end it for themselves.
    pub(super) fn of(made: Made, vms: impl IntoIterator<Item = Uuid>) -> Self {
        Self {
            view: Arc::new(made.view),
            taken: made.taken,
            stages: made.watch.stages().to_vec(),
            components: made.components,
            state: Mutex::new(State {
                backup: Some(made.backup),
                open: vms.into_iter().collect(),
                told: BTreeSet::new(),
                succeeded: false,
            }),
        }
    }

    /// Says that all of a VM is read, and returns what its writer needs to take it back; `None`
    /// where no writer takes part. Fails with the reason.
    pub(super) fn record(&self, vm: Uuid) -> Result<Option<WriterRecord>, String> {
        let Some(component) = self.components.get(&vm) else {
            return Ok(None);
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(backup) = &mut state.backup else {
            return Err("the backup has ended".to_owned());
        };
        // A document that does not say so is one of a backup that failed.
        let document = backup
            .set_succeeded(&component.id, true)
            .and_then(|()| backup.document())
            .map_err(|error| error.to_string())?;
        state.told.insert(vm);
        record_of(component, document).map(Some)
    }

    /// Ends it for a VM; with the last one it ends for good, and its snapshots go.
    pub(super) fn end(&self, vm: Uuid, succeeded: bool) -> Vec<Finding> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings = Vec::new();
        if !state.open.remove(&vm) {
            return findings;
        }
        state.succeeded |= succeeded;
        let is_told = succeeded && state.told.contains(&vm);
        if let Some(component) = self.components.get(&vm).filter(|_| !is_told)
            && let Some(backup) = &mut state.backup
            && let Err(error) = backup.set_succeeded(&component.id, succeeded)
        {
            findings.push(not_ended(&error.to_string()));
        }
        if state.open.is_empty()
            && let Some(backup) = state.backup.take()
        {
            findings.extend(self.finish(backup, state.succeeded));
        }
        findings
    }

    /// Tells the writer that the backup has ended, and removes the snapshots. Whatever fails, the
    /// snapshots go with the backup.
    fn finish(&self, mut backup: Box<dyn VssBackup>, succeeded: bool) -> Option<Finding> {
        if !succeeded {
            backup.abort();
            return None;
        }
        let never = || false;
        let completed = backup.complete(&never);
        let verdict = completed
            .and_then(|()| backup.writer_statuses(&never))
            .map(|statuses| {
                // Without writers there is none to judge.
                let own = statuses.iter().find(|own| own.id == HYPERV_WRITER);
                own.map_or(Verdict::Well, |status| judge(status, Step::End))
            });
        let problem = match verdict {
            Ok(Verdict::Well) => None,
            Ok(Verdict::Retry(text) | Verdict::Final(text)) => Some(text),
            Ok(Verdict::Components(failed)) => Some(format!(
                "the writer failed with {} of the VMs",
                failed.len()
            )),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            backup.abort();
            return Some(not_ended(&problem));
        }
        let problem = backup.delete_set().err()?;
        backup.abort();
        Some(not_ended(&problem.to_string()))
    }
}

impl Drop for SnapshotSet {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut backup) = state.backup.take() {
            backup.abort();
        }
    }
}

/// Makes what is kept of a component.
fn record_of(component: &Component, document: String) -> Result<WriterRecord, String> {
    if document.len() > WriterRecord::DOCUMENT_BYTES_MAX {
        return Err(format!(
            "its document has {} bytes, and at most {} are kept",
            document.len(),
            WriterRecord::DOCUMENT_BYTES_MAX
        ));
    }
    let files = component.files.iter().map(|files| WriterFiles {
        folder: files.path.trim_end_matches('\\').to_owned(),
        spec: files.spec.clone(),
        recursive: files.is_recursive,
    });
    let record = WriterRecord {
        version: WriterRecord::VERSION,
        writer: component.id.writer.to_string(),
        component: component.id.name.clone(),
        logical_path: component.id.logical_path.clone(),
        files: files.collect(),
        document,
    };
    // Plain data always serialises.
    let bytes = serde_json::to_vec(&record).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > WriterRecord::DOCUMENT_BYTES_MAX {
        return Err(format!(
            "what is kept for it has {bytes} bytes, and at most {} are kept",
            WriterRecord::DOCUMENT_BYTES_MAX
        ));
    }
    Ok(record)
}

fn not_ended(why: &str) -> Finding {
    let text = format!(
        "the backup through VSS did not come to its proper end: {why}; what was read is whole"
    );
    Finding::new("HOST-VSS-END", Severity::Warn, text).cure(
        "see `vssadmin list shadows` and `vssadmin list writers` on the host: no snapshot of this \
         run should be left, and the Hyper-V writer should be stable",
    )
}
