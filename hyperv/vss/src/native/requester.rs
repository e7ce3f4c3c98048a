//! One `IVssBackupComponents`, on its thread.

use std::sync::Arc;

use uuid::Uuid;
use windows_core::{BSTR, GUID, Interface, PCWSTR};

use super::asynchronous::Waiting;
use super::bindings::{IVssBackupComponents, VSS_ID};
use super::foreign_text::{check, guid, wide};
use super::library::Library;
use super::requester_thread::Asking;
use crate::{
    BackupType, ComponentId, ComponentKind, RequestOptions, SnapshotKind, VssError, VssStep,
};

/// `VSS_CTX_BACKUP`
const CONTEXT_BACKUP: i32 = 0;
/// `VSS_CTX_FILE_SHARE_BACKUP`, which is `VSS_VOLSNAP_ATTR_NO_WRITERS`.
const CONTEXT_WITHOUT_WRITERS: i32 = 0x10;

/// The object of one backup. Lives on one thread; when it is dropped, the service removes what
/// snapshots are left.
pub(super) struct Requester {
    pub(super) components: IVssBackupComponents,
    pub(super) asking: Asking,
    pub(super) set: Option<Uuid>,
    /// In the order of the volumes.
    pub(super) snapshots: Vec<Uuid>,
    has_writers: bool,
    is_completed: bool,
    // After the objects that its code belongs to.
    pub(super) library: Arc<Library>,
}

impl Requester {
    /// Takes an object that writers are asked through, and that makes no backup.
    pub(super) fn of(
        components: IVssBackupComponents,
        library: &Arc<Library>,
        asking: Asking,
    ) -> Self {
        Self {
            components,
            asking,
            set: None,
            snapshots: Vec::new(),
            has_writers: true,
            is_completed: true,
            library: library.clone(),
        }
    }

    /// Makes an object that can be asked, and makes no backup.
    pub(super) fn bare(
        step: VssStep,
        library: &Arc<Library>,
        asking: Asking,
    ) -> Result<Self, VssError> {
        let requester = Self {
            has_writers: false,
            ..Self::of(library.create(step)?, library, asking)
        };
        // SAFETY: a plain call; a null document is that of a new backup.
        let code = unsafe { requester.components.InitializeForBackup(&BSTR::new()) };
        check(code, step, "InitializeForBackup")?;
        Ok(requester)
    }

    /// Makes an object and says what the backup is to be.
    ///
    /// `SetContext` comes before `SetBackupState`, as the documentation has it; both orders are
    /// known to work.
    ///
    /// Contract: 5.2
    pub(super) fn begin(
        library: &Arc<Library>,
        options: &RequestOptions,
        asking: Asking,
    ) -> Result<Self, VssError> {
        let step = VssStep::Begin;
        let mut requester = Self::bare(step, library, asking)?;
        let vss = &requester.components;
        let writers: Vec<GUID> = options.writers.iter().copied().map(guid).collect();
        let has_writers = options.kind == SnapshotKind::Backup;
        if let (true, Ok(count @ 1..)) = (has_writers, u32::try_from(writers.len())) {
            // SAFETY: the array has as many ids as the call is told.
            let code = unsafe { vss.EnableWriterClasses(writers.as_ptr(), count) };
            check(code, step, "EnableWriterClasses")?;
        }
        let context = match options.kind {
            SnapshotKind::Backup => CONTEXT_BACKUP,
            SnapshotKind::WithoutWriters => CONTEXT_WITHOUT_WRITERS,
        };
        // SAFETY: plain calls.
        let (context, state) = unsafe {
            let context = vss.SetContext(context);
            let kind = backup_type(options.backup_type);
            (context, vss.SetBackupState(true, false, kind, false))
        };
        check(context, step, "SetContext")?;
        check(state, step, "SetBackupState")?;
        requester.has_writers = has_writers;
        requester.is_completed = false;
        Ok(requester)
    }

