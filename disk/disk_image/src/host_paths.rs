//! Where the paths of a host lie on this machine.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};

use crate::root_folder::{RootFolder, entries_named};
use crate::windows_path::WindowsPath;

/// A host's own paths, and the folders that nothing may lead out of.
///
/// What it returns is looked at again before it is opened: it must lie, links resolved, in one of
/// the roots.
pub trait HostPaths: Send + Sync + Debug {
    /// Returns the file or folder of this machine that a host's absolute path names; `None` where
    /// nothing is there, or where it lies outside of the roots.
    fn locate(&self, host_path: &str) -> Option<PathBuf>;

    /// Returns where a host's absolute path lies on this machine, whether something is there yet or
    /// not; `None` where that lies outside of the roots, or no file of Windows can have the name.
    /// What is there of it already is resolved as [`HostPaths::locate`] does.
    fn place(&self, host_path: &str) -> Option<PathBuf> {
        self.locate(host_path)
    }

    /// Returns the folders that hold all the files of the host.
    fn roots(&self) -> Vec<PathBuf>;
}

/// Drives, shares and volumes of a host, each in a folder of this machine.
///
/// A path is taken apart into components, and each is looked for by its exact name, then by names
/// that differ in case alone. Nothing leaves the folders: `..` is resolved in the path itself and
/// may not go above the drive, a name with `:` in it is none, and what a link leads to must lie in
/// one of the folders. No folder is ever listed as a whole tree.
#[derive(Debug, Default)]
pub struct DriveMap {
    drives: Vec<Drive>,
}

#[derive(Debug)]
struct Drive {
    prefix: WindowsPath,
    root: RootFolder,
}

impl DriveMap {
    /// Makes a map without a drive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a drive, share or volume, or a folder of one: `C:\`, `\\server\share\`,
    /// `\\?\Volume{…}\`, `C:\ClusterStorage\Volume1`. Of two that fit the longer one counts.
    ///
    /// Errors: `Unsupported` where the prefix is not an absolute path of one of these kinds,
    /// `NotFound` and the like where the folder is not there.
    pub fn with(mut self, prefix: &str, folder: &Path) -> Result<Self, DiskError> {
        let path = WindowsPath::parse(prefix);
        if path.volume().is_none() || path.resolved().is_none() {
            return Err(DiskError::new(
                DiskErrorKind::Unsupported,
                format!("{prefix} is not a drive, share or volume of a host"),
            )
            .hint("write it like C:\\ or \\\\server\\share\\"));
        }
        self.drives.push(Drive {
            prefix: path,
            root: RootFolder::open(folder)?,
        });
        Ok(self)
    }

    /// Returns the drive that `path` lies in, and the components below it.
    fn drive_of<'a>(
        &self,
        path: &WindowsPath,
        components: &'a [&'a str],
    ) -> Option<(&Drive, &'a [&'a str])> {
        self.drives
            .iter()
            .filter(|drive| drive.prefix.volume() == path.volume())
            .filter_map(|drive| {
                let prefix = drive.prefix.resolved()?;
                let (head, rest) = components.split_at_checked(prefix.len())?;
                let fits = head
                    .iter()
                    .zip(&prefix)
                    .all(|(a, b)| a.to_lowercase() == b.to_lowercase());
                fits.then_some((drive, rest))
            })
            .min_by_key(|(_, rest)| rest.len())
    }
}

impl HostPaths for DriveMap {
    fn locate(&self, host_path: &str) -> Option<PathBuf> {
        let path = WindowsPath::parse(host_path);
        path.volume()?;
        let components = path.resolved()?;
        let (drive, rest) = self.drive_of(&path, &components)?;
        let mut found = vec![drive.root.path().to_owned()];
        for component in rest {
            found = found
                .iter()
                .flat_map(|folder| entries_named(folder, component))
                .collect();
        }
        // Of two files that differ in case alone neither is the one that was meant.
        let [only] = found.as_slice() else {
            return None;
        };
        self.drives
            .iter()
            .find_map(|drive| drive.root.contain(only).ok())
    }

