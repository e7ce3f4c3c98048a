//! Where an archive is written to.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::TargetError;
use super::new_file::NewFile;

/// Bytes that go to the file at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What an archive is written to, and how that ends.
pub trait ArchiveOut: Write {
    /// Ends it: everything written is durable, and has its name.
    ///
    /// # Errors
    ///
    /// Those of the system. Then there is no archive under its name.
    fn end(self) -> Result<(), TargetError>
    where
        Self: Sized;
}

/// An archive in a file of this machine, which gets its name when it is whole. Dropped before, it is
/// removed. It is this user's alone: it has what the guest did not show to everybody.
pub struct ArchiveFile {
    place: PathBuf,
    overwrite: bool,
    out: Out,
}

enum Out {
    /// Beside its place.
    New { file: NewFile, waiting: Vec<u8> },
    /// A pipe or a device, which cannot be replaced.
    Existing(BufWriter<File>),
}

impl ArchiveFile {
    /// Begins a file. With `overwrite` one that is there is replaced once the new one is whole. A
    /// pipe, a terminal or the like is written to as it is, where it is this user's or root's: others
    /// would read along. Links, block devices and sockets are refused.
    ///
    /// # Errors
    ///
    /// [`TargetError::is_exists`]; those of the system.
    pub fn create(place: &Path, overwrite: bool) -> Result<Self, TargetError> {
        let failed = |error| TargetError::io(place.display(), error);
        let out = match fs::symlink_metadata(place) {
            Ok(there) if there.is_dir() => {
                let what = format!("{} is a folder: name a file in it", place.display());
                return Err(TargetError::exists(what));
            }
            Ok(there) if there.is_symlink() => {
                let what = format!("{} is a link: name what it leads to", place.display());
                return Err(TargetError::of_file(what));
            }
            Ok(there) if !there.is_file() => {
                let file = open_special(place, &there)?;
                Out::Existing(BufWriter::with_capacity(BUFFER_BYTES, file))
            }
            Ok(_) if !overwrite => {
                let what = format!("{} exists", place.display());
                return Err(TargetError::exists(what));
            }
            _ => Out::New {
                file: NewFile::beside(place).map_err(failed)?,
                waiting: Vec::with_capacity(BUFFER_BYTES),
            },
        };
        Ok(Self {
            place: place.to_owned(),
            overwrite,
            out,
        })
    }
}

/// Opens what is no file, and looks at what was opened: it may be another one by then.
#[cfg(unix)]
fn open_special(place: &Path, there: &fs::Metadata) -> Result<File, TargetError> {
    use rustix::fs::{Mode, OFlags, open};
    use std::os::unix::fs::MetadataExt as _;
    let failed = |error| TargetError::io(place.display(), error);
    let refused = |why: &str| TargetError::of_file(format!("{} {why}", place.display()));
    // A disk that is opened may be changed by that alone.
    check_stream(there).map_err(refused)?;
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = open(place, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| failed(error.into()))?);
    let about = file.metadata().map_err(failed)?;
    check_stream(&about).map_err(refused)?;
    let owner = about.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(refused("belongs to somebody else, who would read along"));
    }
    Ok(file)
}

/// Returns why something cannot be written to from front to back.
#[cfg(unix)]
fn check_stream(about: &fs::Metadata) -> Result<(), &'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = about.file_type();
    if kind.is_block_device() {
        return Err("is a disk, which an archive would destroy");
    }
    if !kind.is_fifo() && !kind.is_char_device() {
        return Err("is neither a file nor a pipe");
    }
    Ok(())
}

#[cfg(not(unix))]
fn open_special(place: &Path, _there: &fs::Metadata) -> Result<File, TargetError> {
    let opened = File::options().write(true).open(place);
    opened.map_err(|error| TargetError::io(place.display(), error))
}

impl Write for ArchiveFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Out::New { file, waiting } => {
                if waiting.len() + bytes.len() > BUFFER_BYTES {
                    file.file.write_all(waiting)?;
                    waiting.clear();
                }
                if bytes.len() >= BUFFER_BYTES {
                    return file.file.write(bytes);
                }
                waiting.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Out::Existing(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::New { file, waiting } => {
                file.file.write_all(waiting)?;
                waiting.clear();
                Ok(())
            }
            Out::Existing(file) => file.flush(),
        }
    }
}

impl ArchiveOut for ArchiveFile {
    fn end(mut self) -> Result<(), TargetError> {
        let name = self.place.display().to_string();
        let failed = |error| TargetError::io(&name, error);
        self.flush().map_err(failed)?;
        let Out::New { file, .. } = self.out else {
            return Ok(());
        };
        file.file.sync_all().map_err(failed)?;
        file.publish(&self.place, self.overwrite)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => TargetError::exists(format!("{name} exists")),
                _ => failed(error),
            })?;
        let folder = self.place.parent().unwrap_or(Path::new(""));
        block_io::flush_folder(folder).map_err(failed)
    }
}

/// An archive that goes to standard output, or any other stream.
pub struct ToStream<W: Write>(BufWriter<W>);

impl<W: Write> ToStream<W> {
    /// Writes to a stream.
    pub fn new(out: W) -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, out))
    }
}

impl<W: Write> Write for ToStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> ArchiveOut for ToStream<W> {
    fn end(mut self) -> Result<(), TargetError> {
        let flushed = self.0.flush();
        flushed.map_err(|error| TargetError::io("the archive cannot be written", error))
    }
}

/// What is written through it is compressed.
pub struct ZstdOut<W: ArchiveOut>(zstd::Encoder<'static, W>);

impl<W: ArchiveOut> ZstdOut<W> {
    /// Compresses at this level.
    ///
    /// # Errors
    ///
    /// Those of zstd.
    pub fn new(out: W, level: i32) -> Result<Self, TargetError> {
        let encoder = zstd::Encoder::new(out, level);
        let encoder = encoder.map_err(|error| TargetError::io("zstd", error))?;
        Ok(Self(encoder))
    }
}

impl<W: ArchiveOut> Write for ZstdOut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: ArchiveOut> ArchiveOut for ZstdOut<W> {
    fn end(self) -> Result<(), TargetError> {
        let ended = self.0.finish();
        let out = ended.map_err(|error| TargetError::io("the archive cannot be ended", error))?;
        out.end()
    }
}

/// What an archive is written through, so that one that is given up is not ended: to a reader it
/// would look whole.
pub(super) struct Gate<W> {
    pub(super) out: W,
    is_shut: Rc<Cell<bool>>,
}

impl<W: Write> Gate<W> {
    pub(super) fn new(out: W) -> (Self, Rc<Cell<bool>>) {
        let is_shut = Rc::new(Cell::new(false));
        let gate = Self {
            out,
            is_shut: Rc::clone(&is_shut),
        };
        (gate, is_shut)
    }
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_shut.get() {
            return Ok(bytes.len());
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_shut.get() {
            return Ok(());
        }
        self.out.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_and_sockets_are_refused_by_name_and_devices_are_written_to() {
        let bench = tempfile::tempdir().unwrap();
        let (link, socket) = (bench.path().join("link"), bench.path().join("socket"));
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (place, why) in [(&link, "is a link"), (&socket, "neither")] {
            let error = ArchiveFile::create(place, true).err().unwrap();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert!(ArchiveFile::create(Path::new("/dev/null"), false).is_ok());
    }
}
