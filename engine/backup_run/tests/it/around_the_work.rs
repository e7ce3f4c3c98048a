//! Commands before and after a run and its VMs.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_run::{
    BackupOptions, CommandLine, CommandOutcome, CommandPolicy, OnCommandFailure, Outcome, RunEvent,
    RunObserver, RunReport, back_up,
};
use folder_host::FolderHost;
use hyperv_host::{
    BackupRequest, FrozenVm, HostError, HypervHost, Inventory, PreviousBackup, SnapshotSets,
    StepObserver, VmEntry, VmPlan,
};

use crate::quiet::Quiet;
use crate::repository_in_folder::repository;

/// A host with the VMs `a` and `b`.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("host")).unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(format!("host/{name}.raw")), [7; 8192]).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns a command that writes down which one it was, and what it was told.
    fn noting(&self, name: &str, then: &str) -> Option<CommandLine> {
        let log = self.path().join("log");
        Some(CommandLine::Shell(format!(
            "echo {name} $LIFEBOAT_STAGE $LIFEBOAT_VM $LIFEBOAT_OUTCOME >> {:?}; {then}",
            log.display()
        )))
    }

    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn run(&self, commands: CommandPolicy, observer: &dyn RunObserver) -> RunReport {
        let repository = repository(&self.path().join("repository"));
        let host = FolderHost::open(&self.path().join("host")).unwrap();
        let vms = host.inventory().unwrap().vms;
        let options = BackupOptions {
            commands,
            vms_at_once: 1,
            ..BackupOptions::default()
        };
        back_up(&host, &repository, &vms, &options, observer).unwrap()
    }

    fn all(&self, before: &str, before_vm: &str, after_vm: &str, after: &str) -> CommandPolicy {
        CommandPolicy {
            before: self.noting("run", before),
            before_vm: self.noting("vm", before_vm),
            after_vm: self.noting("vm", after_vm),
            after: self.noting("run", after),
            ..CommandPolicy::default()
        }
    }
}

