//! How a run looks while it goes on.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use backup_run::{RunEvent, RunObserver};
use hyperv_host::{BackupMethod, Stage};
use serde_json::json;

use super::items::{show_command, show_item};
use crate::interrupt;
use crate::ui::{Progress, Ui};

/// Shows how a run gets on.
pub(crate) struct RunView<'a> {
    ui: &'a Ui,
    progress: RwLock<Option<Progress>>,
}

impl<'a> RunView<'a> {
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            progress: RwLock::new(None),
        }
    }

    fn replace(&self, next: Option<Progress>) -> Option<Progress> {
        let mut progress = self
            .progress
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *progress, next)
    }
}

impl RunView<'_> {
    fn show_held(
        &self,
        vm: &str,
        method: BackupMethod,
        stages: &[Stage],
        interruption: Option<Duration>,
    ) {
        let named: Vec<_> = stages
            .iter()
            .map(|stage| json!({ "name": stage.name, "seconds": stage.duration.as_secs_f64() }))
            .collect();
        let seconds = interruption.map(|time| time.as_secs_f64());
        self.ui.record(
            "held",
            json!({ "vm": vm, "method": method.name(), "stages": named,
                    "interruption_seconds": seconds }),
        );
        if self.ui.is_verbose() {
            for stage in stages {
                let seconds = stage.duration.as_secs_f64();
                self.ui
                    .message(format!("{vm}: {} took {seconds:.1} s", stage.name));
            }
        }
    }
}

impl RunObserver for RunView<'_> {
    fn event(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::VmStarted {
                number,
                count,
                vm,
                size_bytes,
            } => {
                let turn = (number, count);
                let progress = self.ui.progress_of_turn("backup", vm, turn, size_bytes);
                self.replace(Some(progress));
            }
            RunEvent::Step { vm, text } => {
                self.ui.record("step", json!({ "vm": vm, "text": text }));
                if self.ui.is_verbose() {
                    self.ui.message(format!("{vm}: {text}"));
                }
            }
            RunEvent::Held {
                vm,
                method,
                stages,
                interruption,
            } => self.show_held(vm, method, stages, interruption),
            RunEvent::CommandStarted { stage, vm, command } => {
                let (stage, line) = (stage.name(), command);
                self.ui.record(
                    "command-started",
                    json!({ "stage": stage, "vm": vm, "command": line }),
                );
                let vm = vm.map_or_else(String::new, |vm| format!("{vm}: "));
                self.ui
                    .message(format!("{vm}running the {stage} command: {line}"));
            }
            RunEvent::CommandFinished(report) => show_command(self.ui, report),
            RunEvent::StreamStarted {
                vm,
                stream,
                size_bytes,
            } => self.ui.record(
                "stream",
                json!({ "vm": vm, "stream": stream, "size_bytes": size_bytes }),
            ),
            RunEvent::Progress {
                stream_bytes,
                stored_bytes,
            } => {
                let progress = self.progress.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(progress) = &*progress {
                    progress.advance(stream_bytes, stored_bytes);
                }
            }
            RunEvent::VmFinished(item) => {
                if let Some(progress) = self.replace(None)
                    && item.point.is_some()
                {
                    progress.finish();
                }
                show_item(self.ui, item);
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}
