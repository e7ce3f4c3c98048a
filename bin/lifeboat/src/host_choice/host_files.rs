//! Where this machine sees the files of a host, or of the nodes of a cluster.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(windows)]
use disk_image::OwnPaths;
use disk_image::{DriveMap, HostPaths};

use crate::cli_error::CliError;

/// What `--host-files` says.
#[derive(Debug, Clone, Default)]
pub(super) struct HostFiles(Vec<Mapped>);

/// A drive or share of a host, and the folder of this machine that it is.
#[derive(Debug, Clone)]
struct Mapped {
    /// The only node of which this is so.
    node: Option<String>,
    /// As the host names it.
    prefix: String,
    folder: PathBuf,
}

impl HostFiles {
    /// Reads `PREFIX=FOLDER` and `NODE!PREFIX=FOLDER`.
    pub(super) fn read(texts: &[String]) -> Result<Self, CliError> {
        let read = |text: &String| {
            let (place, folder) = text.split_once('=').ok_or_else(|| {
                CliError::usage(format!("{text:?} does not say where a drive is seen"))
                    .hint("write C:\\=/mnt/hv1-c")
            })?;
            let (node, prefix) = match place.split_once('!') {
                Some((node, prefix)) => (Some(node.to_owned()), prefix),
                None => (None, place),
            };
            Ok(Mapped {
                node,
                prefix: prefix.to_owned(),
                folder: PathBuf::from(folder),
            })
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns where the files of the only host are; `None` where nothing is said.
    pub(super) fn of_host(&self) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        map_of(self.0.iter())
    }

    /// Returns where the files of the node are that a cluster is reached through: what is said for
    /// no node in particular is said for this one.
    pub(super) fn of_node(&self, node: &str) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        map_of(self.0.iter().filter(|own| own.is_of(node).unwrap_or(true)))
    }

    /// Returns where the files of another node are. A drive of one node is not that of another,
    /// though they have one name: only what all nodes see is taken from what is said for none.
    pub(super) fn of_other_node(&self, node: &str) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        let fits = |own: &&Mapped| {
            let shared = wmi_host::is_shared_storage(&own.prefix);
            own.is_of(node).unwrap_or(shared)
        };
        map_of(self.0.iter().filter(fits))
    }

    /// Returns where the files of this very machine are, a host itself: its drives are its own, and
    /// so is what was named besides.
    #[cfg(windows)]
    pub(super) fn of_this_machine(&self) -> Result<Arc<dyn HostPaths>, CliError> {
        let drives = (b'A'..=b'Z').map(|letter| format!("{}:\\", char::from(letter)));
        let drives = drives.filter(|drive| PathBuf::from(drive).is_dir());
        let drives: Vec<Mapped> = drives.map(|drive| Mapped::as_it_is(&drive)).collect();
        // Of two that fit alike the first one counts.
        let named = drive_map(self.0.iter().chain(&drives))?;
        Ok(Arc::new(OwnPaths::new(named)))
    }

    /// As [`HostFiles::of_other_node`], asked on another node: shared volumes are seen here, too.
    #[cfg(windows)]
    pub(super) fn of_sibling(&self, node: &str) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        const SHARED: &str = "C:\\ClusterStorage\\";
        match self.of_other_node(node)? {
            None if PathBuf::from(SHARED).is_dir() => map_of([Mapped::as_it_is(SHARED)].iter()),
            files => Ok(files),
        }
    }

    /// As on Windows, where nothing is seen by itself.
    #[cfg(not(windows))]
    pub(super) fn of_sibling(&self, node: &str) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        self.of_other_node(node)
    }
}

impl Mapped {
    #[cfg(windows)]
    fn as_it_is(path: &str) -> Self {
        Self {
            node: None,
            prefix: path.to_owned(),
            folder: PathBuf::from(path),
        }
    }

    /// Returns whether it is said of a node; `None`: it is said of none in particular.
    fn is_of(&self, node: &str) -> Option<bool> {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
        Some(short(self.node.as_deref()?) == short(node))
    }
}

fn map_of<'a>(
    mapped: impl Iterator<Item = &'a Mapped>,
) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
    let mut mapped = mapped.peekable();
    if mapped.peek().is_none() {
        return Ok(None);
    }
    Ok(Some(Arc::new(drive_map(mapped)?)))
}

fn drive_map<'a>(mapped: impl Iterator<Item = &'a Mapped>) -> Result<DriveMap, CliError> {
    let mut map = DriveMap::new();
    for own in mapped {
        map = map.with(&own.prefix, &own.folder)?;
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_of_one_node_is_not_taken_for_that_of_another() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["c1", "c2", "csv", "nas"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("a.vhdx"), name).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let files = HostFiles::read(&[
            format!("C:\\={}", at("c1")),
            format!("HV2!C:\\={}", at("c2")),
            format!("C:\\ClusterStorage\\Volume1={}", at("csv")),
            format!("\\\\nas\\vm={}", at("nas")),
        ])
        .unwrap();
        let found = |files: Option<Arc<dyn HostPaths>>, path: &str| {
            let path = files?.locate(path)?;
            std::fs::read_to_string(path).ok()
        };
        let first = || files.of_node("hv1.example.com").unwrap();
        let second = || files.of_other_node("HV2").unwrap();
        let third = || files.of_other_node("HV3").unwrap();
        assert_eq!(found(first(), "C:\\a.vhdx").as_deref(), Some("c1"));
        assert_eq!(found(second(), "C:\\a.vhdx").as_deref(), Some("c2"));
        assert_eq!(found(third(), "C:\\a.vhdx"), None);
        for node in [first(), second(), third()] {
            let csv = found(node.clone(), "C:\\ClusterStorage\\Volume1\\a.vhdx");
            assert_eq!(csv.as_deref(), Some("csv"));
            assert_eq!(found(node, "\\\\NAS\\vm\\a.vhdx").as_deref(), Some("nas"));
        }
        assert!(HostFiles::default().of_host().unwrap().is_none());
        assert!(HostFiles::read(&["C:\\".to_owned()]).is_err());
    }
}