#[test]
fn commands_run_around_the_run_and_each_vm_and_hear_how_it_went() {
    let scene = Scene::new();
    let report = scene.run(
        scene.all("true", "true", "true", "echo $LIFEBOAT_RUN"),
        &Quiet,
    );
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    assert_eq!(
        scene.log(),
        [
            "run before",
            "vm before a",
            "vm after a success",
            "vm before b",
            "vm after b success",
            "run after success",
        ]
    );
    let outcomes: Vec<_> = report.commands.iter().map(|done| done.outcome).collect();
    assert_eq!(outcomes, [CommandOutcome::Success; 2]);
    assert_eq!(report.commands[1].output, report.run);
    let vm = &report.items[1].commands[0];
    assert_eq!(vm.vm.as_deref(), Some("b"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["items"][0]["commands"][1]["outcome"], "success");
    assert_eq!(json["items"][0]["commands"][1]["stage"], "after");
    assert_eq!(json["items"][0]["method"], "files");
}

#[test]
fn a_run_whose_command_fails_is_not_begun_and_the_one_after_it_puts_things_right() {
    let scene = Scene::new();
    let report = scene.run(scene.all("echo no; exit 3", "true", "true", "true"), &Quiet);
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(scene.log(), ["run before", "run after failed"]);
    assert!(
        report
            .items
            .iter()
            .all(|item| item.outcome == Outcome::Skipped)
    );
    let failure = report.failure.unwrap();
    assert!(
        failure.messages[0].ends_with("failed with exit code 3"),
        "{failure:?}"
    );
    assert_eq!(report.commands[0].exit_code, Some(3));
    assert_eq!(report.commands[0].output, "no");
}

#[test]
fn a_command_that_cannot_be_started_has_changed_nothing() {
    let scene = Scene::new();
    let mut commands = scene.all("true", "true", "true", "true");
    commands.before = Some(CommandLine::Program {
        program: "/nowhere/at all".to_owned(),
        arguments: Vec::new(),
    });
    let report = scene.run(commands, &Quiet);
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(scene.log().is_empty());
}

#[test]
fn the_person_may_want_the_work_all_the_same() {
    for (policy, outcome) in [
        (OnCommandFailure::Warn, Outcome::Warning),
        (OnCommandFailure::Ignore, Outcome::Success),
    ] {
        let scene = Scene::new();
        let mut commands = scene.all("exit 1", "exit 1", "true", "true");
        commands.on_before_failure = policy;
        let report = scene.run(commands, &Quiet);
        assert_eq!(report.outcome, outcome);
        assert!(report.items.iter().all(|item| item.point.is_some()));
        assert!(report.items.iter().all(|item| item.outcome == outcome));
        let last = format!("run after {}", outcome.name());
        assert_eq!(scene.log().last(), Some(&last));
    }
}

#[test]
fn a_vm_whose_command_fails_has_no_point_and_the_others_have() {
    let scene = Scene::new();
    let commands = scene.all("true", "test $LIFEBOAT_VM = b", "true", "true");
    let report = scene.run(commands, &Quiet);
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(
        report.items[0].failure.as_ref().unwrap().kind,
        "command-failed"
    );
    let log = scene.log();
    assert_eq!(log[2], "vm after a failed");
    assert_eq!(log[4], "vm after b success");
    assert_eq!(log[5], "run after partial");
}

#[test]
fn a_command_that_fails_after_the_work_is_a_warning() {
    let scene = Scene::new();
    let report = scene.run(scene.all("true", "true", "exit 2", "exit 2"), &Quiet);
    assert_eq!(report.outcome, Outcome::Warning);
    assert!(
        report
            .items
            .iter()
            .all(|item| item.outcome == Outcome::Warning)
    );
    assert!(report.items[0].warnings[0].contains("exit code 2"));
    let scene = Scene::new();
    let report = scene.run(scene.all("true", "true", "true", "exit 2"), &Quiet);
    assert_eq!(report.outcome, Outcome::Warning);
    assert!(
        report
            .items
            .iter()
            .all(|item| item.outcome == Outcome::Success)
    );
}

/// A person who stops as soon as something begins.
struct Stops {
    asked: AtomicBool,
    at: fn(&RunEvent<'_>) -> bool,
}

impl RunObserver for Stops {
    fn event(&self, event: RunEvent<'_>) {
        if (self.at)(&event) {
            self.asked.store(true, Ordering::SeqCst);
        }
    }
    fn cancelled(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn whoever_stops_a_run_still_gets_the_commands_after_it() {
    let scene = Scene::new();
    let stops = Stops {
        asked: AtomicBool::new(false),
        at: |event| matches!(event, RunEvent::VmStarted { .. }),
    };
    let report = scene.run(scene.all("true", "true", "true", "true"), &stops);
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:?}");
    let log = scene.log();
    assert_eq!(log[2], "vm after a cancelled");
    assert_eq!(log.last().unwrap(), "run after cancelled");

    // While the command before the run runs: it is ended, with what it has started.
    let scene = Scene::new();
    let stops = Stops {
        asked: AtomicBool::new(false),
        at: |event| matches!(event, RunEvent::CommandStarted { .. }),
    };
    let report = scene.run(scene.all("sleep 1000", "true", "true", "true"), &stops);
    assert_eq!(report.outcome, Outcome::Cancelled);
    assert_eq!(report.commands[0].outcome, CommandOutcome::Cancelled);
    assert_eq!(report.commands[1].outcome, CommandOutcome::Success);
    assert_eq!(scene.log().last().unwrap(), "run after cancelled");
}

/// A host that writes down what it hears of the run.
struct Hears {
    host: FolderHost,
    heard: Mutex<Vec<String>>,
}

impl HypervHost for Hears {
    fn name(&self) -> &str {
        self.host.name()
    }
    fn inventory(&self) -> Result<Inventory, HostError> {
        self.host.inventory()
    }
    fn plan(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError> {
        self.host.plan(vm, request, previous)
    }
    fn announce(&self, run: &[(&VmEntry, BackupRequest)]) {
        let mut heard = self.heard.lock().unwrap();
        heard.push(format!("announced {}", run.len()));
    }
    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        let alone = request.snapshot_sets == SnapshotSets::PerVm;
        let sets = if alone { "alone" } else { "shared" };
        let mut heard = self.heard.lock().unwrap();
        heard.push(format!("{} {sets}", vm.name));
        drop(heard);
        self.host.begin_backup(vm, request, previous, observer)
    }
}

#[test]
fn vms_with_commands_around_them_share_no_snapshots_and_the_end_of_a_run_is_told() {
    let heard = |commands: fn(&Scene) -> CommandPolicy| {
        let scene = Scene::new();
        let repository = repository(&scene.path().join("repository"));
        let host = Hears {
            host: FolderHost::open(&scene.path().join("host")).unwrap(),
            heard: Mutex::default(),
        };
        let options = BackupOptions {
            commands: commands(&scene),
            vms_at_once: 1,
            ..BackupOptions::default()
        };
        let vms = host.inventory().unwrap().vms;
        back_up(&host, &repository, &vms, &options, &Quiet).unwrap();
        host.heard.into_inner().unwrap()
    };
    let shared = ["announced 2", "a shared", "b shared", "announced 0"];
    let around_the_run = |scene: &Scene| CommandPolicy {
        before: scene.noting("run", "true"),
        after: scene.noting("run", "true"),
        ..CommandPolicy::default()
    };
    assert_eq!(heard(|_| CommandPolicy::default()), shared);
    assert_eq!(heard(around_the_run), shared);
    let alone = ["a alone", "b alone", "announced 0"];
    assert_eq!(
        heard(|scene| CommandPolicy {
            before_vm: scene.noting("vm", "true"),
            ..CommandPolicy::default()
        }),
        alone
    );
    assert_eq!(
        heard(|scene| CommandPolicy {
            after_vm: scene.noting("vm", "true"),
            ..CommandPolicy::default()
        }),
        alone
    );
}
