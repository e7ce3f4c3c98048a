//! New paths for disks, in a file that otherwise stays as the host wrote it.

use crate::configuration::DiskSlot;
use crate::drives::drives;
use crate::reading::is_vmcx;
use crate::tree::{Node, Tree};
use crate::{ConfigError, hvs, xml};

/// Returns a copy of a `.vmcx` or `.xml` in which the disks in these slots have other paths.
///
/// Everything else stays byte for byte: a `.vmcx` keeps the size of every entry, so that the new
/// path must fit the old one's place; its replay log, where it was not empty, is applied and
/// emptied.
///
/// # Errors
///
/// Those of [`VmConfiguration::from_bytes`](crate::VmConfiguration::from_bytes); `DoesNotFit`
/// where a path needs more room than its place in the `.vmcx` has; `Unsupported` where the
/// configuration has no disk with a path in a slot.
pub fn with_disk_paths(bytes: &[u8], paths: &[(DiskSlot, &str)]) -> Result<Vec<u8>, ConfigError> {
    if is_vmcx(bytes) {
        let mut opened = hvs::open(bytes)?;
        for (index, path) in indices(&opened.tree, paths)? {
            hvs::set_text(&mut opened, index, path)?;
        }
        let edited = opened.into_closed_image();
        // In a file whose log lies over its own tables, an edit breaks what it does not mean to.
        hvs::open(&edited)?;
        Ok(edited)
    } else {
        let opened = xml::open(bytes)?;
        let texts = indices(&opened.tree, paths)?;
        Ok(opened.with_texts(texts))
    }
}

/// Finds, for each disk, the position of its path in a walk that visits parents before children.
fn indices<'a>(
    tree: &Tree,
    paths: &[(DiskSlot, &'a str)],
) -> Result<Vec<(usize, &'a str)>, ConfigError> {
    let root = tree
        .children
        .iter()
        .position(|node| node.name.eq_ignore_ascii_case("configuration"));
    let Some((root, configuration)) = root.and_then(|at| Some((at, tree.children.get(at)?))) else {
        return Err(ConfigError::corrupt(
            "configuration",
            "expected this key, found none",
        ));
    };
    let (drives, _) = drives(configuration)?;
    paths
        .iter()
        .map(|(slot, path)| {
            let mut steps = drives
                .iter()
                .find(|drive| drive.disk.slot == *slot)
                .and_then(|drive| drive.pathname.clone())
                .ok_or_else(|| {
                    ConfigError::unsupported(
                        "configuration/manifest",
                        format!("expected a disk file at {slot:?}, found none"),
                    )
                })?;
            steps.insert(0, root);
            Ok((walk_index(&tree.children, &steps), *path))
        })
        .collect()
}

/// Counts the nodes that a walk visits before the one that `steps` lead to.
fn walk_index(nodes: &[Node], steps: &[usize]) -> usize {
    let Some((step, rest)) = steps.split_first() else {
        return 0;
    };
    let before: usize = nodes.iter().take(*step).map(size).sum();
    match (nodes.get(*step), rest.is_empty()) {
        (Some(node), false) => before + 1 + walk_index(node.children(), rest),
        _ => before,
    }
}

fn size(node: &Node) -> usize {
    1 + node.children().iter().map(size).sum::<usize>()
}
