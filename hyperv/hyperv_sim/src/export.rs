//! Exporting (contract 2.4).

use disk_image::ImageFormat;
use uuid::Uuid;

use crate::drive::file_name;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{JobKind, SimError, SimErrorKind};

impl HostState {
    /// `ExportSystemDefinition`: writes the configuration, and `with_disks` the flattened disks, of
    /// a checkpoint or of the VM to a folder of the host; returns the job.
    pub(crate) fn export(
        &mut self,
        vm: Uuid,
        snapshot: Option<Uuid>,
        folder: &str,
        with_disks: bool,
    ) -> Result<Uuid, SimError> {
        let owner = self.vm(vm)?;
        self.check_free(owner, false)?;
        self.local_path(folder)?;
        let work = JobWork::Export {
            snapshot,
            folder: folder.trim_end_matches('\\').to_owned(),
            with_disks,
        };
        self.start_job(vm, JobKind::Export, work)
    }

    /// Does what `ExportSystemDefinition` is for. Without disks the VM's merges are held back from
    /// then on, as the field bug has it (contract 2.4).
    pub(crate) fn write_export(
        &mut self,
        vm: Uuid,
        snapshot: Option<Uuid>,
        folder: &str,
        with_disks: bool,
    ) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        let frozen = match snapshot {
            None => None,
            Some(id) => Some(owner.snapshot(id).ok_or_else(|| {
                SimError::new(
                    SimErrorKind::NotFound,
                    format!("there is no checkpoint {id}"),
                )
            })?),
        };
        let disks = frozen.map(|snapshot| snapshot.disks.as_slice());
        let configuration = owner.configuration(disks);
        let has_memory = frozen.is_some_and(|snapshot| snapshot.has_memory);
        let stem = format!("{folder}\\Virtual Machines\\{}", guid_text(vm));
        self.write_files(&stem, owner, &configuration, None, has_memory)?;
        if !with_disks {
            self.vm_mut(vm)?.merges_enabled = false;
            return Ok(());
        }
        let disks = configuration.disks.iter().filter(|disk| !disk.pass_through);
        for disk in disks {
            let base = file_name(owner.base_of(&disk.path));
            let target = format!("{folder}\\Virtual Hard Disks\\{base}");
            self.flatten(&disk.path, &target)?;
        }
        Ok(())
    }

    fn flatten(&self, source: &str, target: &str) -> Result<(), SimError> {
        let target = self.local_path(target)?;
        if let Some(folder) = target.parent() {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|error| SimError::io(folder.display(), error))?;
        }
        let options = self.open_options()?;
        let format = ImageFormat::from_extension(&target).unwrap_or(ImageFormat::Vhdx);
        disk_image::convert(&self.local_path(source)?, &options, &target, format, &(), 1)?;
        Ok(())
    }
}
