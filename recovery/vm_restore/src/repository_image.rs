//! An image file that lies in the repository.

use std::error::Error;
use std::fmt;
use std::io;

use block_io::{BlockDevice as _, DiskError, ExtentKind, ImageFile, LayerExtent, LayerExtentKind};
use repository::{Repository, RepositoryDisk, RepositoryError, Stream};

/// An image file of a restore point, read where it lies.
pub(crate) struct RepositoryImage {
    name: String,
    file: RepositoryDisk,
}

impl RepositoryImage {
    pub(crate) fn open(repository: &Repository, stream: &Stream) -> Result<Self, RepositoryError> {
        Ok(Self {
            name: stream.name.clone(),
            file: repository.open_stream(stream)?,
        })
    }

    fn check(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        let end = offset.checked_add(len_bytes);
        if end.is_some_and(|end| end <= self.file.size_bytes()) {
            return Ok(());
        }
        let what = format!(
            "the file has {} bytes, {len_bytes} at {offset} were asked for",
            self.file.size_bytes()
        );
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, what))
    }
}

/// What the repository said. `io::Error` leaves out what it is made of when it is asked for its
/// cause, so this is put between.
#[derive(Debug)]
struct Unread(DiskError);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Unread {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn io_error(error: DiskError) -> io::Error {
    io::Error::other(Unread(error))
}

impl ImageFile for RepositoryImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.file.size_bytes())
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.check(offset, buf.len() as u64)?;
        self.file.read_at(offset, buf).map_err(io_error)
    }

    /// What was never stored is a hole of the file.
    fn file_extent_at(&self, offset: u64, max_bytes: u64) -> io::Result<LayerExtent> {
        self.check(offset, max_bytes)?;
        let extent = self.file.extent_at(offset, max_bytes).map_err(io_error)?;
        Ok(LayerExtent {
            kind: match extent.kind {
                ExtentKind::Data => LayerExtentKind::Data,
                ExtentKind::Zero => LayerExtentKind::Zero,
                ExtentKind::NotAllocated => LayerExtentKind::Parent,
            },
            len_bytes: extent.len_bytes,
        })
    }
}
