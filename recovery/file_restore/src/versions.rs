//! The versions that a file has over restore points.

use guest_files::Node;

/// A file as it is in some points, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first point that has it, as a number in the list of points.
    pub first: usize,
    /// The last one.
    pub last: usize,
    /// What it is, in the first of them.
    pub node: Node,
}

impl Version {
    /// Returns in how many points it is.
    pub fn points(&self) -> usize {
        (self.last - self.first).saturating_add(1)
    }
}

/// All versions of one file over a list of points, which are told one after the other, the oldest
/// first. A file that comes back as it once was has one more version: what lies between was another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    versions: Vec<Version>,
}

impl History {
    /// The point has the file; `is_same` says whether it is the same version as in the point before.
    pub fn has(&mut self, point: usize, node: Node, is_same: bool) {
        if !is_same || !self.goes_on(point) {
            self.versions.push(Version {
                first: point,
                last: point,
                node,
            });
        }
    }

    /// The point is like the one before: it has the file as that did, or does not have it as well.
    pub fn goes_on(&mut self, point: usize) -> bool {
        match self.versions.last_mut() {
            Some(last) if last.last.checked_add(1) == Some(point) => {
                last.last = point;
                true
            }
            _ => false,
        }
    }

    /// Returns the versions, the oldest first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// Returns the version that the last point told of has, where `points` were told of.
    pub fn current(&self, points: usize) -> Option<&Version> {
        self.versions
            .last()
            .filter(|version| version.last.checked_add(1) == Some(points))
    }
}

#[cfg(test)]
mod tests {
    use guest_files::{NodeId, NodeKind, Owner, Times};
    use proptest::prelude::*;

    use super::*;

    fn node(size_bytes: u64) -> Node {
        Node {
            id: NodeId {
                tree: 0,
                number: size_bytes,
            },
            kind: NodeKind::File,
            size_bytes,
            links: 1,
            times: Times::default(),
            owner: Owner::Windows { attributes: 0 },
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Points of which each has no file (0), or one of some sizes; equal neighbors may be told as
        /// points that changed in nothing.
        #[test]
        fn versions_are_the_runs_of_equal_points(sizes in prop::collection::vec((0_u64..4, any::<bool>()), 0..20)) {
            let mut history = History::default();
            let mut before = None;
            for (point, (size, is_short)) in sizes.iter().enumerate() {
                let is_same = before == Some(*size);
                if is_same && *is_short {
                    prop_assert_eq!(history.goes_on(point), *size > 0);
                } else if *size > 0 {
                    history.has(point, node(*size), is_same);
                }
                before = Some(*size);
            }
            let mut model: Vec<(usize, usize, u64)> = Vec::new();
            for (point, (size, _)) in sizes.iter().enumerate().filter(|(_, (size, _))| *size > 0) {
                match model.last_mut() {
                    Some(last) if last.1 + 1 == point && last.2 == *size => last.1 = point,
                    _ => model.push((point, point, *size)),
                }
            }
            let found = history.versions().iter().map(|it| (it.first, it.last, it.node.size_bytes));
            prop_assert_eq!(found.collect::<Vec<_>>(), model);
            let current = history.current(sizes.len()).map(|it| it.node.size_bytes);
            prop_assert_eq!(current, sizes.last().map(|last| last.0).filter(|size| *size > 0));
        }
    }
}
