//! Requests (section "Request message").

use std::io::{self, Read};

/// Length of a request without its payload in bytes.
pub(crate) const REQUEST_BYTES: usize = 28;
const MAGIC: u32 = 0x2560_9513;

/// The client wants the reply in one piece.
pub(crate) const NO_FRAGMENTS: u16 = 1 << 2;
/// The client wants to hear of one extent alone.
pub(crate) const ONE_EXTENT: u16 = 1 << 3;
/// Force unit access: allowed with any command, and of no meaning where nothing is written.
const FORCE_UNIT_ACCESS: u16 = 1;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Read,
    /// The request is followed by as many bytes as its length says.
    Write,
    Disconnect,
    Flush,
    Trim,
    WriteZeroes,
    BlockStatus,
    /// One that this server does not offer, or that does not exist.
    Other,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) flags: u16,
    pub(crate) command: Command,
    /// The client's own number for the request; it comes back in the reply.
    pub(crate) cookie: u64,
    pub(crate) offset: u64,
    pub(crate) len_bytes: u32,
}

impl Request {
    /// Reads the next request; `None` where the client left between two of them.
    pub(crate) fn read(from: &mut dyn Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; REQUEST_BYTES];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match from.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Self::parse(&bytes).map(Some)
    }

    /// Fails where these bytes are no request: what follows cannot be made sense of then.
    pub(crate) fn parse(bytes: &[u8; REQUEST_BYTES]) -> io::Result<Self> {
        let [m0, m1, m2, m3, f0, f1, c0, c1, rest @ ..] = *bytes;
        if u32::from_be_bytes([m0, m1, m2, m3]) != MAGIC {
            let what = "this is not an NBD request";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut numbers = [[0; 8]; 2];
        let (wide, len) = rest.split_at(16);
        for (number, bytes) in numbers.iter_mut().zip(wide.chunks_exact(8)) {
            number.copy_from_slice(bytes);
        }
        let mut len_bytes = [0; 4];
        len_bytes.copy_from_slice(len);
        let [cookie, offset] = numbers.map(u64::from_be_bytes);
        Ok(Self {
            flags: u16::from_be_bytes([f0, f1]),
            command: Command::of(u16::from_be_bytes([c0, c1])),
            cookie,
            offset,
            len_bytes: u32::from_be_bytes(len_bytes),
        })
    }

    /// Says whether the request has flags that do not belong to its command.
    pub(crate) fn has_odd_flags(&self) -> bool {
        let allowed = match self.command {
            Command::Read => NO_FRAGMENTS,
            Command::BlockStatus => ONE_EXTENT,
            _ => 0,
        };
        self.flags & !(allowed | FORCE_UNIT_ACCESS) != 0
    }

    /// Says whether the request lies inside a device and asks for anything.
    pub(crate) fn fits(&self, size_bytes: u64) -> bool {
        let end = self.offset.checked_add(self.len_bytes.into());
        self.len_bytes > 0 && end.is_some_and(|end| end <= size_bytes)
    }

    #[cfg(test)]
    pub(crate) fn to_bytes(self, command: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend(command.to_be_bytes());
        bytes.extend(self.cookie.to_be_bytes());
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(self.len_bytes.to_be_bytes());
        bytes
    }
}

impl Command {
    pub(crate) fn of(number: u16) -> Self {
        match number {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Disconnect,
            3 => Self::Flush,
            4 => Self::Trim,
            6 => Self::WriteZeroes,
            7 => Self::BlockStatus,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_sent_is_read(
            flags: u16, number in 0_u16..12, cookie: u64, offset: u64, len_bytes: u32,
        ) {
            let command = Command::of(number);
            let request = Request { flags, command, cookie, offset, len_bytes };
            let bytes = request.to_bytes(number);
            prop_assert_eq!(Request::read(&mut bytes.as_slice()).unwrap(), Some(request));
            let end = u128::from(offset) + u128::from(len_bytes);
            prop_assert_eq!(request.fits(1 << 40), len_bytes > 0 && end <= 1 << 40);
        }

        #[test]
        fn any_bytes_are_a_request_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            match Request::read(&mut bytes.as_slice()) {
                Ok(None) => prop_assert!(bytes.is_empty()),
                Ok(Some(_)) => prop_assert_eq!(&bytes[..4], &MAGIC.to_be_bytes()),
                Err(_) => {}
            }
        }
    }

    #[test]
    fn an_end_in_the_middle_is_an_error() {
        let bytes = [0x25, 0x60];
        assert!(Request::read(&mut bytes.as_slice()).is_err());
        assert!(Request::read(&mut [].as_slice()).unwrap().is_none());
    }
}
