//! How an object comes to be.

use super::*;

impl SftpStore {
    /// Writes an object under a temporary name and publishes it.
    pub(super) async fn put(
        &self,
        session: &Session,
        name: &str,
        target: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let temporary = self.temporary_path(name)?;
        let result = async {
            self.write_temporary(session, name, &temporary, bytes)
                .await?;
            self.publish(session, name, &temporary, target).await
        }
        .await;
        match &result {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {}
            // Also after a failure: nobody will ever look at it again. If that fails as well, the
            // next day's sweep finds it.
            _ => drop(session.raw.remove(&temporary).await),
        }
        result?;
        self.make_durable(session, name).await
    }

    fn temporary_path(&self, name: &str) -> Result<String, StoreError> {
        let random = temporary_name()
            .map_err(|error| StoreError::io(name, "no random numbers to be had", error))?;
        Ok(self.below_root(&format!("{TEMPORARY_FOLDER}/{random}")))
    }

    /// Makes a file that was not there; `tmp/` too.
    async fn create_file(&self, session: &Session, path: &str) -> Result<String, Error> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let open = || session.raw.open(path, flags, FileAttributes::empty());
        let handle = match open().await {
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => {
                self.make_folder(session, TEMPORARY_FOLDER).await?;
                open().await?
            }
            result => result?,
        };
        Ok(handle.handle)
    }

    /// Makes a folder below the root, and those between, unless they are there.
    async fn make_folder(&self, session: &Session, folder: &str) -> Result<(), Error> {
        let mut result = Ok(());
        for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]) {
            let path = self.below_root(folder.get(..end).unwrap_or(folder));
            let made = session.raw.mkdir(&path, FileAttributes::empty()).await;
            // Servers do not tell why they made none: that it is there already is one reason.
            result = made.map(drop);
        }
        match result {
            Err(error) => {
                let found = session.raw.stat(self.below_root(folder)).await;
                match found.is_ok_and(|found| found.attrs.is_dir()) {
                    true => Ok(()),
                    false => Err(error),
                }
            }
            Ok(()) => Ok(()),
        }
    }

    async fn write_temporary(
        &self,
        session: &Session,
        name: &str,
        temporary: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let handle = match self.create_file(session, temporary).await {
            Ok(handle) => handle,
            Err(error) => return Err(self.not_written(session, name, bytes, error).await),
        };
        let written = async {
            write_all(session, &handle, bytes).await?;
            if session.extensions.fsync {
                session.raw.fsync(&handle).await?;
            }
            Ok(())
        }
        .await;
        // What a server could not write it may say when the file is closed.
        let closed = session.raw.close(handle).await.map(drop);
        match written.and(closed) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.not_written(session, name, bytes, error).await),
        }
    }

    /// A full volume is a mere failure in version 3 of the protocol: the free space tells.
    async fn not_written(
        &self,
        session: &Session,
        name: &str,
        bytes: &[u8],
        error: Error,
    ) -> StoreError {
        if kind_of(&error) == StoreErrorKind::Io
            && session.extensions.statvfs
            && let Ok(volume) = session.raw.statvfs(&self.address.path).await
            && volume.blocks_avail.saturating_mul(volume.fragment_size) <= bytes.len() as u64
        {
            let text = "the server's volume is full";
            return StoreError::new(StoreErrorKind::NoSpace, name, text);
        }
        self.failed(session, name, "cannot write this object", error)
            .await
    }

    /// Gives what was written its name, replacing nothing.
    async fn publish(
        &self,
        session: &Session,
        name: &str,
        temporary: &str,
        target: &str,
    ) -> Result<(), StoreError> {
        let mut result = self.link_or_rename(session, temporary, target).await;
        if let Err(error) = &result
            && kind_of(error) == StoreErrorKind::NotFound
            && let Some((folder, _)) = name.rsplit_once('/')
        {
            result = match self.make_folder(session, folder).await {
                Ok(()) => self.link_or_rename(session, temporary, target).await,
                Err(error) => Err(error),
            };
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) if kind_of(&error) == StoreErrorKind::Unavailable => {
                Err(failed(name, "cannot publish this object", &error))
            }
            // Why is not told: that the name is taken is one reason.
            Err(_) if session.raw.lstat(target).await.is_ok() => Err(StoreError::new(
                StoreErrorKind::Exists,
                name,
                "this object is there already",
            )),
            Err(error) => Err(self
                .failed(session, name, "cannot publish this object", error)
                .await),
        }
    }

    async fn link_or_rename(
        &self,
        session: &Session,
        temporary: &str,
        target: &str,
    ) -> Result<(), Error> {
        if session.extensions.hardlink {
            match session.raw.hardlink(temporary, target).await {
                Ok(_) => return Ok(()),
                Err(error) if kind_of(&error) == StoreErrorKind::NotFound => return Err(error),
                Err(error) if kind_of(&error) == StoreErrorKind::Unavailable => return Err(error),
                // The name is taken, or the server's file system has no links.
                Err(error) => match session.raw.lstat(target).await {
                    Ok(_) => return Err(error),
                    Err(missing) if kind_of(&missing) != StoreErrorKind::NotFound => {
                        return Err(missing);
                    }
                    Err(_) => {}
                },
            }
        }
        // Version 3 refuses to replace (section 6.5).
        session.raw.rename(temporary, target).await.map(drop)
    }

    /// Flushes the folder of an object, and once for each process those above it. A server that
    /// cannot open a folder as a file does not offer more.
    async fn make_durable(&self, session: &Session, name: &str) -> Result<(), StoreError> {
        if !session.extensions.fsync {
            return Ok(());
        }
        let durable = || {
            self.durable_folders
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut folder = name;
        let mut above = Vec::new();
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folder = parent;
            if durable().contains(folder) {
                break;
            }
            above.push(folder.to_owned());
        }
        let parent_of = |folder: &str| match folder.rsplit_once('/') {
            Some((parent, _)) => self.below_root(parent),
            None => self.address.path.clone(),
        };
        for folder in above.iter().rev() {
            self.flush_folder(session, name, &parent_of(folder)).await?;
        }
        durable().extend(above);
        self.flush_folder(session, name, &parent_of(name)).await
    }

    async fn flush_folder(
        &self,
        session: &Session,
        name: &str,
        path: &str,
    ) -> Result<(), StoreError> {
        let open = session
            .raw
            .open(path, OpenFlags::READ, FileAttributes::empty());
        let flushed = match open.await {
            Ok(handle) => {
                let flushed = session.raw.fsync(&handle.handle).await;
                close_later(session, handle.handle);
                flushed.map(drop)
            }
            Err(error) => Err(error),
        };
        match flushed {
            Err(error) if kind_of(&error) == StoreErrorKind::Unavailable => {
                Err(failed(name, "cannot flush the object's folder", &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the root and the folders above it, unless they are there.
    pub(super) async fn make_root(&self, session: &Session) -> Result<(), StoreError> {
        let root = &self.address.path;
        let ends = root.match_indices('/').filter(|(at, _)| *at > 0);
        for (end, _) in ends.chain([(root.len(), "")]) {
            let path = root.get(..end).unwrap_or(root);
            if session.raw.stat(path).await.is_ok() {
                continue;
            }
            let made = session.raw.mkdir(path, FileAttributes::empty()).await;
            made.map_err(|error| failed(&self.location(), "cannot make this folder", &error))?;
        }
        Ok(())
    }

    pub(super) async fn look_at_clock(&self, session: &Session) -> Result<SystemTime, StoreError> {
        const WHAT: &str = "cannot make a file to tell the time by";
        let temporary = self.temporary_path(TEMPORARY_FOLDER)?;
        let looked = async {
            let handle = self.create_file(session, &temporary).await?;
            let attributes = session.raw.fstat(&handle).await;
            close_later(session, handle);
            attributes
        }
        .await;
        drop(session.raw.remove(&temporary).await);
        match looked {
            Ok(found) => listing::modified(&found.attrs).ok_or_else(|| {
                let text = "the server does not tell when a file was written";
                StoreError::new(StoreErrorKind::Unsupported, &self.location(), text)
            }),
            Err(error) => Err(self.failed(session, TEMPORARY_FOLDER, WHAT, error).await),
        }
    }
}