    /// Returns what ends a wait.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        Waiting {
            is_cancelled: &self.asking.is_cancelled,
            limit: self.asking.limits.step,
            cancel_limit: self.asking.limits.cancel,
        }
    }

    /// `AddComponent`
    pub(super) fn add_component(&self, component: &ComponentId) -> Result<(), VssError> {
        let step = VssStep::AddComponent;
        let names = Names::of(component, step)?;
        // SAFETY: the texts end in a zero and outlive the call.
        let code = unsafe {
            self.components.AddComponent(
                names.instance,
                names.writer,
                names.kind,
                names.logical_path(),
                names.name(),
            )
        };
        check(code, step, &format!("AddComponent of {}", component.name))
    }

    /// `SetBackupSucceeded`
    pub(super) fn set_succeeded(
        &self,
        component: &ComponentId,
        succeeded: bool,
    ) -> Result<(), VssError> {
        let step = VssStep::SetSucceeded;
        let names = Names::of(component, step)?;
        // SAFETY: as in `add_component`.
        let code = unsafe {
            self.components.SetBackupSucceeded(
                names.instance,
                names.writer,
                names.kind,
                names.logical_path(),
                names.name(),
                succeeded,
            )
        };
        check(
            code,
            step,
            &format!("SetBackupSucceeded of {}", component.name),
        )
    }

    /// `PrepareForBackup`, which is for writers: without them there is nothing to prepare.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn prepare(&self) -> Result<(), VssError> {
        if !self.has_writers {
            return Ok(());
        }
        // SAFETY: a plain call.
        let begun = unsafe { self.components.PrepareForBackup() };
        self.waiting()
            .end_of(begun, VssStep::Prepare, "PrepareForBackup")
    }

    /// `SaveAsXML`
    pub(super) fn document(&self) -> Result<String, VssError> {
        let mut document = BSTR::new();
        // SAFETY: `document` is a place for a string, which is ours afterwards; nothing else looks
        // at it meanwhile. The metadata call an out parameter constant; it is written to.
        let code = unsafe { self.components.SaveAsXML((&raw mut document).cast_const()) };
        check(code, VssStep::Document, "SaveAsXML")?;
        Ok(super::foreign_text::of_bstr(&document))
    }

    /// `BackupComplete`, which is for writers as well.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn complete(&mut self) -> Result<(), VssError> {
        if self.has_writers {
            // SAFETY: a plain call.
            let begun = unsafe { self.components.BackupComplete() };
            self.waiting()
                .end_of(begun, VssStep::Complete, "BackupComplete")?;
        }
        self.is_completed = true;
        Ok(())
    }

    /// `AbortBackup`, and `DeleteSnapshots` of the set. What fails here goes with the object.
    pub(super) fn abort(&mut self) {
        if !self.is_completed {
            // SAFETY: a plain call.
            let _ = unsafe { self.components.AbortBackup() };
            self.is_completed = true;
        }
        if self.set.is_some() && !self.snapshots.is_empty() {
            let _ = self.delete_set(VssStep::DeleteSet);
        }
    }

    pub(super) fn has_writers(&self) -> bool {
        self.has_writers
    }

    /// Returns a later version of the interface, where this Windows has it.
    pub(super) fn later<T: Interface>(&self) -> Option<T> {
        self.components.cast().ok()
    }
}

/// A component as calls name it.
pub(super) struct Names {
    instance: VSS_ID,
    pub(super) writer: VSS_ID,
    pub(super) kind: i32,
    logical_path: Option<Vec<u16>>,
    name: Vec<u16>,
}

impl Names {
    pub(super) fn of(component: &ComponentId, step: VssStep) -> Result<Self, VssError> {
        Ok(Self {
            instance: guid(component.instance),
            writer: guid(component.writer),
            kind: component_type(component.kind),
            logical_path: logical_path(&component.logical_path, step)?,
            name: wide(&component.name, step)?,
        })
    }

    pub(super) fn logical_path(&self) -> PCWSTR {
        let path = self.logical_path.as_ref();
        path.map_or(PCWSTR::null(), |path| PCWSTR(path.as_ptr()))
    }

    pub(super) fn name(&self) -> PCWSTR {
        PCWSTR(self.name.as_ptr())
    }
}

/// A component without a logical path is named with a null pointer.
///
/// Contract: 5.2 [M]
fn logical_path(path: &str, step: VssStep) -> Result<Option<Vec<u16>>, VssError> {
    match path.is_empty() {
        true => Ok(None),
        false => wide(path, step).map(Some),
    }
}

/// `VSS_COMPONENT_TYPE`
fn component_type(kind: ComponentKind) -> i32 {
    match kind {
        ComponentKind::Database => 1,
        ComponentKind::FileGroup => 2,
    }
}

/// `VSS_BACKUP_TYPE`
fn backup_type(kind: BackupType) -> i32 {
    match kind {
        BackupType::Full => 1,
        BackupType::Copy => 5,
    }
}
