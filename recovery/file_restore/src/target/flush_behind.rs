//! Flushes a long file while it is being written.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A thread that flushes a file each time that so much more of it was written, while who writes goes on:
/// the disk works from the beginning instead of all at once at the end, and what it has is not kept in
/// memory. Nobody has the file open any more once this is dropped.
pub(super) struct FlushBehind {
    every_bytes: u64,
    unflushed_bytes: u64,
    /// Both are there until the end.
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

impl FlushBehind {
    pub(super) fn every(every_bytes: u64, file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        // Who writes faster than the disk waits for it.
        let (due, turns) = sync_channel(1);
        let flush = move || {
            let mut flushes = 0;
            for () in turns {
                file.sync_data()?;
                block_io::leave_page_cache(&file);
                flushes += 1;
            }
            Ok(flushes)
        };
        Ok(Self {
            every_bytes,
            unflushed_bytes: 0,
            due: Some(due),
            thread: Some(std::thread::Builder::new().spawn(flush)?),
        })
    }

    /// Says that so many more bytes were written.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.unflushed_bytes += bytes;
        if self.unflushed_bytes >= self.every_bytes {
            self.unflushed_bytes = 0;
            // A thread that has ended says why in the end.
            let _ = self.due.as_ref().map(|due| due.send(()));
        }
    }

    /// Waits for the last flush; returns how many there were. What was written since is not flushed.
    ///
    /// # Errors
    ///
    /// What the first flush that failed said.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.end()
    }

    fn end(&mut self) -> io::Result<u64> {
        self.due = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(flushed)) => flushed,
            _ => Err(io::Error::other("the thread that flushes it ended")),
        }
    }
}

impl Drop for FlushBehind {
    fn drop(&mut self) {
        // Where it was not finished, another error is being told.
        let _ = self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_flushed_each_time_that_so_much_was_written() {
        let mut file = tempfile::tempfile().unwrap();
        let mut behind = FlushBehind::every(1000, &file).unwrap();
        for _ in 0..10 {
            file.write_all(&[1; 350]).unwrap();
            behind.wrote(350);
        }
        assert_eq!(behind.finish().unwrap(), 3);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_flush_that_fails_is_told() {
        // A pipe cannot be flushed.
        let (_from, to) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(to));
        let mut behind = FlushBehind::every(1, &file).unwrap();
        for _ in 0..5 {
            behind.wrote(1);
        }
        assert!(behind.finish().is_err());
    }
}
