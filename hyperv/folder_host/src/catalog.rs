//! The files below the folder, and the configurations among them.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind, ImageFile as _, OsFile};
use disk_image::PathIndex;
use hyperv_host::{Finding, HostError, HostErrorKind, Severity};
use uuid::Uuid;
use vm_config::{ConfigErrorKind, Reading, VmConfiguration, read_vmcx};

use crate::diagnosis::finding;

/// A larger file is no configuration; the readers refuse it as well.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// The files below the folder.
pub(crate) struct Catalog {
    /// The folder with all links resolved.
    pub(crate) root: PathBuf,
    pub(crate) index: PathIndex,
    /// Configurations of VMs, in the order of their paths.
    pub(crate) machines: Vec<ConfigFile>,
    /// Configurations of checkpoints, in the order of their paths.
    pub(crate) checkpoints: Vec<ConfigFile>,
    /// Files that a VM's GUID names, but that cannot be read.
    pub(crate) unreadable: Vec<Unreadable>,
    /// What is wrong with files that belong to no VM.
    pub(crate) findings: Vec<Finding>,
}

/// A configuration.
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    pub(crate) reading: Reading,
}

/// A VM's configuration that cannot be read.
pub(crate) struct Unreadable {
    pub(crate) id: Uuid,
    pub(crate) finding: Finding,
}

impl Catalog {
    /// Lists the folder and reads its configurations.
    pub(crate) fn scan(root: &Path) -> Result<Self, HostError> {
        let index = PathIndex::build(root).map_err(|error| {
            HostError::new(HostErrorKind::Unreachable, error.to_string()).caused_by(error)
        })?;
        let files: Vec<PathBuf> = index
            .files()
            .filter(|path| has_extension(path, &["vmcx", "xml"]))
            .map(Path::to_owned)
            .collect();
        let mut catalog = Self {
            root: root.to_owned(),
            index,
            machines: Vec::new(),
            checkpoints: Vec::new(),
            unreadable: Vec::new(),
            findings: Vec::new(),
        };
        for path in files {
            catalog.add(path);
        }
        Ok(catalog)
    }

    fn add(&mut self, path: PathBuf) {
        let checkpoint = is_checkpoint(&path);
        match read(&path, &self.root) {
            Ok(Some(reading)) if checkpoint => self.checkpoints.push(ConfigFile { path, reading }),
            Ok(Some(reading)) => self.machines.push(ConfigFile { path, reading }),
            Ok(None) => {}
            Err(text) => match guid_of(&path).filter(|_| !checkpoint) {
                Some(id) => self.unreadable.push(Unreadable {
                    id,
                    finding: unreadable(text, Severity::Block),
                }),
                None => self.findings.push(unreadable(text, Severity::Warn)),
            },
        }
    }

    /// Returns the path below the folder, with `/` between the parts.
    pub(crate) fn below(&self, path: &Path) -> String {
        slashed(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// Opens a file that must lie below the folder, links resolved.
    pub(crate) fn open(&self, path: &Path) -> Result<OsFile, DiskError> {
        open(path, &self.root)
    }
}

fn unreadable(text: String, severity: Severity) -> Finding {
    finding(
        "HOST-CONFIG-UNREADABLE",
        severity,
        text,
        "get a whole copy of the configuration, or remove the file if it is none",
    )
}

/// Reads a configuration; `None` for a file that is something else.
fn read(path: &Path, root: &Path) -> Result<Option<Reading>, String> {
    let bytes = open(path, root)
        .and_then(|file| whole(&file))
        .map_err(|error| error.to_string())?;
    match VmConfiguration::read(&path.display().to_string(), &bytes) {
        Ok(reading) => Ok(Some(reading)),
        Err(error) if error.kind() == ConfigErrorKind::NotAConfiguration => {
            something_else(path, &bytes)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Says why a file that describes no VM is nothing to worry about, or is: a host's own files are
/// containers as well, but a `.vmcx` that is no container, or a GUID's `.xml` without any XML in
/// it, was a configuration once.
fn something_else(path: &Path, bytes: &[u8]) -> Result<Option<Reading>, String> {
    let name = path.display().to_string();
    if has_extension(path, &["vmcx"]) {
        return match read_vmcx(&name, bytes) {
            Ok(_) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
    }
    if guid_of(path).is_some() && !bytes.contains(&b'<') {
        return Err(format!("{name}: expected the XML of a VM, found no XML"));
    }
    Ok(None)
}

/// Returns the GUID that a file is named by.
pub(crate) fn guid_of(path: &Path) -> Option<Uuid> {
    Uuid::parse_str(path.file_stem()?.to_str()?).ok()
}

fn open(path: &Path, root: &Path) -> Result<OsFile, DiskError> {
    let name = path.display().to_string();
    let resolved = fs::canonicalize(path)
        .map_err(|error| DiskError::io(&name, "cannot find this file", error))?;
    if !resolved.starts_with(root) {
        return Err(DiskError::new(
            DiskErrorKind::OutsideRoot,
            format!(
                "this leads to {}, outside of {}",
                resolved.display(),
                root.display()
            ),
        )
        .in_file(&name)
        .hint("name the folder that holds all the VM's files"));
    }
    OsFile::open(&resolved)
}

/// Reads a whole file of bounded size.
pub(crate) fn whole(file: &OsFile) -> Result<Vec<u8>, DiskError> {
    let io_error = |error| DiskError::io(file.name(), "cannot read this file", error);
    let size = file.size_bytes().map_err(io_error)?;
    let len = usize::try_from(size)
        .ok()
        .filter(|_| size <= MAX_CONFIG_BYTES)
        .ok_or_else(|| {
            DiskError::unsupported(
                file.name(),
                format!("expected at most {MAX_CONFIG_BYTES} bytes, found {size}"),
            )
        })?;
    let mut bytes = vec![0; len];
    file.read_exact_at(0, &mut bytes).map_err(io_error)?;
    Ok(bytes)
}

/// Says whether a configuration is that of a checkpoint: a folder above it is named `Snapshots`.
/// Hosts before 2016 keep each checkpoint's files in a folder of their own in there.
fn is_checkpoint(path: &Path) -> bool {
    path.parent()
        .into_iter()
        .flat_map(Path::ancestors)
        .take(2)
        .any(|folder| {
            folder
                .file_name()
                .is_some_and(|name| name.eq_ignore_ascii_case("Snapshots"))
        })
}

/// Says whether the path has one of these extensions, whatever the case.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| {
        extensions
            .iter()
            .any(|extension| found.eq_ignore_ascii_case(extension))
    })
}

/// Returns a path's parts with `/` between them.
pub(crate) fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|component| component.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}
