//! Where writers are.

use uuid::Uuid;
use windows_core::{BSTR, HRESULT};

use super::bindings::{IVssBackupComponentsEx3, VSS_ID};
use super::failed_components::failed_components;
use super::foreign_text::{check, failure, guid, of_bstr, uuid};
use super::requester::Requester;
use crate::{VssError, VssErrorKind, VssStep, WriterState, WriterStatus, meaning_of};

const STEP: VssStep = VssStep::WriterStatuses;

/// The most writers that are asked; a host has some dozens.
const WRITERS_MAX: u32 = 4096;

impl Requester {
    /// `GatherWriterStatus`, and what it gathers.
    pub(super) fn writer_statuses(&self) -> Result<Vec<WriterStatus>, VssError> {
        if !self.has_writers() {
            return Ok(Vec::new());
        }
        let vss = &self.components;
        // SAFETY: a plain call.
        let begun = unsafe { vss.GatherWriterStatus() };
        self.waiting().end_of(begun, STEP, "GatherWriterStatus")?;
        // SAFETY: a plain call.
        let count = unsafe { vss.GetWriterStatusCount() }
            .map_err(|error| failure(&error, STEP, "GetWriterStatusCount"))?;
        let later = self.later::<IVssBackupComponentsEx3>();
        let statuses = (0..count.min(WRITERS_MAX)).map(|at| {
            let raw = Answer::ask(self, later.as_ref(), at)?;
            Ok(raw.status(self))
        });
        let statuses = statuses.collect();
        // SAFETY: a plain call; nothing is read after it. It frees a cache.
        let _ = unsafe { vss.FreeWriterStatus() };
        statuses
    }
}

/// What `GetWriterStatusEx` answers.
struct Answer {
    instance: VSS_ID,
    id: VSS_ID,
    name: BSTR,
    state: i32,
    failure: HRESULT,
    application: HRESULT,
    message: BSTR,
}

impl Answer {
    /// Asks the interface of Windows 7 and later, and where there is none the first one, which
    /// knows no message.
    fn ask(
        vss: &Requester,
        later: Option<&IVssBackupComponentsEx3>,
        at: u32,
    ) -> Result<Self, VssError> {
        let mut answer = Self {
            instance: guid(Uuid::nil()),
            id: guid(Uuid::nil()),
            name: BSTR::new(),
            state: 0,
            failure: HRESULT(0),
            application: HRESULT(0),
            message: BSTR::new(),
        };
        // SAFETY: all places are for answers; the strings are ours afterwards.
        let (code, what) = unsafe {
            match later {
                Some(later) => (
                    later.GetWriterStatusEx(
                        at,
                        &raw mut answer.instance,
                        &raw mut answer.id,
                        &raw mut answer.name,
                        &raw mut answer.state,
                        &raw mut answer.failure,
                        Some(&raw mut answer.application),
                        Some(&raw mut answer.message),
                    ),
                    "GetWriterStatusEx",
                ),
                None => (
                    vss.components.GetWriterStatus(
                        at,
                        &raw mut answer.instance,
                        &raw mut answer.id,
                        &raw mut answer.name,
                        &raw mut answer.state,
                        &raw mut answer.failure,
                    ),
                    "GetWriterStatus",
                ),
            }
        };
        check(code, STEP, what)?;
        Ok(answer)
    }

    fn status(&self, vss: &Requester) -> WriterStatus {
        let failure = match self.failure.is_err() {
            true => self.failure.0.cast_unsigned(),
            false => 0,
        };
        let kind = meaning_of(failure).and_then(|meaning| meaning.kind);
        let failed_components = match kind {
            Some(VssErrorKind::Partial) => {
                failed_components(&vss.components, uuid(self.instance), uuid(self.id))
            }
            _ => Vec::new(),
        };
        let state = u32::try_from(self.state).unwrap_or_default();
        WriterStatus {
            instance: uuid(self.instance),
            id: uuid(self.id),
            name: of_bstr(&self.name),
            state: WriterState::of(state),
            failure,
            message: self.message(),
            failed_components,
        }
    }

    /// Returns the writer's own words, with its own number where that says more.
    fn message(&self) -> Option<String> {
        let text = of_bstr(&self.message);
        let own = self.application.0.cast_unsigned();
        match (text.is_empty(), self.application.is_err()) {
            (true, false) => None,
            (true, true) => Some(format!("0x{own:08X}")),
            (false, true) => Some(format!("{text} (0x{own:08X})")),
            (false, false) => Some(text),
        }
    }
}
