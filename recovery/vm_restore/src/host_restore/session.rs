//! What a restore to a host has begun, on disk, so that another can go on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind, OsFile, flush_folder};
use hyperv_host::{TargetHost, TargetVm};
use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

use super::host_path::{part_of_name, same};
use super::plan::RestoreKind;
use crate::new_files::make_folder;

/// A session that is larger is none of ours.
const BYTES_MAX: u64 = 256 << 20;

/// What a restore to a host has begun. It is written before what it tells of is done, in a file of
/// its own for each host and VM.
///
/// ```text
///   files planned ─► kept ─► leaving ─► overwriting ─► overwritten ─► imported ─► (removed)
///                    a copy   the old    disks that     they are       the new VM
///                    of the   VM may be  stay are       whole again    is there
///                    old VM   gone       being written
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoreSession {
    pub(crate) version: u32,
    /// The host, as [`session_host`] names it.
    pub(crate) host: String,
    /// Id of the restore.
    pub(crate) run: String,
    /// Id of the point.
    pub(crate) point: String,
    /// The checkpoint that was asked for.
    #[serde(default)]
    pub(crate) checkpoint: Option<String>,
    pub(crate) kind: RestoreKind,
    /// The VM that was there, as it was found.
    pub(crate) old: Option<TargetVm>,
    /// It ran then.
    #[serde(default)]
    pub(crate) ran: bool,
    /// The folder on the host for what is there for a time.
    pub(crate) staging: String,
    /// Where new files of disks go, by what they hold.
    pub(crate) files: BTreeMap<String, String>,
    /// Those that the restore has made, and that are whole.
    #[serde(default)]
    pub(crate) made: BTreeSet<String>,
    /// Folders of this machine that were made for them.
    pub(crate) folders: Vec<PathBuf>,
    /// The old VM's definition was kept: the copy, as the host names it.
    pub(crate) kept: Option<String>,
    /// The old VM may not be on the host any more.
    pub(crate) leaving: bool,
    /// Disks that stay are being written over, so the old VM is no more.
    pub(crate) overwriting: bool,
    /// All of them hold what the point has.
    pub(crate) overwritten: bool,
    /// Chunks that differ, by the disk's path: offsets and lengths in bytes.
    pub(crate) ranges: BTreeMap<String, Vec<(u64, u64)>>,
    /// GUID of the VM that was made.
    pub(crate) imported: Option<String>,
    /// Files of the old VM that go at the end, as the host names them.
    pub(crate) remove: Vec<String>,
    /// The bases of the old VM's disks that checkpoints have files above, by the leaf: taking the VM
    /// from its host may merge these.
    #[serde(default)]
    pub(crate) bases: BTreeMap<String, String>,
    /// The VM comes back through the host's VSS writer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) through_writer: bool,
    /// Files that come to their places once the writer has taken the VM away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) swaps: Vec<Swap>,
    /// All of them are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) swapped: bool,
    /// The disks that the VM must have before files that were set aside are removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) wanted: Vec<(DiskSlot, String)>,
    /// The VM that the writer registered is as it was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) as_asked: bool,
}

/// A file that comes to its place once the VM is away, and the one that has its place until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swap {
    /// The file's place, as the host names it.
    pub(crate) place: String,
    /// The file that comes there.
    pub(crate) new: String,
    /// What becomes of the file that is there, if any.
    pub(crate) old: String,
}

/// A session in its file.
pub(crate) struct SessionFile {
    path: PathBuf,
    /// Held as long as the restore goes on: two of one VM would undo each other. The lock's file
    /// stays: with its name gone, two could hold one each.
    _lock: OsFile,
    pub(crate) session: RestoreSession,
}

impl RestoreSession {
    /// Says whether a VM has one of the new files for a disk.
    pub(crate) fn is_file_of(&self, vm: &TargetVm) -> bool {
        let mut files = self.files.values();
        files.any(|file| vm.disks.iter().any(|(_, disk)| same(disk, file)))
    }
}

/// Returns what sessions know a host by: its own name, or the cluster's, which a cluster tells as
/// its computer. A node is itself, however it is addressed.
pub(crate) fn session_host(name: &str, target: &TargetHost) -> String {
    let own = match target.computer.is_empty() {
        true => name,
        false => &target.computer,
    };
    own.to_lowercase()
}

