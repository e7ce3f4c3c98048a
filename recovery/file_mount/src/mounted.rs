//! A mounted view.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use file_view::FileView;
use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};

use crate::attributes::Reader;
use crate::face::Face;
use crate::mount_table::{SOURCE, is_mounted};
use crate::undertaker::{Undertaker, unmount_by_force};

/// Threads that answer the kernel: one that waits for a slow store does not stop the others.
const THREADS: usize = 8;

/// Told what could not be read, in words: programs hear a number only.
pub type Told = dyn Fn(&str) + Send + Sync;

/// How a view is mounted.
#[derive(Debug, Clone, Copy, Default)]
pub struct MountOptions {
    /// Whether owners, set-id bits and all extended attributes are shown as they are in the guest.
    pub as_in_guest: bool,
}

/// A mounted view. It is unmounted when this is dropped, and when the process dies.
pub struct Mounted {
    folder: PathBuf,
    unmounter: SessionUnmounter,
    /// `None` once it was asked what it ended with.
    session: Option<JoinHandle<io::Result<()>>>,
    /// `None` once it was unmounted, or could not be.
    undertaker: Option<Undertaker>,
}

impl Mounted {
    /// Mounts a view on a folder.
    ///
    /// # Errors
    ///
    /// Where there is no FUSE, no right to mount, or no such folder.
    pub fn mount(
        view: Arc<FileView>,
        folder: &Path,
        options: MountOptions,
        told: Box<Told>,
    ) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let reader = Reader {
            user: rustix::process::getuid().as_raw(),
            group: rustix::process::getgid().as_raw(),
            as_in_guest: options.as_in_guest,
        };
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::RO,
            MountOption::NoSuid,
            MountOption::NoDev,
            MountOption::NoExec,
            MountOption::NoAtime,
            MountOption::FSName(SOURCE.to_owned()),
            MountOption::Subtype("lifeboat".to_owned()),
        ];
        config.acl = SessionACL::Owner;
        config.n_threads = Some(THREADS);
        let mut session = Session::new(Face::new(view, reader, told), &folder, &config)?;
        let unmounter = session.unmount_callable();
        let undertaker = Undertaker::hire(&folder)?;
        let thread = std::thread::Builder::new().name("mount".to_owned());
        Ok(Self {
            folder,
            unmounter,
            session: Some(thread.spawn(move || session.run())?),
            undertaker: Some(undertaker),
        })
    }

    /// Returns where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether nobody is answered any more: somebody else has unmounted it, or it failed.
    pub fn is_over(&self) -> bool {
        self.session.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Returns what it failed with, once, where it is over for another reason than that somebody
    /// unmounted it.
    pub fn failure(&mut self) -> Option<io::Error> {
        let session = self.session.take_if(|session| session.is_finished())?;
        match session.join() {
            Ok(ended) => ended.err(),
            Err(_) => Some(io::Error::other("the thread that answers the kernel ended")),
        }
    }

    /// Unmounts; programs that still have something open get errors from then on.
    ///
    /// # Errors
    ///
    /// Those of the system, when it stays mounted; then it is tried once more when this process has
    /// ended.
    pub fn unmount(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(undertaker) = self.undertaker.take() else {
            return Ok(());
        };
        let freed = self.free();
        match freed {
            Ok(()) => drop(undertaker),
            // Its input stays open until this process ends, and it tries then.
            Err(_) => std::mem::forget(undertaker),
        }
        freed
    }

    /// Sees to it that the folder is no mount any more. A thread that still reads for a program is not
    /// waited for.
    fn free(&mut self) -> io::Result<()> {
        // What a program says that unmounts is not passed on: what the kernel lists counts.
        let asked = self.unmounter.unmount();
        if is_mounted(&self.folder).map_or(asked.is_ok(), |is_mounted| !is_mounted) {
            return Ok(());
        }
        unmount_by_force(&self.folder)?;
        match is_mounted(&self.folder) {
            Ok(true) => Err(io::Error::other("it is still mounted")),
            _ => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Where it fails, the undertaker tries once this process has ended.
        drop(self.end());
    }
}
