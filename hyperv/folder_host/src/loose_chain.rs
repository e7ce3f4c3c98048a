//! Disk chains that no configuration names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use block_io::{BlockDevice as _, DiskError};
use disk_image::{DiskImage, OpenOptions};
use hyperv_host::{DiskEntry, DiskKind, VmEntry};

use crate::catalog::{Catalog, has_extension};
use crate::chain_files::chain_files;
use crate::diagnosis::of_disk;

/// What counts as a disk. Anything can be a raw image, so only two names are taken for one.
const DISK_EXTENSIONS: [&str; 6] = ["vhdx", "avhdx", "vhd", "avhd", "img", "raw"];

/// How the identity of a VM without a configuration begins.
pub(crate) const IDENTITY_PREFIX: &str = "file:";

/// Returns the VMs that consist of a chain which none of `claimed` files is the leaf of.
pub(crate) fn loose_chains(catalog: &Catalog, claimed: &HashSet<PathBuf>) -> Vec<VmEntry> {
    let mut parents = HashSet::new();
    let mut loose = Vec::new();
    for path in disk_files(catalog) {
        let resolved = path.canonicalize().ok();
        if resolved.as_ref().is_some_and(|file| claimed.contains(file)) {
            continue;
        }
        let image = disk_image::open(path, &OpenOptions::below(&catalog.root));
        let files = chain_files(path, &image, &catalog.root);
        parents.extend(files.into_iter().skip(1));
        let vm = entry(catalog, path, image.as_ref());
        loose.push((resolved, vm));
    }
    loose
        .into_iter()
        .filter(|(resolved, _)| resolved.as_ref().is_none_or(|file| !parents.contains(file)))
        .map(|(_, vm)| vm)
        .collect()
}

/// Returns the file that an identity names, where there is one below the folder.
pub(crate) fn by_identity<'a>(catalog: &'a Catalog, identity: &str) -> Option<&'a Path> {
    disk_files(catalog).find(|path| self::identity(catalog, path) == identity)
}

/// Makes the entry of a chain from its leaf.
pub(crate) fn entry(
    catalog: &Catalog,
    leaf: &Path,
    image: Result<&DiskImage, &DiskError>,
) -> VmEntry {
    VmEntry {
        identity: identity(catalog, leaf),
        name: leaf
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        state: None,
        node: None,
        generation: None,
        version: None,
        disks: vec![DiskEntry {
            number: 0,
            slot: None,
            path: leaf.display().to_string(),
            kind: DiskKind::Virtual,
            size_bytes: image.ok().map(DiskImage::size_bytes),
            chain_files: image.map_or(0, |image| image.chain().len()),
        }],
        checkpoints: 0,
        findings: image.err().map(of_disk).into_iter().collect(),
    }
}

fn identity(catalog: &Catalog, leaf: &Path) -> String {
    format!("{IDENTITY_PREFIX}{}", catalog.below(leaf))
}

/// Returns the files that are disks by their name. A link to a file that is listed anyway is not
/// a second disk.
fn disk_files(catalog: &Catalog) -> impl Iterator<Item = &Path> {
    catalog.index.files().filter(|path| {
        let second = path.is_symlink()
            && path.canonicalize().is_ok_and(|file| {
                file.starts_with(&catalog.root) && has_extension(&file, &DISK_EXTENSIONS)
            });
        has_extension(path, &DISK_EXTENSIONS) && !second
    })
}
