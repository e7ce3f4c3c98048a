//! What writers tell of themselves, and where they are.

use uuid::{Uuid, uuid};
use vss::{
    Component, ComponentId, ComponentKind, FileSet, HYPERV_WRITER, VssError, VssErrorKind, VssStep,
    Writer, WriterState, WriterStatus,
};

use super::components::vm_files;
use super::failure::{NON_RETRYABLE, RETRYABLE, failure};
use super::method::Method;
use super::session::{Phase, Session, WriterProgress};
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::{TraceKind, WriterHealth};

/// The component of the host itself (contract 5.1).
pub(crate) const HOST_COMPONENT: &str = "Host Component";

/// Writers that every Windows has, by class and name, each with the component that it has.
const USUAL_WRITERS: [(Uuid, &str, &str); 6] = [
    (
        uuid!("e8132975-6f93-4464-a53e-1050253ae220"),
        "System Writer",
        "System Files",
    ),
    (
        uuid!("be000cbe-11fe-4426-9c58-531aa6355fc4"),
        "ASR Writer",
        "ASR",
    ),
    (
        uuid!("afbab4a2-367d-4d15-a586-71dbb18f8485"),
        "Registry Writer",
        "Registry",
    ),
    (
        uuid!("542da469-d3e1-473c-9f4f-7847f01fc64f"),
        "COM+ REGDB Writer",
        "COM+ REGDB",
    ),
    (
        uuid!("a6ad56c2-b509-4e6c-bb19-49d8f43532f0"),
        "WMI Writer",
        "WMI",
    ),
    (
        uuid!("4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f"),
        "Shadow Copy Optimization Writer",
        "",
    ),
];
/// `Cluster Shared Volume VSS Writer` (contract 5.1).
const CLUSTER_WRITER: Uuid = uuid!("1072ae1c-e5a7-4ea1-9e4a-6f7964656570");

