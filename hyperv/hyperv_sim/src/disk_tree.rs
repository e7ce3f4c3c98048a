//! The trees of files that a VM's disks are made of.
//!
//! Checkpoints freeze nodes, the VM writes to leaves. A node that nobody refers to any more is
//! removed if nothing derives from it, and takes up its child if one does; with two children it
//! stays.

use std::collections::BTreeSet;

use crate::Vm;

/// What becomes of a file that nobody refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Nothing derives from it: it goes.
    Discard {
        /// The file.
        file: String,
    },
    /// One file derives from it: that is merged into it.
    Merge {
        /// The file that goes.
        child: String,
        /// The file that stays.
        parent: String,
    },
}

impl Vm {
    /// Lists the files that derive from one directly.
    pub(crate) fn children_of(&self, file: &str) -> Vec<String> {
        self.files
            .iter()
            .filter(|(_, node)| node.parent.as_deref() == Some(file))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Returns the file of the VM's own that a file goes back to.
    pub(crate) fn base_of<'a>(&'a self, file: &'a str) -> &'a str {
        let mut file = file;
        // A tree is not deeper than it has nodes.
        for _ in 0..self.files.len() {
            match self.files.get(file).and_then(|node| node.parent.as_deref()) {
                Some(parent) => file = parent,
                None => break,
            }
        }
        file
    }

    /// Lists the files that the VM or one of its checkpoints refers to.
    fn files_in_use(&self) -> BTreeSet<&str> {
        let running = self.disks.iter().map(|disk| disk.path.as_str());
        let frozen = self.snapshots.iter().flat_map(|snapshot| &snapshot.disks);
        running
            .chain(frozen.map(|disk| disk.path.as_str()))
            .collect()
    }

    /// Lists the files that are to be removed or merged now. Doing so may bring up others.
    pub(crate) fn leftovers(&self) -> Vec<Leftover> {
        let in_use = self.files_in_use();
        let mut leftovers = Vec::new();
        for (file, node) in &self.files {
            if in_use.contains(file.as_str()) {
                continue;
            }
            let mut children = self.children_of(file);
            match (children.pop(), children.is_empty()) {
                // A base that nobody uses is somebody's: it is left alone.
                (None, _) if node.parent.is_some() => {
                    leftovers.push(Leftover::Discard { file: file.clone() });
                }
                (Some(child), true) => leftovers.push(Leftover::Merge {
                    child,
                    parent: file.clone(),
                }),
                _ => {}
            }
        }
        leftovers
    }

    /// Lets everything that referred to `old` refer to `new`.
    pub(crate) fn rename_file(&mut self, old: &str, new: &str) {
        let replace = |path: &mut String| {
            if path == old {
                new.clone_into(path);
            }
        };
        self.disks
            .iter_mut()
            .for_each(|disk| replace(&mut disk.path));
        let frozen = self.snapshots.iter_mut().flat_map(|one| &mut one.disks);
        frozen.for_each(|disk| replace(&mut disk.path));
        let nodes = self.files.values_mut();
        nodes
            .filter_map(|node| node.parent.as_mut())
            .for_each(replace);
    }
}
