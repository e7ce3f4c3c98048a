//! What is known while volumes are put together.

use std::collections::BTreeSet;
use std::sync::Arc;

use block_io::BlockDevice;

use crate::guest_volume::{GuestVolume, Open, Origin, WindowsId};
use crate::ldm::LdmDisk;
use crate::lvm::PhysicalVolume;
use crate::md::Superblock;
use crate::partition_table::PartitionTable;
use crate::reader::Reader;
use crate::{Content, Obstacle, ObstacleKind, Role, ldm, lvm, md, signature, superblock};

/// Most volumes of a VM.
const VOLUMES_MAX: usize = 1024;

/// Volumes, and what they may be parts of.
pub(crate) struct Search<'a> {
    open: &'a mut Open<'a>,
    found: Vec<Found>,
    names: BTreeSet<String>,
    numbers: u32,
    ldm_disks: Vec<LdmDisk>,
}

/// A volume, and what its metadata says that it is a part of.
pub(crate) struct Found {
    pub(crate) volume: GuestVolume,
    /// A member of an array.
    pub(crate) md: Option<Superblock>,
    /// A physical volume.
    pub(crate) physical: Option<PhysicalVolume>,
    /// Whether somebody has asked for it already.
    pub(crate) taken: bool,
}

/// A volume before anybody has looked into it. Without a name it gets the next number.
pub(crate) struct Made {
    pub(crate) origin: Origin,
    pub(crate) role: Role,
    pub(crate) windows_id: Option<WindowsId>,
    /// `None`: it gets the next number.
    pub(crate) name: Option<String>,
}

impl Made {
    pub(crate) fn new(origin: Origin) -> Self {
        Self {
            origin,
            role: Role::Data,
            windows_id: None,
            name: None,
        }
    }

    /// Gives it a name, from which is taken what no path may have.
    pub(crate) fn named(self, name: String) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }
}

