//! A plan as people read it.

use hyperv_host::{Identity, PowerState};

use super::plan::{
    Destroyed, DiskMethod, HostRestorePlan, PlannedDisk, PlannedStep, RestoreKind, RestoreMethod,
};

/// Says what is not there any more once the plan was carried out.
pub(crate) fn destroyed(plan: &HostRestorePlan) -> Vec<Destroyed> {
    let mut lost = Vec::new();
    if let Some(old) = &plan.old {
        match plan.kind {
            RestoreKind::InPlace => lost.push(Destroyed::Vm {
                name: old.name.clone(),
                identity: old.identity.clone(),
            }),
            RestoreKind::Configuration => {
                lost.push(Destroyed::Configuration {
                    name: old.name.clone(),
                });
            }
            _ => {}
        }
    }
    for disk in &plan.disks {
        if disk.gives_way() {
            let path = disk.path.clone();
            lost.push(Destroyed::Content { path });
        }
    }
    let definitions = plan.writer.iter().flat_map(|writer| &writer.gives_way);
    let definitions = definitions.cloned();
    lost.extend(definitions.map(|path| Destroyed::Content { path }));
    let files = plan.remove.iter().cloned();
    lost.extend(files.map(|path| Destroyed::File { path }));
    lost
}

/// Says what is done, in order.
pub(crate) fn steps(plan: &HostRestorePlan) -> Vec<PlannedStep> {
    let mut steps = Steps(Vec::new());
    if plan.kind == RestoreKind::Finish {
        steps.add(
            "finish",
            "put in order what a restore that died has left; its VM is there",
        );
        steps.start(plan);
        steps.removals(plan);
        return steps.0;
    }
    if plan.resumes {
        steps.add("go-on", "go on with what a restore that died has begun");
    }
    match plan.kind {
        RestoreKind::Network => steps.network(plan),
        RestoreKind::Disks => steps.attached(plan),
        _ if plan.method == RestoreMethod::Writer => steps.through_writer(plan),
        _ => steps.whole(plan),
    }
    steps.0
}

struct Steps(Vec<PlannedStep>);

impl Steps {
    fn add(&mut self, name: &'static str, text: impl Into<String>) {
        self.0.push(PlannedStep {
            name,
            text: text.into(),
        });
    }

    fn whole(&mut self, plan: &HostRestorePlan) {
        let old = plan.old.as_ref().map_or("", |old| &*old.name);
        for disk in plan.disks.iter().filter(|disk| disk.is_new()) {
            self.add("disk", text_of(disk));
        }
        let gives_way = matches!(plan.kind, RestoreKind::InPlace | RestoreKind::Configuration);
        if plan.kind != RestoreKind::FromConfiguration {
            let folder = &plan.configuration_folder;
            self.add(
                "definition",
                format!("put its definition files into a folder of the restore below {folder}"),
            );
        }
        if plan.kind == RestoreKind::Beside {
            let name = plan.old_name.as_deref().unwrap_or_default();
            self.add("rename", format!("give {old:?} the name {name:?}"));
        }
        if gives_way && plan.old_is_there {
            self.stop(plan);
            self.add(
                "keep",
                format!("keep a copy of the definition of {old:?} until it is done"),
            );
            self.add("unregister", format!("take {old:?} from {}", plan.host));
        }
        for disk in plan.disks.iter().filter(|disk| disk.is_overwritten()) {
            self.add("disk", text_of(disk));
        }
        let identity = match plan.identity {
            _ if plan.kind == RestoreKind::FromConfiguration => "of the same settings",
            Identity::Keep => "with its identity",
            Identity::New => "with a new identity",
        };
        let (name, host) = (&plan.name, &plan.host);
        self.add(
            "import",
            format!("make the VM {name:?} {identity} on {host}"),
        );
        self.start(plan);
        self.removals(plan);
    }

