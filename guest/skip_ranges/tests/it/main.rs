//! What is left out is nothing that anybody needs, says whoever made the file system.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod btrfs;
mod disks;
mod ext;
mod hostile;
mod images;
mod ntfs;
mod xfs;
