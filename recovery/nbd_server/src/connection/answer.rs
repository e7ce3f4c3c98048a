//! Answering one request from the device.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use block_io::{BlockDevice, DiskError, ExtentKind};

use super::{BufferRoom, READ_BYTES_MAX, Session};
use crate::protocol::{
    CHUNK_DATA_ROOM, Command, ErrorNumber, NO_FRAGMENTS, ONE_EXTENT, Request, SIMPLE_ROOM,
    StatusExtent, block_status_reply, data_chunk_header, done_chunk, error_chunk, hole_chunk,
    simple_reply,
};

/// Data of one chunk of a structured reply, in bytes.
const PIECE_BYTES: u64 = 1 << 20;
/// Extents that one reply tells.
const STATUS_EXTENTS_MAX: usize = 1024;
/// Extents of the device that are looked at for one reply.
const STATUS_STEPS_MAX: usize = 1 << 14;

/// What answers the requests of one client.
pub(crate) struct Answerer<'a, W> {
    pub(crate) session: &'a Session,
    pub(crate) room: &'a BufferRoom,
    pub(crate) to: Mutex<W>,
}

impl<W: Write> Answerer<'_, W> {
    /// Answers a request. Fails where the client cannot be written to.
    pub(crate) fn answer(&self, request: &Request) -> io::Result<()> {
        let cookie = request.cookie;
        if request.has_odd_flags() {
            return self.fail(
                cookie,
                ErrorNumber::Invalid,
                "a flag that does not belong here",
            );
        }
        match request.command {
            Command::Read => self.read(request),
            Command::BlockStatus if self.session.block_status => self.block_status(request),
            // All that could be written is.
            Command::Flush => self.done(cookie),
            Command::Write | Command::Trim | Command::WriteZeroes => self.fail(
                cookie,
                ErrorNumber::NotPermitted,
                "this export is read-only",
            ),
            Command::BlockStatus | Command::Disconnect | Command::Other => {
                self.fail(cookie, ErrorNumber::Invalid, "this command is not offered")
            }
        }
    }

    fn device(&self) -> &dyn BlockDevice {
        self.session.export.device()
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        to.write_all(bytes)
    }

    fn done(&self, cookie: u64) -> io::Result<()> {
        if self.session.structured {
            self.send(&done_chunk(cookie))
        } else {
            self.send(&simple_reply(cookie, None))
        }
    }

    fn fail(&self, cookie: u64, error: ErrorNumber, message: &str) -> io::Result<()> {
        if self.session.structured {
            self.send(&error_chunk(cookie, error, message))
        } else {
            self.send(&simple_reply(cookie, Some(error)))
        }
    }

    fn fail_device(&self, cookie: u64, error: &DiskError) -> io::Result<()> {
        self.fail(cookie, ErrorNumber::InputOutput, &error.to_string())
    }

    fn read(&self, request: &Request) -> io::Result<()> {
        let cookie = request.cookie;
        if request.len_bytes > READ_BYTES_MAX || !request.fits(self.device().size_bytes()) {
            let what = "the read leaves the disk, is empty, or is larger than 32 MiB";
            return self.fail(cookie, ErrorNumber::Invalid, what);
        }
        if !self.session.structured {
            return self.read_simple(request);
        }
        if request.flags & NO_FRAGMENTS == 0 {
            return self.read_in_pieces(request);
        }
        if u64::from(request.len_bytes) > PIECE_BYTES {
            let what = "more than 1 MiB is not sent in one piece";
            return self.fail(cookie, ErrorNumber::Overflow, what);
        }
        let len = to_usize(request.len_bytes.into());
        self.send_piece(cookie, true, request.offset, len).map(drop)
    }

    /// The error comes before the data, so all of it is read first.
    fn read_simple(&self, request: &Request) -> io::Result<()> {
        let len = to_usize(request.len_bytes.into());
        let mut buffer = self.room.take(SIMPLE_ROOM + len);
        let (head, data) = buffer.bytes().split_at_mut(SIMPLE_ROOM);
        match self.device().read_at(request.offset, data) {
            Ok(()) => {
                head.copy_from_slice(&simple_reply(request.cookie, None));
                self.send(buffer.bytes())
            }
            Err(error) => self.fail_device(request.cookie, &error),
        }
    }

    fn read_in_pieces(&self, request: &Request) -> io::Result<()> {
        let end = request.offset + u64::from(request.len_bytes);
        let mut at = request.offset;
        while at < end {
            let extent = match self.device().extent_at(at, end - at) {
                Ok(extent) => extent,
                Err(error) => return self.fail_device(request.cookie, &error),
            };
            let mut len = extent.len_bytes.clamp(1, end - at);
            if extent.kind == ExtentKind::Data {
                len = len.min(PIECE_BYTES);
                let last = at + len == end;
                if !self.send_piece(request.cookie, last, at, to_usize(len))? {
                    return Ok(());
                }
            } else {
                let last = at + len == end;
                let hole = u32::try_from(len).unwrap_or(u32::MAX);
                self.send(&hole_chunk(request.cookie, last, at, hole))?;
            }
            at += len;
        }
        Ok(())
    }

    /// Reads and sends one chunk; `false` where the device failed and the client was told.
    fn send_piece(&self, cookie: u64, last: bool, offset: u64, len: usize) -> io::Result<bool> {
        let mut buffer = self.room.take(CHUNK_DATA_ROOM + len);
        let (head, data) = buffer.bytes().split_at_mut(CHUNK_DATA_ROOM);
        if let Err(error) = self.device().read_at(offset, data) {
            self.fail_device(cookie, &error)?;
            return Ok(false);
        }
        head.copy_from_slice(&data_chunk_header(cookie, last, offset, len));
        self.send(buffer.bytes())?;
        Ok(true)
    }

    fn block_status(&self, request: &Request) -> io::Result<()> {
        if !request.fits(self.device().size_bytes()) {
            let what = "the range leaves the disk, or is empty";
            return self.fail(request.cookie, ErrorNumber::Invalid, what);
        }
        let most = match request.flags & ONE_EXTENT {
            0 => STATUS_EXTENTS_MAX,
            _ => 1,
        };
        match status_extents(self.device(), request, most) {
            Ok(extents) => self.send(&block_status_reply(request.cookie, &extents)),
            Err(error) => self.fail_device(request.cookie, &error),
        }
    }
}