    fn through_writer(&mut self, plan: &HostRestorePlan) {
        let old = plan.old.as_ref().filter(|_| plan.old_is_there);
        let (name, host) = (&plan.name, &plan.host);
        for disk in &plan.disks {
            self.add("disk", text_of(disk));
        }
        let folder = &plan.configuration_folder;
        self.add(
            "definition",
            format!("put its definition files into a folder of the restore below {folder}"),
        );
        if let Some(old) = old {
            self.stop(plan);
            let old = &old.name;
            self.add(
                "keep",
                format!("keep a copy of the definition of {old:?} until it is done"),
            );
            self.add(
                "pre-restore",
                format!("let the VSS writer of {host} take {old:?} away (PreRestore)"),
            );
        } else {
            self.add(
                "pre-restore",
                format!("tell the VSS writer of {host} what comes back (PreRestore)"),
            );
        }
        let beside = plan.disks.iter().filter_map(|disk| disk.beside.as_ref());
        let what = match beside.count() {
            0 => "put the definition files in their places".to_owned(),
            count => format!(
                "put the definition files and {count} of the disks in their places; what is there \
                 is kept until the VM is back"
            ),
        };
        self.add("place", what);
        self.add(
            "post-restore",
            format!("let the VSS writer of {host} register the VM {name:?} (PostRestore)"),
        );
        self.add(
            "check",
            format!("see that {name:?} is there, off, with its disks"),
        );
        self.start(plan);
        self.removals(plan);
    }

    fn stop(&mut self, plan: &HostRestorePlan) {
        let Some(old) = &plan.old else { return };
        if matches!(old.state, PowerState::Off | PowerState::Saved) || !plan.old_is_there {
            return;
        }
        let how = match old.is_clustered {
            true => ", and its role of the cluster offline",
            false => "",
        };
        self.add("stop", format!("turn {:?} off{how}", old.name));
    }

    fn start(&mut self, plan: &HostRestorePlan) {
        if !plan.starts {
            return;
        }
        let old = plan.old.as_ref();
        let how = match old.is_some_and(|old| old.is_clustered) {
            true => ", and its role of the cluster online",
            false => "",
        };
        let name = match (plan.kind, old) {
            // It keeps the name that it has now.
            (RestoreKind::Network, Some(old)) => &old.name,
            _ => &plan.name,
        };
        let why = if plan.ran { ", as it ran before" } else { "" };
        self.add("start", format!("start {name:?}{how}{why}"));
    }

    fn removals(&mut self, plan: &HostRestorePlan) {
        for path in &plan.remove {
            self.add("remove", format!("remove {path}"));
        }
    }

    fn network(&mut self, plan: &HostRestorePlan) {
        self.stop(plan);
        for adapter in &plan.adapters {
            let switch = adapter.switch.as_deref().unwrap_or("no switch");
            let name = &adapter.name;
            self.add(
                "adapter",
                format!("connect the adapter {name:?} to {switch}"),
            );
        }
        self.start(plan);
    }

    fn attached(&mut self, plan: &HostRestorePlan) {
        let vm = plan.old.as_ref().map_or("", |old| &*old.name);
        for disk in &plan.disks {
            self.add("disk", text_of(disk));
        }
        for disk in &plan.disks {
            self.add("attach", format!("attach {} to {vm:?}", disk.path));
        }
    }
}

fn text_of(disk: &PlannedDisk) -> String {
    let PlannedDisk {
        number,
        path,
        write_bytes,
        ..
    } = disk;
    let path = disk.beside.as_ref().unwrap_or(path);
    match disk.method {
        DiskMethod::NewFile => {
            format!("write disk {number} to {path}, at most {write_bytes} bytes")
        }
        DiskMethod::Image => format!("write the image {path}, at most {write_bytes} bytes"),
        DiskMethod::ChangedRanges { ranges } => format!(
            "write over {path} where it changed since the point: {write_bytes} bytes in {ranges} \
             ranges"
        ),
        DiskMethod::Compared => format!(
            "read {path} once and write over it where it differs, at most {write_bytes} bytes"
        ),
        DiskMethod::Kept => format!("leave {path} as it is"),
    }
}

impl PlannedDisk {
    /// The file that is made: the disk's own, or the one beside it.
    pub(crate) fn made_as(&self) -> &str {
        self.beside.as_deref().unwrap_or(&self.path)
    }

    /// It is a file that the restore makes.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.method, DiskMethod::NewFile | DiskMethod::Image)
    }

    /// A file that is there is no more afterwards, or holds something else.
    pub(crate) fn gives_way(&self) -> bool {
        self.is_overwritten() || self.beside.is_some()
    }

    /// It is a file that is there and is written over.
    pub(crate) fn is_overwritten(&self) -> bool {
        matches!(
            self.method,
            DiskMethod::ChangedRanges { .. } | DiskMethod::Compared
        )
    }
}
