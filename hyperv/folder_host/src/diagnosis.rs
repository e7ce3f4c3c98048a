//! What can be wrong, under which id, and what to do about it.

use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};
use hyperv_host::{Finding, Severity};

/// Makes a finding.
pub(crate) fn finding(id: &str, severity: Severity, text: String, cure: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        severity,
        text,
        cure: Some(cure.to_owned()),
    }
}

/// Makes the finding of a disk that cannot be opened. The disk's own hint comes first.
pub(crate) fn of_disk(error: &DiskError) -> Finding {
    let (id, cure) = match error.kind() {
        DiskErrorKind::ParentMissing => (
            "VM-PARENT-MISSING",
            "put the parent disk below the folder as well",
        ),
        DiskErrorKind::ParentMismatch => (
            "VM-PARENT-MISMATCH",
            "put the parent back as it was when the checkpoint was made; a parent that was \
             changed later no longer fits its children",
        ),
        DiskErrorKind::ParentLoop => (
            "VM-PARENT-LOOP",
            "put the right parent disks back: this chain has no beginning",
        ),
        DiskErrorKind::Ambiguous => (
            "VM-PARENT-AMBIGUOUS",
            "leave only one of the files below the folder",
        ),
        DiskErrorKind::OutsideRoot => (
            "VM-DISK-OUTSIDE-ROOT",
            "name the folder that holds all the VM's disks",
        ),
        DiskErrorKind::InUse => (
            "VM-DISK-IN-USE",
            "shut the VM down, or back up a copy of its files",
        ),
        _ => (
            "VM-DISK-UNREADABLE",
            "get a whole copy of the disk, or look at it with lifeboat disk check",
        ),
    };
    let cure = error.hint_text().unwrap_or(cure);
    finding(id, Severity::Block, error.to_string(), cure)
}

/// Makes the error of a configured disk that has no file.
pub(crate) fn missing(path: &str, root: &Path) -> (DiskError, Finding) {
    let text = format!(
        "no file below {} has the name of the VM's disk {path}",
        root.display()
    );
    let cure = "put the disk below the folder, under the name that the configuration has for it";
    (
        DiskError::new(DiskErrorKind::NotFound, text.clone()).hint(cure),
        finding("VM-DISK-MISSING", Severity::Block, text, cure),
    )
}

/// Makes the error of a configured disk that may be one of several files.
pub(crate) fn ambiguous(path: &str, candidates: &[PathBuf]) -> (DiskError, Finding) {
    let candidates: Vec<String> = candidates
        .iter()
        .map(|candidate| candidate.display().to_string())
        .collect();
    let text = format!(
        "the VM's disk {path} may be any of {}",
        candidates.join(", ")
    );
    let cure = "name a folder that holds only one of the files, or give them the folders that \
                they had on the host";
    (
        DiskError::new(DiskErrorKind::Ambiguous, text.clone()).hint(cure),
        finding("VM-DISK-AMBIGUOUS", Severity::Block, text, cure),
    )
}
