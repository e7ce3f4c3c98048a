//! The checkpoint tree of a point, and the disks that it names.

use hyperv_host::{CheckpointNode, CheckpointTree, TreeDisk};
use repository::{RestorePoint, Stream};

use crate::RestoreError;

/// A chain of more images is refused, as it is everywhere: Hyper-V allows 50 checkpoints.
const MAX_IMAGES: usize = 256;
/// Digits of a checkpoint's id that are enough to name it.
const ID_DIGITS: usize = 4;

/// Returns the tree of a point; `None` where it holds the latest state alone.
///
/// # Errors
///
/// `Failed` where the point has a tree that cannot be understood.
pub fn checkpoint_tree(point: &RestorePoint) -> Result<Option<CheckpointTree>, RestoreError> {
    let parse = |tree: &serde_json::Value| serde_json::from_value(tree.clone());
    point
        .checkpoints
        .as_ref()
        .map(parse)
        .transpose()
        .map_err(|error| {
            let what = format!("cannot read the checkpoint tree of point {}", point.id);
            RestoreError::new(what, error.into())
        })
}

/// Returns the disks of the VM as it is, or of the checkpoint that `checkpoint` names: by its name,
/// its id, or the beginning of that.
pub(crate) fn disks_of<'a>(
    tree: &'a CheckpointTree,
    checkpoint: Option<&str>,
) -> Result<&'a [TreeDisk], RestoreError> {
    let Some(asked) = checkpoint else {
        return Ok(&tree.active);
    };
    let lower = asked.trim_matches(['{', '}']).to_lowercase();
    let chosen = |wanted: &dyn Fn(&CheckpointNode) -> bool| -> Vec<&'a CheckpointNode> {
        tree.checkpoints
            .iter()
            .filter(|node| wanted(node))
            .collect()
    };
    let mut found = chosen(&|node| node.id.eq_ignore_ascii_case(&lower));
    if found.is_empty() {
        found = chosen(&|node| node.name.to_lowercase() == asked.to_lowercase());
    }
    if found.is_empty() && lower.len() >= ID_DIGITS {
        found = chosen(&|node| node.id.to_lowercase().starts_with(&lower));
    }
    match found.as_slice() {
        [node] => Ok(&node.disks),
        [] => Err(RestoreError::Checkpoint {
            what: format!(
                "the restore point has no checkpoint {asked:?}; {}",
                known(tree)
            ),
        }),
        several => Err(RestoreError::Checkpoint {
            what: format!(
                "{} checkpoints are called {asked:?}: name one by its id; {}",
                several.len(),
                known(tree)
            ),
        }),
    }
}

fn known(tree: &CheckpointTree) -> String {
    let names: Vec<String> = tree
        .checkpoints
        .iter()
        .map(|node| format!("{:?} ({})", node.name, node.id))
        .collect();
    if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    }
}

/// Returns the images that make up the disk whose leaf is `leaf`, leaf first. What the point says
/// is asked, not the paths inside of the images.
pub(crate) fn chain_of<'a>(
    point: &'a RestorePoint,
    leaf: &str,
) -> Result<Vec<&'a Stream>, RestoreError> {
    let mut chain: Vec<&Stream> = Vec::new();
    let mut next = Some(leaf);
    while let Some(name) = next {
        let failed = |why: String| {
            let what = format!("cannot read the disk {leaf} of point {}", point.id);
            Err(RestoreError::new(what, why.into()))
        };
        let Some(image) = point.images.iter().find(|image| image.name == name) else {
            return failed(format!("the point holds no image {name}"));
        };
        if chain.len() >= MAX_IMAGES || chain.iter().any(|other| other.name == name) {
            return failed(format!(
                "the chain of parents returns to {name}, or has no end"
            ));
        }
        chain.push(image);
        next = image.parent.as_deref();
    }
    Ok(chain)
}
