//! Reading all of a part of a file, or failing, wherever others read.

use std::fs::File;
use std::io;

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    let mut rest = buf;
    let mut offset = offset;
    while !rest.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, rest, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                rest = &mut rest[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
