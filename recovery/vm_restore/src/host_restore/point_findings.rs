//! What the point tells before a restore to a host.

use hyperv_host::{Finding, Identity, Severity};
use repository::StreamRole;

use super::existing_disk::disk_at;
use super::findings::{Facts, finding};
use super::plan::RestoreKind;
use super::processors::{Likeness, likeness, processor_of};

impl Facts<'_> {
    pub(crate) fn of_point(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(self.memory());
        found.extend(self.other_host());
        found.extend(self.lost_as_new());
        found.extend(self.settings_of_checkpoint());
        found.extend(self.left_out());
        found.extend(self.boot_disk());
        found.extend(self.checkpoint_disks());
        found.extend(self.disks_that_stay());
        found.extend(self.domain_controller());
        found
    }

    fn memory(&self) -> Option<Finding> {
        let roles = [StreamRole::RuntimeState, StreamRole::CheckpointState];
        let mut files = self.point.files();
        let has_state = files.any(|file| roles.contains(&file.role));
        if !has_state || !self.makes_a_vm() || self.request.keep_memory != Some(true) {
            return None;
        }
        let cure =
            "restore without memory (leave `--memory` out): the VM starts as after a power cut";
        if self.kind == RestoreKind::FromConfiguration {
            let text = "a VM that is made anew cannot resume: memory is left out".to_owned();
            return Some(finding("POINT-MEMORY", Severity::Warn, text, cure));
        }
        let was = processor_of(self.point);
        let (was, is) = (was.as_deref(), self.target.processor.as_deref());
        let likeness = likeness(was, is);
        let (was, is) = (was.unwrap_or("not known"), is.unwrap_or("not known"));
        let (saved_on, computer) = (&self.point.host, &self.target.computer);
        let (id, severity, text) = match likeness {
            Likeness::Same => return None,
            Likeness::Unknown if self.same_host => return None,
            Likeness::Unknown => (
                "POINT-MEMORY",
                Severity::Warn,
                format!(
                    "the VM's memory is of {saved_on} (processor: {was}), and it resumes on a \
                     processor like that one's alone; {computer} has another, or not ({is})"
                ),
            ),
            Likeness::SameMaker => (
                "POINT-PROCESSOR",
                Severity::Warn,
                format!(
                    "the VM's memory was saved on a processor {was}, and {computer} has {is}: it \
                     resumes where the older has all that the guest had seen, or where the VM was \
                     set to be compatible with older processors"
                ),
            ),
            Likeness::OtherMaker => (
                "POINT-PROCESSOR",
                Severity::Block,
                format!(
                    "the VM's memory was saved on a processor {was}, and {computer} has {is}: no VM \
                     resumes on another maker's processor"
                ),
            ),
        };
        Some(finding(id, severity, text, cure))
    }

    /// What only shows on a host that the VM was not on.
    fn other_host(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if !self.makes_a_vm() {
            return found;
        }
        let loses = self.kind == RestoreKind::FromConfiguration;
        if !self.same_host && self.has_guest_state() && !loses {
            let text = "the point has the VM's guest state: if a virtual TPM is in it, it is sealed \
                        to keys of the host that it was taken from";
            let cure = "import the old host's \"Shielded VM Local Certificates\", and have \
                        BitLocker recovery keys at hand";
            found.push(finding("POINT-VTPM", Severity::Info, text.to_owned(), cure));
        }
        // To the guest its identity is part of the hardware.
        let is_another = !self.same_host || loses || self.request.identity == Identity::New;
        if is_another && self.guest.may_be_windows {
            let text = "the guest starts from a disk with an NTFS or BitLocker volume: if it is \
                        Windows, it sees other hardware and may ask to be activated again";
            let cure = "have the key at hand; guests of a Datacenter host activate by themselves";
            let id = "POINT-REACTIVATION";
            found.push(finding(id, Severity::Info, text.to_owned(), cure));
        }
        found
    }

    fn has_guest_state(&self) -> bool {
        let mut files = self.point.files();
        files.any(|file| file.role == StreamRole::GuestState)
    }

    /// What a definition has and the typed configuration does not say.
    fn lost_as_new(&self) -> Option<Finding> {
        let configuration = self.configuration?;
        if self.kind != RestoreKind::FromConfiguration {
            return None;
        }
        let mut lost = vec!["its identity, so it is another VM to its backups".to_owned()];
        if self.has_guest_state() || configuration.guest_state_file.is_some() {
            let text = "firmware variables, and the virtual TPM if it had one, so that BitLocker \
                        asks for its recovery key";
            lost.push(text.to_owned());
        }
        if configuration.generation == 2
            && configuration.secure_boot
            && configuration.secure_boot_template.is_none()
        {
            let text = "the template of Secure Boot, which the point does not tell: a guest other \
                        than Windows does not start until it is set";
            lost.push(text.to_owned());
        }
        if !configuration.checkpoints.is_empty() {
            lost.push("its checkpoints".to_owned());
        }
        lost.push("start and stop actions, boot order, DVD drives and other devices".to_owned());
        let text = format!(
            "a VM that is made anew does not get what the definition alone has: {}",
            lost.join("; ")
        );
        let cure = "have BitLocker recovery keys at hand; set a template with Set-VMFirmware \
                    -SecureBootTemplate; or restore to a host that runs the configuration version";
        Some(finding("POINT-AS-NEW-LOSES", Severity::Warn, text, cure))
    }

    /// Disks of a checkpoint with the settings of the latest state.
    fn settings_of_checkpoint(&self) -> Option<Finding> {
        let checkpoint = self.request.checkpoint.as_ref()?;
        let text = format!(
            "the disks come back as they were at the checkpoint {checkpoint:?}, and processors, \
             memory and adapters as the VM had them at last"
        );
        let cure = "compare them with what the checkpoint had, where that matters";
        let id = "POINT-CHECKPOINT-SETTINGS";
        Some(finding(id, Severity::Info, text, cure)).filter(|_| self.makes_a_vm())
    }

    fn domain_controller(&self) -> Option<Finding> {
        let applies = self.guest.may_be_windows && self.makes_a_vm();
        applies.then(|| {
            finding(
                "POINT-DOMAIN-CONTROLLER",
                Severity::Info,
                "the guest may be Windows, and the point does not tell what it serves as: only if \
                 it is a domain controller, it goes back in time. Windows Server 2012 and later see \
                 that by the VM's generation id and mend themselves, older ones do not"
                    .to_owned(),
                "where other domain controllers live, restore one only if it cannot be made anew; \
                 never start an older one from a restore with its network connected",
            )
        })
    }

    fn left_out(&self) -> Vec<Finding> {
        let left_out = self.point.left_out.iter().filter(|_| self.makes_a_vm());
        left_out
            .map(|disk| {
                let text = format!(
                    "the disk {} is not in the point ({}): the VM comes back without it",
                    disk.path, disk.reason
                );
                let cure = "have what is on it at hand from elsewhere";
                finding("POINT-LEFT-OUT", Severity::Warn, text, cure)
            })
            .collect()
    }

    fn boot_disk(&self) -> Option<Finding> {
        let chosen = self.request.disks.as_ref().filter(|_| self.makes_a_vm())?;
        let boot = &self.guest.boot;
        let is_missing = !boot.is_empty() && !boot.iter().any(|disk| chosen.contains(disk));
        if !is_missing || self.kind == RestoreKind::InPlace {
            return None;
        }
        let text = format!(
            "disk {} is not among those that come back, and the VM starts from it",
            boot.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        );
        let cure = "restore it as well, or attach the others to a VM that has its system";
        Some(finding("POINT-BOOT-DISK", Severity::Warn, text, cure))
    }

    /// Checkpoints that had disks which no backup has.
    fn checkpoint_disks(&self) -> Vec<Finding> {
        let Some(tree) = self.tree else {
            return Vec::new();
        };
        let left_out: Vec<_> = self
            .point
            .left_out
            .iter()
            .filter_map(|disk| disk.slot.clone())
            .collect();
        let images = |name: &str| self.point.images.iter().any(|image| image.name == name);
        let lacking = tree.checkpoints.iter().filter(|node| {
            !left_out.is_empty() || node.disks.iter().any(|disk| !images(&disk.image))
        });
        lacking
            .map(|node| {
                let text = format!(
                    "the checkpoint {:?} has disks that are not in the point: it comes back, and \
                     cannot be applied as it was",
                    node.name
                );
                let cure = "restore the latest state alone (`--flatten`), or do not apply it";
                finding("POINT-CHECKPOINT-DISKS", Severity::Warn, text, cure)
            })
            .collect()
    }

    /// Disks of the VM that gives way that the point knows nothing of.
    fn disks_that_stay(&self) -> Vec<Finding> {
        let Some(old) = self.old.filter(|_| self.kind == RestoreKind::InPlace) else {
            return Vec::new();
        };
        let known = |slot| {
            let mut disks = self.configuration.iter().flat_map(|known| &known.disks);
            disks.any(|disk| disk.slot == slot)
        };
        let stay = old.disks.iter().filter(|(slot, _)| !known(*slot));
        stay.filter(|(slot, _)| disk_at(old, Some(*slot)).is_some())
            .map(|(_, path)| {
                let text = format!(
                    "{path} came to the VM after the point: the file stays, and is no disk of the \
                     restored VM"
                );
                let cure = "attach it again, or remove it, once the VM is as it should be";
                finding("POINT-DISK-STAYS", Severity::Warn, text, cure)
            })
            .collect()
    }
}