/// Returns at most `most` extents from the beginning of what was asked about.
fn status_extents(
    device: &dyn BlockDevice,
    request: &Request,
    most: usize,
) -> Result<Vec<StatusExtent>, DiskError> {
    let mut extents: Vec<StatusExtent> = Vec::new();
    let mut left = request.len_bytes;
    for _ in 0..STATUS_STEPS_MAX {
        let at = request.offset + u64::from(request.len_bytes - left);
        if left == 0 {
            break;
        }
        let extent = device.extent_at(at, left.into())?;
        let len_bytes = u32::try_from(extent.len_bytes)
            .unwrap_or(left)
            .clamp(1, left);
        let flags = match extent.kind {
            ExtentKind::Data => StatusExtent::DATA,
            ExtentKind::Zero => StatusExtent::ZERO,
            ExtentKind::NotAllocated => StatusExtent::HOLE,
        };
        let full = extents.len() == most;
        match extents.last_mut() {
            Some(last) if last.flags == flags => last.len_bytes += len_bytes,
            _ if full => break,
            _ => extents.push(StatusExtent { len_bytes, flags }),
        }
        left -= len_bytes;
    }
    Ok(extents)
}

/// Lengths here are 32 MiB at most.
fn to_usize(len_bytes: u64) -> usize {
    usize::try_from(len_bytes).unwrap_or(0)
}
