//! The cluster is told before a VM of its is saved.
