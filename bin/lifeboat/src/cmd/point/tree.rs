//! The checkpoint tree of a restore point, as people see it in Hyper-V Manager.

use hyperv_host::{CheckpointNode, CheckpointTree};
use repository::RestorePoint;
use vm_restore::checkpoint_tree;

use crate::cli_error::CliError;
use crate::ui::{Ui, local_time, size};

/// Deeper trees are shown without further indents.
const MAX_DEPTH: usize = 64;

/// Shows the tree, where the point has one: checkpoints below those that they derive from, and
/// where the VM goes on.
pub(super) fn show_tree(ui: &Ui, point: &RestorePoint) -> Result<(), CliError> {
    let Some(tree) = checkpoint_tree(point)? else {
        return Ok(());
    };
    let mut lines = Vec::new();
    let mut left: Vec<&CheckpointNode> = tree.checkpoints.iter().collect();
    add_below(&tree, None, 0, &mut left, &mut lines);
    // What derives from a checkpoint that is not in the point has nowhere else to be shown.
    while let Some(node) = left.pop() {
        add(&tree, node, 0, &mut left, &mut lines);
    }
    if tree.current.is_none() {
        lines.push("(now)".to_owned());
    }
    for (number, line) in lines.iter().enumerate() {
        let name = if number == 0 { "checkpoints" } else { "" };
        ui.data(format!("{name:<12} {line}"));
    }
    Ok(())
}

fn add_below<'a>(
    tree: &'a CheckpointTree,
    parent: Option<&str>,
    depth: usize,
    left: &mut Vec<&'a CheckpointNode>,
    lines: &mut Vec<String>,
) {
    // Each is taken out when it is shown, so a circle ends.
    while let Some(at) = left
        .iter()
        .position(|node| node.parent.as_deref() == parent)
    {
        let node = left.remove(at);
        add(tree, node, depth, left, lines);
    }
}

fn add<'a>(
    tree: &'a CheckpointTree,
    node: &'a CheckpointNode,
    depth: usize,
    left: &mut Vec<&'a CheckpointNode>,
    lines: &mut Vec<String>,
) {
    let indent = "  ".repeat(depth);
    let made = node
        .created
        .map_or_else(String::new, |time| format!(", {}", local_time(time)));
    let memory = node
        .memory_bytes
        .map_or_else(|| "no".to_owned(), |bytes| format!("yes ({})", size(bytes)));
    lines.push(format!(
        "{indent}{} ({}){made}, memory: {memory}",
        node.name, node.id
    ));
    if depth < MAX_DEPTH {
        add_below(tree, Some(&node.id), depth + 1, left, lines);
    }
    if tree.current.as_ref() == Some(&node.id) {
        lines.push(format!("{indent}  (now)"));
    }
}
