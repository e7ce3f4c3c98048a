//! Runs, from end to end.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod around_the_work;
mod backing_up;
mod leaving_out;
mod on_simulated_host;
mod quiet;
mod repository_in_folder;
mod restored_memory;
mod restored_over_wsman;
mod restored_properties;
mod restored_through_writer;
mod restored_to_cluster;
mod restored_to_host;
mod restored_trees;
mod through_vss;
mod whole_tree;
