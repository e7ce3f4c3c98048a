//! What image files are called in a point (requirement VSS-19).

use std::collections::HashMap;

/// Folder of images below a VM's own, as Hyper-V's import expects it.
const FOLDER: &str = "Virtual Hard Disks";

/// Gives each image a name of its own. Files of different folders may have the same name on the
/// host; in a point all are in one folder.
#[derive(Debug, Default)]
pub(super) struct ImageNames {
    /// Names that are taken, in lower case, with the file that has it.
    taken: HashMap<String, String>,
}

impl ImageNames {
    /// Returns the path in a point of a file that the host names, always the same for one file.
    pub(super) fn of(&mut self, host_path: &str) -> String {
        let key = host_path.to_lowercase();
        let name = host_path.rsplit(['\\', '/']).next().unwrap_or(host_path);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut number = 1_u32;
        loop {
            let own = match number {
                1 => name.to_owned(),
                number => format!("{stem}-{number}.{extension}"),
            };
            let holder = self.taken.entry(own.to_lowercase());
            if *holder.or_insert_with(|| key.clone()) == key {
                return format!("{FOLDER}/{own}");
            }
            number = number.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_from_different_folders_do_not_collide() {
        let mut names = ImageNames::default();
        assert_eq!(names.of(r"C:\a\disk.vhdx"), "Virtual Hard Disks/disk.vhdx");
        assert_eq!(
            names.of(r"D:\b\Disk.vhdx"),
            "Virtual Hard Disks/Disk-2.vhdx"
        );
        assert_eq!(names.of(r"c:\A\DISK.vhdx"), "Virtual Hard Disks/DISK.vhdx");
        assert_eq!(
            names.of(r"E:\disk-2.vhdx"),
            "Virtual Hard Disks/disk-2-2.vhdx"
        );
        assert_eq!(
            names.of(r"D:\b\Disk.vhdx"),
            "Virtual Hard Disks/Disk-2.vhdx"
        );
    }
}