impl<'a> Search<'a> {
    pub(crate) fn new(open: &'a mut Open<'a>) -> Self {
        Self {
            open,
            found: Vec::new(),
            names: BTreeSet::new(),
            numbers: 0,
            ldm_disks: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn found_mut(&mut self) -> &mut [Found] {
        &mut self.found
    }

    pub(crate) fn ldm_disks(&self) -> &[LdmDisk] {
        &self.ldm_disks
    }

    /// Remembers a disk that Windows has made dynamic.
    pub(crate) fn add_ldm_disk(
        &mut self,
        number: usize,
        disk: &Arc<dyn BlockDevice>,
        table: &PartitionTable,
    ) {
        self.ldm_disks.extend(ldm::ldm_disk(number, disk, table));
    }

    /// Looks into a volume and adds it; says whether anything is known of it.
    pub(crate) fn add(&mut self, made: Made, device: &Arc<dyn BlockDevice>) -> bool {
        let mut found = self.empty(made, device.size_bytes());
        if let Err(error) = look_into(&mut found, device) {
            found.volume.obstacle = Some(error.into());
        }
        found.volume.device = Some(Arc::clone(device));
        self.open(&mut found);
        let is_known = found.volume.content != Content::Unknown;
        self.push(found);
        is_known
    }

    /// Has an encrypted volume opened, if somebody can, and looks into it anew.
    fn open(&mut self, found: &mut Found) {
        let volume = &found.volume;
        let obstacle = volume.obstacle.as_ref().map(|obstacle| obstacle.kind);
        if obstacle != Some(ObstacleKind::Encrypted) {
            return;
        }
        let Some(clear) = (self.open)(volume) else {
            return;
        };
        let volume = &mut found.volume;
        volume.encryption = Some(volume.content);
        volume.content = Content::Unknown;
        volume.label.clear();
        volume.uuid.clear();
        volume.size_bytes = clear.size_bytes();
        volume.obstacle = None;
        if let Err(error) = look_into(found, &clear) {
            found.volume.obstacle = Some(error.into());
        }
        found.volume.device = Some(clear);
    }

    /// Adds a volume whose bytes cannot be had.
    pub(crate) fn add_without_device(&mut self, made: Made, size_bytes: u64, why: Obstacle) {
        let mut found = self.empty(made, size_bytes);
        found.volume.obstacle = Some(why);
        self.push(found);
    }

    /// Says of the volume that was added last why its files cannot be had.
    pub(crate) fn obstruct_last(&mut self, why: Obstacle) {
        if let Some(last) = self.found.last_mut() {
            last.volume.obstacle = Some(why);
        }
    }

    /// Takes back the volume that was added last; its number stays used.
    pub(crate) fn remove_last(&mut self) {
        self.found.pop();
    }

    /// Says what is made of a volume.
    pub(crate) fn mark_used(&mut self, name: &str, by: String) {
        for found in &mut self.found {
            if found.volume.name == name {
                found.volume.used_by.push(by.clone());
                if found.volume.device.is_some() {
                    found.volume.obstacle = None;
                }
                found.taken = true;
            }
        }
    }

    /// Returns the volumes from `first` on that are made of others, and whose content is not known.
    pub(crate) fn undivided(&self, first: usize) -> Vec<(String, Arc<dyn BlockDevice>)> {
        let found = self.found.iter().skip(first);
        let unknown = found.filter(|it| it.volume.content == Content::Unknown && !it.taken);
        let made = unknown.filter(|it| {
            let origin = &it.volume.origin;
            matches!(origin, Origin::Md { .. } | Origin::Lvm { .. })
        });
        made.filter_map(|it| Some((it.volume.name.clone(), it.volume.device.clone()?)))
            .collect()
    }

    pub(crate) fn into_volumes(self) -> Vec<GuestVolume> {
        self.found.into_iter().map(|found| found.volume).collect()
    }

    fn push(&mut self, found: Found) {
        if self.found.len() < VOLUMES_MAX {
            self.found.push(found);
        }
    }

    fn empty(&mut self, made: Made, size_bytes: u64) -> Found {
        let name = match made.name {
            Some(name) => self.unused(&path_name(&name)),
            None => {
                self.numbers = self.numbers.saturating_add(1);
                self.numbers.to_string()
            }
        };
        self.names.insert(name.clone());
        Found {
            volume: GuestVolume {
                name,
                origin: made.origin,
                windows_id: made.windows_id,
                role: made.role,
                size_bytes,
                content: Content::Unknown,
                label: String::new(),
                uuid: String::new(),
                used_by: Vec::new(),
                device: None,
                obstacle: None,
                encryption: None,
            },
            md: None,
            physical: None,
            taken: false,
        }
    }

    /// Returns a name that no volume has: two groups may have volumes of one name.
    fn unused(&self, name: &str) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}~{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names
            .find(|name| !self.names.contains(name))
            .unwrap_or_default()
    }
}

/// Finds out what a volume is, and what it is a part of.
fn look_into(found: &mut Found, device: &Arc<dyn BlockDevice>) -> Result<(), block_io::DiskError> {
    let volume = &mut found.volume;
    if let Some(member) = md::superblock(&Reader::new(device))? {
        volume.content = Content::MdMember;
        volume.label.clone_from(&member.name);
        found.md = Some(member);
        return Ok(());
    }
    volume.content = signature::content(device)?;
    if volume.content == Content::Lvm {
        found.physical = lvm::physical_volume(device)?;
        if found.physical.is_none() {
            let what = "the volume says that it is LVM's, and its label is damaged";
            volume.obstacle = Some(Obstacle::damaged(what));
        }
        return Ok(());
    }
    let names = superblock::names(device, volume.content)?;
    volume.label = names.label;
    volume.uuid = names.uuid;
    if !matches!(volume.role, Role::Reserved | Role::Ldm) {
        volume.obstacle = Obstacle::of_content(volume.content);
    }
    Ok(())
}

/// Makes of any text a name that may stand in a path and is no number.
fn path_name(text: &str) -> String {
    let is_good = |letter: char| letter.is_alphanumeric() || "-_.+~@".contains(letter);
    let letters = text.chars().take(200);
    let name: String = letters
        .map(|letter| if is_good(letter) { letter } else { '_' })
        .collect();
    if name.trim_matches('.').is_empty() || name.chars().all(|letter| letter.is_ascii_digit()) {
        return format!("volume-{name}");
    }
    name
}
