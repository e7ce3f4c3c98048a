//! A VM is made: files of disks, definition files, import.

use std::path::PathBuf;
use std::time::Instant;

use block_io::DiskError;
use disk_image::CopyObserver;
use hyperv_host::{CheckpointTree, ImportOrder, NewVmOrder, PlacedDisk, RestoredVm};

use super::disk_source::DiskContent;
use super::execution::Execution;
use super::host_path::join;
use super::plan::{PlannedDisk, RestoreKind};
use super::report::DiskReport;
use super::staging::{StagedDefinition, stage};
use crate::error::Cause;
use crate::image_names::ImageNames;
use crate::new_files::make_folder;
use crate::vm_restore::lost_parents;

impl Execution<'_> {
    /// Makes the files that are new. What a restore that died has finished is not made again.
    pub(crate) fn make_disks(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        let disks = plan.disks.iter().filter(|disk| disk.is_new());
        for disk in disks {
            self.step(&format!("writing {}", disk.made_as()))?;
            let local = self.host.local_path(disk.made_as())?;
            let mut made = Vec::new();
            let folder = local.parent().unwrap_or(&local);
            make_folder(folder, &mut made)?;
            if !made.is_empty() {
                self.file.note(|session| session.folders.extend(made))?;
            }
            let mut report = report_of(disk);
            let is_made = self.file.session.made.contains(disk.made_as());
            let is_done = is_made && local.symlink_metadata().is_ok();
            if is_done {
                CopyObserver::advanced(&self.heard, disk.size_bytes);
            } else {
                let anew = plan.kind == RestoreKind::Disks;
                let content: DiskContent = disk.content;
                let source = (&plan.source, plan.checkpoint.as_deref());
                let begun = Instant::now();
                let copy = content.write(&plan.repository, source, &local, anew, &self.heard)?;
                self.new_files.0 += copy.bytes_written;
                self.new_files.1 += begun.elapsed();
                report.read_bytes = copy.bytes_read;
                report.written_bytes = copy.bytes_written;
                let path = disk.made_as().to_owned();
                self.file.note(|session| {
                    session.made.insert(path);
                })?;
            }
            self.add(report);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, report: DiskReport) {
        self.report.compared_bytes += report.compared_bytes;
        self.report.written_bytes += report.written_bytes;
        self.report.disks.push(report);
    }

    pub(crate) fn make_vm(&mut self) -> Result<(), Cause> {
        let plan = self.plan;
        self.make_disks()?;
        let staged = match plan.kind {
            RestoreKind::FromConfiguration => None,
            _ => {
                self.step("putting the definition files in place")?;
                let folder = self.point_folder()?;
                let (repository, point) = (&plan.repository, &plan.source);
                Some(stage(
                    repository,
                    point,
                    self.host,
                    &folder,
                    plan.tree.is_some(),
                )?)
            }
        };
        if let (RestoreKind::Beside, Some(old), Some(name)) = (plan.kind, &plan.old, &plan.old_name)
        {
            self.step("setting the old VM aside")?;
            self.renamed = true;
            self.host.rename(&old.identity, name)?;
        }
        if let (RestoreKind::InPlace | RestoreKind::Configuration, Some(old)) =
            (plan.kind, &plan.old)
        {
            self.take_away(old, None)?;
            self.write_over(old)?;
        }
        self.step("making the VM")?;
        let made = self.import(staged)?;
        self.note_made(made);
        Ok(())
    }

    /// The VM is there: from here on nothing is given back, and what went wrong is told.
    pub(crate) fn note_made(&mut self, made: RestoredVm) {
        self.report.identity.clone_from(&made.identity);
        self.report.name.clone_from(&made.name);
        self.report.findings.extend(made.findings);
        let noted = self
            .file
            .note(|session| session.imported = Some(made.identity));
        if let Err(error) = noted {
            self.report.notes.push(error.to_string());
        }
        if let Some(tree) = &self.plan.tree {
            self.look_at_parents(tree);
        }
    }

    pub(crate) fn point_folder(&self) -> Result<String, DiskError> {
        join(&self.file.session.staging, "point")
    }

    fn import(&self, staged: Option<StagedDefinition>) -> Result<RestoredVm, Cause> {
        let plan = self.plan;
        let disks = self.placed();
        let Some(staged) = staged else {
            let configuration = plan.configuration.clone();
            let order = NewVmOrder {
                configuration: configuration
                    .ok_or("the point does not say what the VM is made of")?,
                name: plan.name.clone(),
                configuration_folder: plan.configuration_folder.clone(),
                disks,
                adapters: plan.adapters.clone(),
                run: plan.run.clone(),
            };
            return Ok(self.host.create(&order, &self.heard)?);
        };
        let order = ImportOrder {
            definition: staged.definition,
            checkpoint_folder: staged.checkpoint_folder,
            identity: plan.identity,
            name: Some(plan.name.clone()),
            configuration_folder: plan.configuration_folder.clone(),
            disks,
            adapters: plan.adapters.clone(),
            keep_memory: plan.keep_memory,
            run: plan.run.clone(),
        };
        Ok(self.host.import(&order, &self.heard)?)
    }

    /// Says which disk is where, in the VM and in its checkpoints.
    fn placed(&self) -> Vec<PlacedDisk> {
        let plan = self.plan;
        let of_vm = plan.disks.iter().filter_map(|disk| {
            Some(PlacedDisk {
                checkpoint: None,
                slot: disk.slot?,
                path: disk.path.clone(),
            })
        });
        let mut placed: Vec<PlacedDisk> = of_vm.collect();
        let nodes = plan.tree.iter().flat_map(|tree| &tree.checkpoints);
        for node in nodes {
            for disk in &node.disks {
                let at = plan
                    .source
                    .images
                    .iter()
                    .position(|image| image.name == disk.image);
                let content = at.map(DiskContent::Image);
                let mut disks = plan.disks.iter();
                let file = disks.find(|file| Some(file.content) == content);
                if let (Some(file), Some(slot)) = (file, disk.slot) {
                    placed.push(PlacedDisk {
                        checkpoint: Some(node.id.clone()),
                        slot,
                        path: file.path.clone(),
                    });
                }
            }
        }
        placed
    }

    /// Says which images do not find their parents in their new place.
    pub(crate) fn look_at_parents(&mut self, tree: &CheckpointTree) {
        let names = ImageNames::of(&self.plan.source);
        let mut disks = self.plan.disks.iter();
        let root = disks.find_map(|disk| {
            let DiskContent::Image(at) = disk.content else {
                return None;
            };
            let name = names.get(&self.plan.source.images.get(at)?.name);
            let depth = name.split('/').count();
            let local: PathBuf = self.host.local_path(&disk.path).ok()?;
            local.ancestors().nth(depth).map(PathBuf::from)
        });
        if let Some(root) = root {
            self.report
                .notes
                .extend(lost_parents(&root, &names.renamed(tree)));
        }
    }
}

pub(crate) fn report_of(disk: &PlannedDisk) -> DiskReport {
    DiskReport {
        number: disk.number,
        path: disk.path.clone(),
        method: disk.method,
        size_bytes: disk.size_bytes,
        compared_bytes: 0,
        read_bytes: 0,
        written_bytes: 0,
    }
}
