//! Files of checkpoints that nothing uses.

use std::collections::HashSet;
use std::sync::Arc;

use disk_image::HostPaths;

use super::examine::is_checkpoint_file;

/// Lists a folder of the host for checkpoints' files that nothing uses.
pub(super) fn orphans_in(
    bytes: &Arc<dyn HostPaths>,
    folder: &str,
    used: &HashSet<String>,
) -> Vec<String> {
    let Some(entries) = bytes
        .locate(folder)
        .and_then(|path| std::fs::read_dir(path).ok())
    else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| is_checkpoint_file(&name.to_lowercase()))
        .map(|name| format!("{folder}\\{name}"))
        .filter(|path| !used.contains(&path.to_lowercase()))
        .collect()
}