/// Returns the file of the session of a VM on a host.
pub(crate) fn session_file(folder: &Path, host: &str, vm: &str) -> PathBuf {
    let (host, vm) = (part_of_name(host), part_of_name(vm));
    folder.join(format!("{vm} on {host}.json"))
}

/// Reads the session of a VM on a host; `None` where no restore of it has died.
pub(crate) fn read_session(
    folder: &Path,
    host: &str,
    vm: &str,
) -> Result<Option<RestoreSession>, DiskError> {
    read(&session_file(folder, host, vm))
}

fn read(path: &Path) -> Result<Option<RestoreSession>, DiskError> {
    let name = path.display().to_string();
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(metadata) if metadata.len() > BYTES_MAX => Vec::new(),
        _ => fs::read(path)
            .map_err(|error| DiskError::io(&name, "cannot read what a restore has begun", error))?,
    };
    let unreadable = |why: String| {
        let what = format!("what a restore of this VM has begun cannot be understood: {why}");
        DiskError::new(DiskErrorKind::Corrupt, what)
            .in_file(&name)
            .hint("look at the VM on its host; once it is in order, remove this file")
    };
    let session: RestoreSession =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if session.version != 1 {
        return Err(unreadable(format!("version {}", session.version)));
    }
    Ok(Some(session))
}

fn locked(path: &Path) -> Result<OsFile, DiskError> {
    let file = match OsFile::create_new(path) {
        Err(error) if error.kind() == DiskErrorKind::Exists => OsFile::open_writable(path)?,
        file => file?,
    };
    if file.try_lock_exclusive() {
        return Ok(file);
    }
    let what = "another restore of this VM is at work";
    Err(DiskError::new(DiskErrorKind::InUse, what)
        .in_file(&path.display().to_string())
        .hint("wait for it, or stop it; what a restore that died has begun is gone on with"))
}

impl SessionFile {
    /// Writes a session for the first time, or takes over that of a restore that died, which is
    /// `planned_with`.
    ///
    /// # Errors
    ///
    /// `InUse` where another restore of the VM is at work, or has been since this one was planned.
    pub(crate) fn begin(
        folder: &Path,
        vm: &str,
        planned_with: Option<&RestoreSession>,
        session: RestoreSession,
    ) -> Result<Self, DiskError> {
        make_folder(folder, &mut Vec::new())?;
        let path = session_file(folder, &session.host, vm);
        let lock = locked(&path.with_extension("lock"))?;
        if read(&path)?.as_ref() != planned_with {
            let what = "another restore of this VM was at work since this one was planned";
            return Err(DiskError::new(DiskErrorKind::InUse, what)
                .in_file(&path.display().to_string())
                .hint("ask for the restore again: it is planned anew"));
        }
        let file = Self {
            path,
            _lock: lock,
            session,
        };
        file.save()?;
        Ok(file)
    }

    /// Changes the session, durably.
    pub(crate) fn note(
        &mut self,
        change: impl FnOnce(&mut RestoreSession),
    ) -> Result<(), DiskError> {
        change(&mut self.session);
        self.save()
    }

    /// Writes it under another name first, so that one of the two is always whole.
    fn save(&self) -> Result<(), DiskError> {
        let name = self.path.display().to_string();
        let failed = |error| DiskError::io(&name, "cannot note what the restore begins", error);
        // Plain data always serialises.
        let bytes = serde_json::to_vec_pretty(&self.session).unwrap_or_default();
        let partial = self.path.with_extension("json.partial");
        let mut file = fs::File::create(&partial).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        drop(file);
        fs::rename(&partial, &self.path).map_err(failed)?;
        flush_folder(self.path.parent().unwrap_or(Path::new(""))).map_err(failed)
    }

    /// Ends it.
    pub(crate) fn remove(&self) -> Result<(), DiskError> {
        let name = self.path.display().to_string();
        fs::remove_file(&self.path)
            .map_err(|error| DiskError::io(&name, "cannot remove this file", error))
    }
}