    fn place(&self, host_path: &str) -> Option<PathBuf> {
        let path = WindowsPath::parse(host_path);
        path.volume()?;
        let components = path.resolved()?;
        let (drive, rest) = self.drive_of(&path, &components)?;
        let mut at = drive.root.path().to_owned();
        for (number, component) in rest.iter().enumerate() {
            match entries_named(&at, component).as_slice() {
                // Nothing is here yet, so nothing below is a link either.
                [] => {
                    let below = rest.get(number..)?;
                    if !at.is_dir() || !below.iter().all(|name| is_new_name(name)) {
                        return None;
                    }
                    return Some(below.iter().fold(at, |at, name| at.join(name)));
                }
                [only] => {
                    let mut drives = self.drives.iter();
                    at = drives.find_map(|drive| drive.root.contain(only).ok())?;
                }
                _ => return None,
            }
        }
        Some(at)
    }

    fn roots(&self) -> Vec<PathBuf> {
        self.drives
            .iter()
            .map(|drive| drive.root.path().to_owned())
            .collect()
    }
}

/// Returns whether Windows can make a file of this name, and would not make one of another name or
/// a device of it.
fn is_new_name(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    const NUMBERED: [&str; 2] = ["com", "lpt"];
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_lowercase();
    let is_numbered = |device: &&str| {
        let number = stem.strip_prefix(*device);
        number.is_some_and(|own| own.chars().count() == 1 && own.chars().all(char::is_numeric))
    };
    let is_plain = |c: char| !c.is_control() && !"<>:\"/\\|?*".contains(c);
    !name.is_empty()
        && name.chars().all(is_plain)
        && !name.ends_with(['.', ' '])
        && !DEVICES.contains(&stem.as_str())
        && !NUMBERED.iter().any(is_numbered)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Host {
        folder: tempfile::TempDir,
        map: DriveMap,
    }

    impl Host {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = |name: &str| {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            };
            file("c/VMs/A.vhdx");
            file("c/VMs/b.vhdx");
            file("c/VMs/B.VHDX");
            file("c/root.vhdx");
            file("d/x/base.vhdx");
            file("csv/a.vhdx");
            file("secret.vhdx");
            let at = |name: &str| folder.path().join(name);
            let map = DriveMap::new()
                .with("C:\\", &at("c"))
                .and_then(|map| map.with("d:", &at("d")))
                .and_then(|map| map.with("C:\\ClusterStorage\\Volume1\\", &at("csv")))
                .and_then(|map| map.with("\\\\Server\\Share\\", &at("d")))
                .and_then(|map| map.with("\\\\?\\Volume{0EBA351E-0000}\\", &at("d")))
                .unwrap();
            Self { folder, map }
        }

        /// Returns the path below the folder.
        fn locate(&self, path: &str) -> Option<String> {
            let root = self.folder.path().canonicalize().unwrap();
            let found = self.map.locate(path)?;
            let below = found.strip_prefix(root).unwrap().to_str().unwrap();
            Some(below.replace('\\', "/"))
        }
    }

    #[test]
    fn drives_shares_and_volumes_are_found_whatever_their_case() {
        let host = Host::new();
        for (path, found) in [
            ("C:\\VMs\\A.vhdx", "c/VMs/A.vhdx"),
            ("c:\\vms\\a.VHDX", "c/VMs/A.vhdx"),
            ("\\\\?\\C:\\VMs\\.\\A.vhdx", "c/VMs/A.vhdx"),
            ("C:/VMs/../root.vhdx", "c/root.vhdx"),
            ("D:\\X\\Base.vhdx", "d/x/base.vhdx"),
            ("\\\\SERVER\\share\\x\\base.vhdx", "d/x/base.vhdx"),
            ("\\\\?\\UNC\\server\\SHARE\\x\\base.vhdx", "d/x/base.vhdx"),
            (
                "\\\\?\\volume{0eba351e-0000}\\x\\base.vhdx",
                "d/x/base.vhdx",
            ),
            ("C:\\clusterstorage\\VOLUME1\\a.vhdx", "csv/a.vhdx"),
            ("C:\\VMs\\..\\ClusterStorage\\Volume1\\a.vhdx", "csv/a.vhdx"),
            ("C:\\VMs", "c/VMs"),
        ] {
            assert_eq!(host.locate(path).as_deref(), Some(found), "{path}");
        }
        // The exact name wins, and without one there is no telling.
        let exact = host.locate("C:\\VMs\\b.vhdx");
        if cfg!(target_os = "linux") {
            assert_eq!(exact.as_deref(), Some("c/VMs/b.vhdx"));
            assert_eq!(host.locate("C:\\VMs\\b.VHDX"), None);
        }
    }

    #[test]
    fn nothing_else_is() {
        let host = Host::new();
        for path in [
            "",
            "A.vhdx",
            "VMs\\A.vhdx",
            "\\VMs\\A.vhdx",
            "C:VMs\\A.vhdx",
            "E:\\VMs\\A.vhdx",
            "C:\\..\\secret.vhdx",
            "C:\\VMs\\..\\..\\secret.vhdx",
            "C:\\ClusterStorage\\Volume1\\..\\..\\..\\secret.vhdx",
            "\\\\?\\C:\\VMs\\..\\root.vhdx",
            "C:\\VMs\\A.vhdx:stream",
            "C:\\VMs\\A.vhdx::$DATA",
            "C:\\VMs\\none.vhdx",
            "C:\\root.vhdx\\VMs",
            "\\\\server\\other\\x\\base.vhdx",
            "\\\\server\\",
            "\\\\.\\PhysicalDrive0",
            "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\x\\base.vhdx",
            "/etc/passwd",
        ] {
            assert_eq!(host.locate(path), None, "{path}");
        }
        for prefix in ["", "C", "folder", "\\", "C:x", "\\\\server", "C:\\.."] {
            let result = DriveMap::new().with(prefix, host.folder.path());
            let kind = result.err().map(|error| error.kind());
            assert_eq!(kind, Some(DiskErrorKind::Unsupported), "{prefix}");
        }
    }

    #[test]
    fn a_path_that_is_not_there_yet_has_its_place() {
        let host = Host::new();
        let root = host.folder.path().canonicalize().unwrap();
        let place = |path: &str| {
            let found = host.map.place(path)?;
            let below = found.strip_prefix(&root).unwrap().to_str().unwrap();
            Some(below.replace('\\', "/"))
        };
        for (path, found) in [
            ("C:\\VMs\\A.vhdx", "c/VMs/A.vhdx"),
            ("c:\\vms\\New VM\\d.vhdx", "c/VMs/New VM/d.vhdx"),
            ("D:\\x\\..\\y\\z", "d/y/z"),
            ("C:\\ClusterStorage\\Volume1\\web\\a.vhdx", "csv/web/a.vhdx"),
            ("\\\\server\\share\\new", "d/new"),
            ("C:\\company\\comx.vhdx", "c/company/comx.vhdx"),
        ] {
            assert_eq!(place(path).as_deref(), Some(found), "{path}");
        }
        for path in [
            "",
            "new.vhdx",
            "C:new",
            "E:\\new",
            "\\\\other\\share\\new",
            "C:\\..\\new",
            "C:\\VMs\\..\\..\\new",
            "C:\\new\\..\\..\\new",
            "C:\\root.vhdx\\new",
            "C:\\new:stream",
            "C:\\new?.vhdx",
            "C:\\new ",
            "C:\\new.\\a",
            "C:\\nul",
            "C:\\a\\Con.vhdx",
            "C:\\COM1",
            "C:\\lpt\u{b9}.txt",
            "\\\\.\\PhysicalDrive0",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_may_lead_to_another_drive_and_nowhere_else() {
        let host = Host::new();
        let at = |name: &str| host.folder.path().join(name);
        let link = |source: &str, name: &str| {
            std::os::unix::fs::symlink(at(source), at(name)).unwrap();
        };
        link("secret.vhdx", "c/out.vhdx");
        link("", "c/up");
        link("d/x", "c/other");
        link("nowhere", "c/broken");
        for path in [
            "C:\\up\\new",
            "C:\\out.vhdx",
            "C:\\broken",
            "C:\\broken\\new",
        ] {
            assert_eq!(host.map.place(path), None, "{path}");
        }
        let other = host.map.place("C:\\other\\new.vhdx").unwrap();
        assert!(other.ends_with("d/x/new.vhdx"), "{}", other.display());
        assert_eq!(host.locate("C:\\out.vhdx"), None);
        assert_eq!(host.locate("C:\\up\\secret.vhdx"), None);
        assert_eq!(
            host.locate("C:\\other\\base.vhdx").as_deref(),
            Some("d/x/base.vhdx")
        );
    }
}
