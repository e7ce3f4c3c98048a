//! A mounted view.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use file_view::FileView;
use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};

use crate::attributes::Reader;
use crate::face::Face;
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
    session: Option<JoinHandle<io::Result<()>>>,
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
            MountOption::FSName("lifeboat".to_owned()),
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

    /// Returns whether somebody else has unmounted it.
    pub fn is_over(&self) -> bool {
        self.session.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Unmounts; programs that still have something open get errors from then on.
    ///
    /// # Errors
    ///
    /// Those of the system, when it stays mounted.
    pub fn unmount(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        if !session.is_finished() {
            if self.unmounter.unmount().is_err() {
                unmount_by_force(&self.folder)?;
            } else {
                // A thread that still reads for a program is not waited for.
                drop(session);
            }
        }
        drop(self.undertaker.take());
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Where it fails, the undertaker tries once this process has ended.
        if self.end().is_err() {
            std::mem::forget(self.undertaker.take());
        }
    }
}
