//! The definition files of a point, in a folder of the host that is there for a time.

use std::path::Path;

use disk_image::{ImageFormat, NewImageOptions};
use hyperv_host::RestoreHost;
use repository::{Repository, RestorePoint, Stream, StreamRole};

use super::host_path::{file_name, join};
use crate::disk_restore::restore_stream;
use crate::error::Cause;
use crate::new_files::make_folder;

/// Where the definition files are, as the host names it.
pub(crate) struct StagedDefinition {
    pub(crate) definition: String,
    pub(crate) checkpoint_folder: Option<String>,
}

/// Writes the definition files below `folder`, a folder of the host, in the layout that an import
/// reads. What is there of another try is removed first.
pub(crate) fn stage(
    repository: &Repository,
    point: &RestorePoint,
    host: &dyn RestoreHost,
    folder: &str,
    with_checkpoints: bool,
) -> Result<StagedDefinition, Cause> {
    let local = host.local_path(folder)?;
    if local.exists() {
        std::fs::remove_dir_all(&local)?;
    }
    make_folder(&local, &mut Vec::new())?;
    let mut staged = StagedDefinition {
        definition: String::new(),
        checkpoint_folder: None,
    };
    for stream in point.files() {
        let Some(sub) = folder_of(stream.role, with_checkpoints) else {
            continue;
        };
        let below = below_its_folder(stream);
        let path = join(folder, &format!("{sub}/{below}"))?;
        let out = host.local_path(&path)?;
        make_folder(out.parent().unwrap_or(&local), &mut Vec::new())?;
        write(repository, stream, &out)?;
        if stream.role == StreamRole::Configuration {
            staged.definition = path;
        } else if sub == SNAPSHOTS {
            staged.checkpoint_folder = Some(join(folder, SNAPSHOTS)?);
        }
    }
    if staged.definition.is_empty() {
        return Err("the point has no definition file".into());
    }
    Ok(staged)
}

/// Returns each definition file's folder, `Virtual Machines` or `Snapshots`, and its name below it.
pub(crate) fn staged_names(
    point: &RestorePoint,
    with_checkpoints: bool,
) -> impl Iterator<Item = (&'static str, &str)> {
    let files = point.files();
    files.filter_map(move |stream| {
        let sub = folder_of(stream.role, with_checkpoints)?;
        Some((sub, below_its_folder(stream)))
    })
}

const MACHINES: &str = "Virtual Machines";
const SNAPSHOTS: &str = "Snapshots";

fn folder_of(role: StreamRole, with_checkpoints: bool) -> Option<&'static str> {
    match role {
        StreamRole::Configuration | StreamRole::RuntimeState | StreamRole::GuestState => {
            Some(MACHINES)
        }
        StreamRole::CheckpointConfiguration | StreamRole::CheckpointState if with_checkpoints => {
            Some(SNAPSHOTS)
        }
        _ => None,
    }
}

/// Returns a stream's name below the folder of its sort: state of old VMs lies in a folder of the
/// VM's own.
fn below_its_folder(stream: &Stream) -> &str {
    let name = &*stream.name;
    for folder in [MACHINES, SNAPSHOTS] {
        if let Some((first, rest)) = name.split_once('/')
            && first.eq_ignore_ascii_case(folder)
        {
            return rest;
        }
        let inside = name
            .to_lowercase()
            .rfind(&format!("/{}/", folder.to_lowercase()));
        if let Some(rest) = inside.and_then(|at| name.get(at + folder.len() + 2..)) {
            return rest;
        }
    }
    file_name(name)
}

fn write(repository: &Repository, stream: &Stream, out: &Path) -> Result<(), Cause> {
    let options = NewImageOptions::new(ImageFormat::Raw, stream.size_bytes);
    restore_stream(repository, stream, out, &options, &())?;
    Ok(())
}
