//! How an object comes to be.

use super::*;

/// How a folder in `tmp/` begins that says who may publish an object.
pub(super) const CLAIM: &str = "claim-";
/// How often, and how long apart, it is looked whether another writer of a name is done.
const CLAIM_LOOKS: u32 = 100;
const CLAIM_WAIT: Duration = Duration::from_millis(50);

impl FtpStore {
    pub(super) fn put(
        &self,
        connection: &mut Connection,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let temporary = self.temporary_path(connection)?;
        let result = self
            .write(connection, name, &temporary, bytes)
            .and_then(|()| self.publish(connection, name, &temporary));
        match &result {
            Err(error) if error.kind() != StoreErrorKind::Unavailable => {
                // Nobody will ever look at it again. If this fails as well, the sweep finds it.
                drop(connection.ftp.rm(&temporary));
            }
            _ => {}
        }
        result
    }

    pub(super) fn temporary_path(&self, connection: &Connection) -> Result<String, StoreError> {
        let random = temporary_name()
            .map_err(|error| StoreError::io(TEMPORARY_FOLDER, "no random numbers", error))?;
        Ok(format!("{}/{TEMPORARY_FOLDER}/{random}", connection.root))
    }

    pub(super) fn write(
        &self,
        connection: &mut Connection,
        name: &str,
        temporary: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut result = send(connection, temporary, bytes);
        if matches!(&result, Err(error) if is_refused(error)) {
            make_folders(connection, &connection.root.clone(), TEMPORARY_FOLDER);
            result = send(connection, temporary, bytes);
        }
        const WHAT: &str = "cannot write this object";
        result.map_err(|error| self.failed(connection, name, WHAT, &error))?;
        // A server takes a line that is cut for the end of a file.
        match connection.size(temporary) {
            Ok(Some(size_bytes)) if size_bytes == bytes.len() as u64 => Ok(()),
            Ok(_) => Err(StoreError::new(
                StoreErrorKind::Unavailable,
                name,
                "the server did not keep all that was sent",
            )),
            Err(error) => Err(failed(name, WHAT, &error)),
        }
    }

    /// Gives what was written its name. Of several writers of one name only the one that has the
    /// claim looks and renames: to make a folder is the one thing that FTP does for one alone.
    fn publish(
        &self,
        connection: &mut Connection,
        name: &str,
        temporary: &str,
    ) -> Result<(), StoreError> {
        const WHAT: &str = "cannot publish this object";
        let target = format!("{}/{name}", connection.root);
        let claim = self.claim(connection, name, &target)?;
        let result = match connection.size(&target) {
            Ok(Some(_)) => Err(exists(name)),
            Ok(None) => {
                let renamed = rename(connection, name, temporary, &target);
                renamed.map_err(|error| self.failed(connection, name, WHAT, &error))
            }
            Err(error) => Err(failed(name, WHAT, &error)),
        };
        let broken = matches!(&result, Err(error) if error.kind() == StoreErrorKind::Unavailable);
        if broken || connection.ftp.rmdir(&claim).is_err() {
            self.left_claims().insert(claim);
        }
        result
    }

    fn left_claims(&self) -> MutexGuard<'_, HashSet<String>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the folder that says that we publish `name`, or waits for another who does.
    fn claim(
        &self,
        connection: &mut Connection,
        name: &str,
        target: &str,
    ) -> Result<String, StoreError> {
        const WHAT: &str = "cannot claim the name of this object";
        let folder = name.replace('/', "_");
        let claim = format!("{}/{TEMPORARY_FOLDER}/{CLAIM}{folder}", connection.root);
        // Made by an earlier call that did not come to its end.
        if self.left_claims().remove(&claim) {
            return Ok(claim);
        }
        for _ in 0..CLAIM_LOOKS {
            match connection.ftp.mkdir(&claim) {
                Ok(()) => return Ok(claim),
                Err(error) if is_refused(&error) => {}
                Err(error) => return Err(failed(name, WHAT, &error)),
            }
            let taken = connection.size(target);
            if taken.map_err(|error| failed(name, WHAT, &error))?.is_some() {
                return Err(exists(name));
            }
            std::thread::sleep(CLAIM_WAIT);
        }
        let text = format!("{WHAT}: {claim} cannot be made, or another writer died with it");
        Err(StoreError::new(StoreErrorKind::Io, name, text))
    }
}

fn exists(name: &str) -> StoreError {
    let text = "this object is there already";
    StoreError::new(StoreErrorKind::Exists, name, text)
}

fn rename(
    connection: &mut Connection,
    name: &str,
    temporary: &str,
    target: &str,
) -> Result<(), FtpError> {
    match connection.ftp.rename(temporary, target) {
        Err(error) if is_refused(&error) && name.contains('/') => {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            make_folders(connection, &connection.root.clone(), folder);
            connection.ftp.rename(temporary, target)
        }
        result => result,
    }
}

/// Makes folders below `root`, unless they are there: servers do not tell that apart from other
/// failures, and what comes next does.
pub(super) fn make_folders(connection: &mut Connection, root: &str, folder: &str) {
    for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]) {
        let path = format!("{root}/{}", folder.get(..end).unwrap_or(folder));
        drop(connection.ftp.mkdir(path));
    }
}

/// Returns whether the server said no for good: a folder may be missing.
fn is_refused(error: &FtpError) -> bool {
    matches!(error, FtpError::UnexpectedResponse(response) if (550..=553).contains(&response.status.code()))
}

fn send(connection: &mut Connection, path: &str, bytes: &[u8]) -> Result<(), FtpError> {
    let mut stream = connection.ftp.put_with_stream(path)?;
    let sent = stream.write_all(bytes).and_then(|()| stream.flush());
    let finished = stream.finish();
    // What the server says of the transfer tells more than that the line was cut.
    match (sent, finished) {
        (Ok(()), finished) => finished,
        (Err(_), Err(FtpError::UnexpectedResponse(response))) => {
            Err(FtpError::UnexpectedResponse(response))
        }
        (Err(error), _) => Err(FtpError::ConnectionError(error)),
    }
}