impl HostState {
    /// `GatherWriterMetadata`: notes what the writer of Hyper-V offers, and tells it.
    pub(crate) fn gather_writers(&mut self, id: Uuid) -> Result<Vec<Writer>, VssError> {
        let step = VssStep::Writers;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Begun])?;
        let (with_writers, only) = (session.with_writers, session.only.clone());
        let writers = if with_writers {
            self.writers_of(&only)
        } else {
            Vec::new()
        };
        let profile = self.facts.profile;
        let vms = self.vms.values();
        let offered = vms.map(|vm| (vm.id, Method::of(profile, vm))).collect();
        let health = self.facts.behavior.writer;
        let session = self.session_mut(id, step)?;
        session.phase = Phase::Gathered;
        session.offered = offered;
        let failed = match health {
            WriterHealth::Stable | WriterHealth::Missing => None,
            WriterHealth::FailedRetryable => Some(RETRYABLE),
            WriterHealth::FailedFinal => Some(NON_RETRYABLE),
        };
        if let Some(code) = failed {
            let message = "an earlier backup failed".to_owned();
            let writer = &mut session.writer;
            writer.fail(WriterState::FailedAtFreeze, code, Some(message));
        }
        if with_writers {
            self.trace(None, TraceKind::Identify);
        }
        Ok(writers)
    }

    /// Lists the writers that there are, of certain classes where any are named.
    fn writers_of(&self, only: &[Uuid]) -> Vec<Writer> {
        let mut writers = Vec::new();
        if self.hyperv_writer_is_there() {
            writers.push(self.hyperv_writer());
        }
        for (id, name, component) in USUAL_WRITERS {
            let component = (!component.is_empty()).then(|| self.usual_component(id, component));
            writers.push(self.writer(id, name, component.into_iter().collect()));
        }
        if self.facts.cluster.is_some() || self.membership.is_some() {
            let name = "Cluster Shared Volume VSS Writer";
            writers.push(self.writer(CLUSTER_WRITER, name, Vec::new()));
        }
        writers.retain(|writer| only.is_empty() || only.contains(&writer.id));
        writers
    }

    fn writer(&self, id: Uuid, name: &str, components: Vec<Component>) -> Writer {
        Writer {
            instance: self.instance_of(id),
            id,
            name: name.to_owned(),
            components,
        }
    }

    /// Returns the instance of a writer: another one after each start of Windows.
    fn instance_of(&self, writer: Uuid) -> Uuid {
        let booted = self.facts.booted.as_millisecond().unsigned_abs();
        let mixed = u128::from(self.facts.seed ^ booted.rotate_left(20));
        Uuid::from_u128(writer.as_u128() ^ mixed)
    }

    fn hyperv_writer(&self) -> Writer {
        let german = self.facts.behavior.localized;
        let name = if german {
            "Microsoft Hyper-V VSS-Writer"
        } else {
            "Microsoft Hyper-V VSS Writer"
        };
        let profile = self.facts.profile;
        let mut components = vec![self.host_component()];
        components.extend(self.vms.values().map(|vm| Component {
            id: self.component_id(HYPERV_WRITER, &guid_text(vm.id)),
            caption: Method::of(profile, vm).caption(profile, &vm.name),
            is_selectable: true,
            files: vm_files(self, vm),
        }));
        self.writer(HYPERV_WRITER, name, components)
    }

    /// Makes the component of the host's own configuration. Contract: 5.1 [M]
    fn host_component(&self) -> Component {
        Component {
            id: self.component_id(HYPERV_WRITER, HOST_COMPONENT),
            caption: HOST_COMPONENT.to_owned(),
            is_selectable: true,
            files: vec![FileSet {
                path: r"C:\ProgramData\Microsoft\Windows\Hyper-V".to_owned(),
                spec: "InitialStore.xml".to_owned(),
                is_recursive: false,
            }],
        }
    }

    fn usual_component(&self, writer: Uuid, name: &str) -> Component {
        Component {
            id: self.component_id(writer, name),
            caption: name.to_owned(),
            is_selectable: false,
            files: vec![FileSet {
                path: r"C:\Windows\System32".to_owned(),
                spec: "*".to_owned(),
                is_recursive: true,
            }],
        }
    }

    pub(crate) fn component_id(&self, writer: Uuid, name: &str) -> ComponentId {
        ComponentId {
            instance: self.instance_of(writer),
            writer,
            kind: ComponentKind::FileGroup,
            logical_path: String::new(),
            name: name.to_owned(),
        }
    }

    /// `GatherWriterStatus`.
    pub(crate) fn writer_statuses(&self, id: Uuid) -> Result<Vec<WriterStatus>, VssError> {
        let step = VssStep::WriterStatuses;
        let session = self.session(id, step)?;
        if session.phase == Phase::Begun {
            return Err(super::session::bad_state(step));
        }
        if !session.with_writers {
            return Ok(Vec::new());
        }
        let writers = self.writers_of(&session.only);
        Ok(writers
            .into_iter()
            .map(|writer| status(session, writer))
            .collect())
    }

    /// Says where the writers are in a restore.
    pub(crate) fn statuses_of_restore(&self, id: Uuid) -> Result<Vec<WriterStatus>, VssError> {
        let restore = self.restore(id, VssStep::WriterStatuses)?;
        let writers = self.writers_of(&[]).into_iter();
        let mut statuses = Vec::new();
        for writer in writers {
            let is_hyperv = writer.id == HYPERV_WRITER;
            let progress = is_hyperv.then_some(&restore.writer);
            statuses.push(status_of(writer, WriterState::Stable, progress));
        }
        Ok(statuses)
    }

    /// Returns whether the writer of Hyper-V is registered: on servers, with its service.
    fn hyperv_writer_is_there(&self) -> bool {
        let behavior = &self.facts.behavior;
        let stopped = behavior
            .services
            .get("vmms")
            .is_some_and(|own| own != "Running");
        !behavior.is_client_edition && !stopped && behavior.writer != WriterHealth::Missing
    }

    /// Returns whether the writer of Hyper-V takes part.
    pub(crate) fn has_hyperv_writer(&self, session: &Session) -> bool {
        let takes_part = session.only.is_empty() || session.only.contains(&HYPERV_WRITER);
        takes_part && self.hyperv_writer_is_there()
    }

    /// Returns whether a writer that takes part has a component now.
    pub(crate) fn has_component(&self, session: &Session, writer: Uuid, name: &str) -> bool {
        let writers = self.writers_of(&session.only);
        let mut components = writers.iter().flat_map(|writer| &writer.components);
        components.any(|own| own.id.writer == writer && own.id.name == name)
    }
}

fn status(session: &Session, writer: Writer) -> WriterStatus {
    let state = match session.phase {
        Phase::Snapped => WriterState::WaitingForBackupComplete,
        _ => WriterState::Stable,
    };
    let progress = (writer.id == HYPERV_WRITER).then_some(&session.writer);
    status_of(writer, state, progress)
}

/// Makes the status of a writer that is in `state`, or as far as its progress says.
fn status_of(
    writer: Writer,
    state: WriterState,
    progress: Option<&WriterProgress>,
) -> WriterStatus {
    let mut status = WriterStatus {
        instance: writer.instance,
        id: writer.id,
        name: writer.name,
        state,
        failure: 0,
        message: None,
        failed_components: Vec::new(),
    };
    if let Some(progress) = progress {
        status.state = WriterState::of(progress.state);
        status.failure = progress.failure;
        status.message.clone_from(&progress.message);
        status
            .failed_components
            .clone_from(&progress.failed_components);
    }
    status
}

/// Makes the error for a component that no writer offered.
pub(crate) fn no_component(id: &ComponentId) -> VssError {
    failure(
        VssErrorKind::NotFound,
        VssStep::AddComponent,
        super::failure::OBJECT_NOT_FOUND,
        format!("no writer has a component '{}'", id.name),
    )
}
