//! What a restore meets on its host, and what sort of restore that makes it.

use hyperv_host::{Identity, PowerState, TargetHost, TargetVm};
use repository::RestorePoint;

use super::plan::RestoreKind;
use super::request::{HostRestoreRequest, RestorePart, StartPolicy};
use super::session::RestoreSession;

/// What a restore meets.
pub(crate) struct Situation<'a> {
    pub(crate) kind: RestoreKind,
    /// The VM that is on the host.
    pub(crate) there: Option<&'a TargetVm>,
    /// That, or the one that a restore which died has taken from the host.
    pub(crate) old: Option<&'a TargetVm>,
    /// The session of the same restore, which died.
    pub(crate) session: Option<&'a RestoreSession>,
    /// The session of another restore of the VM, which died.
    pub(crate) other: Option<&'a RestoreSession>,
}

/// A request without what contradicts itself.
pub(crate) fn as_it_can_be(request: &HostRestoreRequest) -> HostRestoreRequest {
    let mut request = request.clone();
    if request.part != RestorePart::Vm {
        request.in_place = false;
        request.keep_old = false;
        request.as_new_vm = false;
    }
    if request.in_place && request.keep_old || request.as_new_vm {
        request.identity = Identity::New;
        request.in_place &= request.keep_old;
    } else if request.in_place {
        request.identity = Identity::Keep;
    }
    if request.checkpoint.is_some() {
        // What is kept of memory is of the latest state.
        request.keep_memory = Some(false);
    }
    // A part of the disks has no checkpoints, and a VM that is made anew has none.
    request.flatten |= request.disks.is_some()
        || request.checkpoint.is_some()
        || request.as_new_vm
        || matches!(request.part, RestorePart::Disks { .. });
    request
}

/// What a situation is told from.
struct Seen<'a> {
    point: &'a RestorePoint,
    target: &'a TargetHost,
    request: &'a HostRestoreRequest,
    session: Option<&'a RestoreSession>,
}

impl<'a> Situation<'a> {
    pub(crate) fn of(
        point: &'a RestorePoint,
        target: &'a TargetHost,
        request: &'a HostRestoreRequest,
        session: Option<&'a RestoreSession>,
        through_writer: bool,
    ) -> Self {
        let seen = Seen {
            point,
            target,
            request,
            session,
        };
        let there = seen.vm_in_question();
        // A restore that died may have taken the VM from the host: then its session knows it.
        let gone = session.filter(|session| session.leaving && there.is_none());
        let old = there.or_else(|| gone.and_then(|session| session.old.as_ref()));
        let kind = seen.kind(old.is_some());
        // Another restore's plans say nothing about this one.
        let is_same = |session: &RestoreSession| {
            let to = |vm: Option<&TargetVm>| vm.map(|vm| vm.identity.clone());
            session.point == point.id
                && session.checkpoint == request.checkpoint
                && (session.through_writer == through_writer || kind == RestoreKind::Finish)
                && (session.kind == kind || kind == RestoreKind::Finish)
                && (kind != RestoreKind::Disks || to(session.old.as_ref()) == to(there))
        };
        Self {
            kind,
            there,
            old,
            session: session.filter(|session| is_same(session)),
            other: session.filter(|session| !is_same(session)),
        }
    }

    /// Says whether the VM that has to be off for the restore ran before: now, or when a restore
    /// that died found it.
    pub(crate) fn ran(&self) -> bool {
        let must_be_off = matches!(
            self.kind,
            RestoreKind::InPlace
                | RestoreKind::Configuration
                | RestoreKind::Network
                | RestoreKind::Finish
        );
        let runs = self.there.is_some_and(|vm| vm.state == PowerState::Running);
        let had_run = self.session.is_some_and(|session| session.ran);
        must_be_off && (runs && self.kind != RestoreKind::Finish || had_run)
    }

    /// Says whether the VM that is there runs, or may write to its disks any time.
    pub(crate) fn runs_still(&self) -> bool {
        let is_at_rest = |vm: &TargetVm| matches!(vm.state, PowerState::Off | PowerState::Saved);
        self.there.is_some_and(|vm| !is_at_rest(vm))
    }

    /// Says whether the VM is started when all is done.
    pub(crate) fn starts(&self, request: &HostRestoreRequest) -> bool {
        match request.start {
            StartPolicy::AsBefore => self.ran(),
            StartPolicy::Start => self.kind != RestoreKind::Disks,
            StartPolicy::StayOff => false,
        }
    }
}

impl<'a> Seen<'a> {
    /// The VM that the restore meets: the one that disks are attached to, else that of the point.
    fn vm_in_question(&self) -> Option<&'a TargetVm> {
        let vms = &self.target.vms;
        let wanted = match &self.request.part {
            RestorePart::Disks { attach_to, .. } => attach_to,
            _ => &self.point.vm.identity,
        };
        let id = wanted.trim_matches(['{', '}']).to_lowercase();
        let by_id = vms.iter().find(|vm| vm.identity.to_lowercase() == id);
        let by_name = || {
            let mut named = vms.iter().filter(|vm| vm.name.to_lowercase() == id);
            named.next().filter(|_| named.next().is_none())
        };
        match &self.request.part {
            RestorePart::Disks { .. } => by_id.or_else(by_name),
            _ => by_id,
        }
    }

    fn kind(&self, has_old: bool) -> RestoreKind {
        match &self.request.part {
            RestorePart::Disks { .. } => return RestoreKind::Disks,
            RestorePart::Configuration => return RestoreKind::Configuration,
            RestorePart::Network => return RestoreKind::Network,
            RestorePart::Vm => {}
        }
        if self.is_made() {
            return RestoreKind::Finish;
        }
        // What a dead restore has renamed is there under its old identity.
        let request = self.request;
        match (request.in_place, request.keep_old, has_old) {
            (true, true, true) => RestoreKind::Beside,
            (true, false, true) => RestoreKind::InPlace,
            _ if request.as_new_vm => RestoreKind::FromConfiguration,
            _ => RestoreKind::NewVm,
        }
    }

    /// Says whether a restore of this point that died had come as far as to make the VM: it is the
    /// one that the session names, or it has the VM's identity or name and a file of the restore.
    fn is_made(&self) -> bool {
        let Some(session) = self.session.filter(|session| {
            session.point == self.point.id
                && session.checkpoint == self.request.checkpoint
                && session.kind.makes_a_vm()
        }) else {
            return false;
        };
        let name = self.request.name.as_deref();
        let name = name.unwrap_or(&self.point.vm.name);
        let is_called = |vm: &TargetVm| vm.identity == self.point.vm.identity || vm.name == name;
        let is_it = |vm: &TargetVm| {
            session.imported.as_deref() == Some(&*vm.identity)
                || session.swapped && vm.identity == self.point.vm.identity
        };
        let mut vms = self.target.vms.iter();
        vms.any(|vm| is_it(vm) || is_called(vm) && session.is_file_of(vm))
    }
}
