//! Whether kept files are still as they were.

use block_io::{DiskError, DiskErrorKind, FileStamp, ImageFile};

use crate::{FileSource, HostError};

/// What the kept files of a VM looked like before they were read.
#[derive(Debug)]
pub struct FileStamps(Vec<Option<FileStamp>>);

impl FileStamps {
    /// Looks at the files.
    pub fn take(files: &[FileSource]) -> Result<Self, HostError> {
        let stamps = files.iter().map(|file| stamp(&*file.file));
        Ok(Self(stamps.collect::<Result<_, HostError>>()?))
    }

    /// Fails with `Disk`, the cause being `Changed`, where one of the same files was written to or
    /// replaced since.
    pub fn check(&self, files: &[FileSource]) -> Result<(), HostError> {
        for (file, before) in files.iter().zip(&self.0) {
            let file = &*file.file;
            if stamp(file)? == *before {
                continue;
            }
            let what = "the file changed while the VM was read";
            let error = DiskError::new(DiskErrorKind::Changed, what)
                .in_file(file.name())
                .hint(
                    "run the backup again; if it stays so, see what else writes to the VM's files",
                );
            return Err(HostError::of_disk(error));
        }
        Ok(())
    }
}

fn stamp(file: &dyn ImageFile) -> Result<Option<FileStamp>, HostError> {
    file.stamp().map_err(|error| {
        HostError::of_disk(DiskError::io(
            file.name(),
            "cannot look at this file",
            error,
        ))
    })
}
