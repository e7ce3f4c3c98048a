//! The calls of a restore, on the thread of its object.

use std::sync::Arc;

use windows_core::{BSTR, PCWSTR};

use super::foreign_text::{check, wide};
use super::library::Library;
use super::requester::{Names, Requester};
use super::requester_thread::Asking;
use crate::{ComponentId, FileSet, VssError, VssStep};

/// `VSS_RS_ALL`
const ALL: i32 = 2;
/// `VSS_RS_FAILED`
const FAILED: i32 = 3;

impl Requester {
    /// `InitializeForRestore` and `GatherWriterMetadata`, which writers are asked for before they can
    /// be told anything. Neither a restore state nor restore options are set: writers take a restore
    /// that says nothing for one of everything, to where it was.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn begin_restore(
        library: &Arc<Library>,
        document: &str,
        asking: Asking,
    ) -> Result<Self, VssError> {
        let step = VssStep::BeginRestore;
        let requester = Self::of(library.create(step)?, library, asking);
        let document = BSTR::from(document);
        // SAFETY: the text is read during the call, and stays ours.
        let code = unsafe { requester.components.InitializeForRestore(&document) };
        check(code, step, "InitializeForRestore")?;
        // SAFETY: a plain call.
        let begun = unsafe { requester.components.GatherWriterMetadata() };
        requester
            .waiting()
            .end_of(begun, step, "GatherWriterMetadata")?;
        Ok(requester)
    }

    /// `SetSelectedForRestore`
    pub(super) fn select(&self, component: &ComponentId) -> Result<(), VssError> {
        let step = VssStep::Select;
        let names = Names::of(component, step)?;
        // SAFETY: the texts end in a zero and outlive the call.
        let code = unsafe {
            self.components.SetSelectedForRestore(
                names.writer,
                names.kind,
                names.logical_path(),
                names.name(),
                true,
            )
        };
        let what = format!("SetSelectedForRestore of {}", component.name);
        check(code, step, &what)
    }

    /// `AddNewTarget`
    pub(super) fn add_new_target(
        &self,
        component: &ComponentId,
        files: &FileSet,
        folder: &str,
    ) -> Result<(), VssError> {
        let step = VssStep::AddNewTarget;
        let names = Names::of(component, step)?;
        let (path, spec) = (wide(&files.path, step)?, wide(&files.spec, step)?);
        let folder = wide(folder, step)?;
        // SAFETY: as in `select`.
        let code = unsafe {
            self.components.AddNewTarget(
                names.writer,
                names.kind,
                names.logical_path(),
                names.name(),
                PCWSTR(path.as_ptr()),
                PCWSTR(spec.as_ptr()),
                files.is_recursive,
                PCWSTR(folder.as_ptr()),
            )
        };
        check(code, step, &format!("AddNewTarget of {}", component.name))
    }

    /// `PreRestore`
    pub(super) fn pre_restore(&self) -> Result<(), VssError> {
        // SAFETY: a plain call.
        let begun = unsafe { self.components.PreRestore() };
        self.waiting()
            .end_of(begun, VssStep::PreRestore, "PreRestore")
    }

    /// `SetFileRestoreStatus`
    pub(super) fn set_restored(&self, component: &ComponentId, all: bool) -> Result<(), VssError> {
        let step = VssStep::SetRestored;
        let names = Names::of(component, step)?;
        let status = if all { ALL } else { FAILED };
        // SAFETY: as in `select`.
        let code = unsafe {
            self.components.SetFileRestoreStatus(
                names.writer,
                names.kind,
                names.logical_path(),
                names.name(),
                status,
            )
        };
        let what = format!("SetFileRestoreStatus of {}", component.name);
        check(code, step, &what)
    }

    /// `PostRestore`
    pub(super) fn post_restore(&self) -> Result<(), VssError> {
        // SAFETY: a plain call.
        let begun = unsafe { self.components.PostRestore() };
        self.waiting()
            .end_of(begun, VssStep::PostRestore, "PostRestore")
    }
}
