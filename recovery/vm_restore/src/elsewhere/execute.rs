//! Carries the plan out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use disk_image::CopyObserver;

use super::plan::{DomainFiles, ElsewherePlan};
use crate::error::Cause;
use crate::new_files::{make_folder, write_file};
use crate::vm_plan::NOTE_FILE;
use crate::{RestoreError, VmRestoreReport, open_disk};

impl ElsewherePlan {
    /// Makes the files of the plan. If one of them fails, those that were made are removed.
    pub fn execute(&self, observer: &dyn CopyObserver) -> Result<VmRestoreReport, RestoreError> {
        let mut report = VmRestoreReport {
            folder: self.folder.clone(),
            files: Vec::new(),
            size_bytes: 0,
            written_bytes: 0,
            notes: Vec::new(),
            lost_parents: Vec::new(),
        };
        let mut folders = Vec::new();
        let result = self.make_all(observer, &mut report, &mut folders);
        if let Err(error) = result {
            // Only what this restore made, and folders only while they are empty.
            for file in report.files.iter().rev() {
                drop(fs::remove_file(file));
            }
            for folder in folders.iter().rev() {
                drop(fs::remove_dir(folder));
            }
            return Err(match error {
                Failure::Restore(error) => error,
                Failure::Other(cause) => RestoreError::of_vm(&self.vm, &self.folder, cause),
            });
        }
        Ok(report)
    }

    fn make_all(
        &self,
        observer: &dyn CopyObserver,
        report: &mut VmRestoreReport,
        folders: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        make_folder(&self.folder, folders).map_err(Failure::of)?;
        for image in &self.disks {
            let disk = open_disk(&self.repository, &self.source, image.number, None)
                .map_err(Failure::Restore)?;
            let done = disk
                .restore(&image.path, self.format, observer)
                .map_err(Failure::Restore)?;
            report.size_bytes += image.size_bytes;
            report.written_bytes += done.copy.bytes_written;
            report.files.push(image.path.clone());
        }
        if let Some(files) = &self.domain {
            make_text(&files.xml, &files.domain.to_xml(), report)?;
            make_text(
                &files.script,
                &files.domain.to_script(&files.vars_name),
                report,
            )?;
            make_text(&files.note, &self.note(files), report)?;
        }
        // A plan is plain data, which always serialises.
        let plan = serde_json::to_string_pretty(self).unwrap_or_default();
        make_text(&self.folder.join(NOTE_FILE), &format!("{plan}\n"), report)
    }

    /// Says to people what to do with the files.
    fn note(&self, files: &DomainFiles) -> String {
        let name = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("'{name}'")
        };
        let mut text = format!(
            "{} from restore point {}, made ready for libvirt and QEMU by lifeboat.\n\n\
             With libvirt, in this folder:\n\n  \
             virsh define {}\n  virsh start '{}'\n\n\
             With QEMU alone, in this folder:\n\n  sh {}\n\n\
             The domain names this folder. If you move the disks, say so in the domain; the \
             script finds them beside itself.\n\
             The user that libvirt runs QEMU as must be able to read and write the disks.\n",
            self.vm,
            self.point,
            name(&files.xml),
            files.domain.name.replace('\'', "'\\''"),
            name(&files.script),
        );
        if !self.findings.is_empty() {
            text.push_str("\nWhat is not as it was on Hyper-V:\n");
        }
        for finding in &self.findings {
            // A string takes whatever is written to it.
            let _ = write!(text, "\n- {}: {}\n", finding.id, finding.text);
            if let Some(cure) = &finding.cure {
                let _ = writeln!(text, "  Do: {cure}");
            }
        }
        text
    }
}

enum Failure {
    Restore(RestoreError),
    Other(Cause),
}

impl Failure {
    fn of(cause: impl Into<Cause>) -> Self {
        Self::Other(cause.into())
    }
}

fn make_text(path: &Path, text: &str, report: &mut VmRestoreReport) -> Result<(), Failure> {
    report.written_bytes += write_file(path, text.as_bytes()).map_err(Failure::of)?;
    report.files.push(path.to_owned());
    Ok(())
}
