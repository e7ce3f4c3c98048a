//! What image files are called in a point (requirement VSS-19).

use std::collections::HashMap;

/// Folder of images below a VM's own, as Hyper-V's import expects it.
const FOLDER: &str = "Virtual Hard Disks";

/// Gives each image a place of its own. Files of different folders may have the same name on the
/// host; in a point such files lie in different folders, each with its children: images are kept
/// byte for byte, and a child that says that its parent is beside it is right about that.
#[derive(Debug, Default)]
pub(super) struct ImageNames {
    /// Places that are taken, in lower case, with the file that has it.
    taken: HashMap<String, String>,
}

impl ImageNames {
    /// Returns the path in a point of a file that the host names, always the same for one file.
    /// `parent` is that of its parent.
    pub(super) fn of(&mut self, host_path: &str, parent: Option<&str>) -> String {
        let key = host_path.to_lowercase();
        let name = host_path.rsplit(['\\', '/']).next().unwrap_or(host_path);
        let beside = parent.and_then(|parent| parent.rsplit_once('/'));
        let mut folder = beside.map_or(FOLDER, |(folder, _)| folder).to_owned();
        let mut number = 1_u32;
        loop {
            let own = format!("{folder}/{name}");
            let holder = self.taken.entry(own.to_lowercase());
            if *holder.or_insert_with(|| key.clone()) == key {
                return own;
            }
            number = number.saturating_add(1);
            folder = format!("{FOLDER}/{number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_from_different_folders_lie_apart_each_with_its_children() {
        let mut names = ImageNames::default();
        let first = names.of(r"C:\a\disk.vhdx", None);
        assert_eq!(first, "Virtual Hard Disks/disk.vhdx");
        let second = names.of(r"D:\b\Disk.vhdx", None);
        assert_eq!(second, "Virtual Hard Disks/2/Disk.vhdx");
        assert_eq!(
            names.of(r"D:\b\disk_1.avhdx", Some(&second)),
            "Virtual Hard Disks/2/disk_1.avhdx"
        );
        assert_eq!(
            names.of(r"C:\a\disk_1.avhdx", Some(&first)),
            "Virtual Hard Disks/disk_1.avhdx"
        );
        assert_eq!(
            names.of(r"E:\c\disk_1.avhdx", Some(&second)),
            "Virtual Hard Disks/3/disk_1.avhdx"
        );
        assert_eq!(
            names.of(r"d:\B\DISK.vhdx", None),
            "Virtual Hard Disks/2/DISK.vhdx"
        );
    }
}
