//! The handshake's bytes (sections "Fixed newstyle negotiation", "Option types").

use std::io::{self, Read};

/// What stands before every option.
pub(crate) const OPTION_MAGIC: [u8; 8] = *b"IHAVEOPT";
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// The server's first words: both magic numbers; fixed newstyle, and no zeros after an export.
pub(crate) const SERVER_GREETING: [u8; 18] = *b"NBDMAGICIHAVEOPT\0\x03";
pub(crate) const CLIENT_FIXED_NEWSTYLE: u32 = 1;
pub(crate) const CLIENT_NO_ZEROES: u32 = 2;

/// The most data that an option may have: a name, and a few queries.
const OPTION_BYTES_MAX: u32 = 64 << 10;

/// Transmission flags: has flags, read-only, takes FLUSH, many connections see the same.
const EXPORT_FLAGS: u16 = 1 | (1 << 1) | (1 << 2) | (1 << 8);
/// Takes reads that must not be cut.
const EXPORT_NO_FRAGMENTS: u16 = 1 << 7;

/// Returns what is said of an export.
pub(crate) fn export_flags(structured: bool) -> u16 {
    EXPORT_FLAGS | if structured { EXPORT_NO_FRAGMENTS } else { 0 }
}

/// What an option asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    ExportName,
    Abort,
    List,
    Info,
    Go,
    StructuredReply,
    ListMetaContext,
    SetMetaContext,
    /// Not offered, such as STARTTLS, or not known.
    Other,
}

impl OptionKind {
    fn of(number: u32) -> Self {
        match number {
            1 => Self::ExportName,
            2 => Self::Abort,
            3 => Self::List,
            6 => Self::Info,
            7 => Self::Go,
            8 => Self::StructuredReply,
            9 => Self::ListMetaContext,
            10 => Self::SetMetaContext,
            _ => Self::Other,
        }
    }
}

/// One option of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionRequest {
    /// The option's number, which comes back in the reply.
    pub(crate) number: u32,
    pub(crate) kind: OptionKind,
    /// `None`: more than any option may have; it was read past.
    pub(crate) data: Option<Vec<u8>>,
}

impl OptionRequest {
    /// Reads the next option. Fails where there is none: nothing can be made sense of then.
    pub(crate) fn read(from: &mut dyn Read) -> io::Result<Self> {
        let mut magic = [0; 8];
        from.read_exact(&mut magic)?;
        if magic != OPTION_MAGIC {
            let what = "this is not an NBD option";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let [number, len] = [read_u32(from)?, read_u32(from)?];
        let data = if len <= OPTION_BYTES_MAX {
            let mut data = Vec::new();
            // Grows as bytes come: 64 KiB at most.
            from.take(len.into()).read_to_end(&mut data)?;
            if u32::try_from(data.len()) != Ok(len) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Some(data)
        } else {
            skip(from, len.into())?;
            None
        };
        let kind = OptionKind::of(number);
        Ok(Self { number, kind, data })
    }
}

pub(crate) fn read_u32(from: &mut dyn Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Reads past bytes that nobody wants.
pub(crate) fn skip(from: &mut dyn Read, len_bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut from.take(len_bytes), &mut io::sink())?;
    if skipped == len_bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Takes an option's data apart. `None` where the client promised more than it sent.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A text behind its length.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.u32()?).ok()?;
        std::str::from_utf8(self.bytes(len)?).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What an option is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionReply {
    Acknowledged,
    Server,
    Info,
    MetaContext,
    /// The option is not offered.
    Unsupported,
    /// The option makes no sense, or not now.
    Invalid,
    /// There is no such export.
    Unknown,
    /// The option is larger than any may be.
    TooBig,
}

impl OptionReply {
    fn number(self) -> u32 {
        const ERROR: u32 = 1 << 31;
        match self {
            Self::Acknowledged => 1,
            Self::Server => 2,
            Self::Info => 3,
            Self::MetaContext => 4,
            Self::Unsupported => ERROR | 1,
            Self::Invalid => ERROR | 3,
            Self::Unknown => ERROR | 6,
            Self::TooBig => ERROR | 9,
        }
    }
}

/// Returns a reply to the option `number`; for an error `data` is a text for people.
pub(crate) fn option_reply(number: u32, reply: OptionReply, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + data.len());
    bytes.extend(REPLY_MAGIC.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend(reply.number().to_be_bytes());
    // A name, a description or a few numbers.
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    bytes.extend(len.to_be_bytes());
    bytes.extend(data);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn option(number: u32, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap();
        [
            &OPTION_MAGIC[..],
            &number.to_be_bytes(),
            &len.to_be_bytes(),
            data,
        ]
        .concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_sent_is_read(number in 0_u32..20, data in prop::collection::vec(any::<u8>(), 0..300)) {
            let sent = option(number, &data);
            let read = OptionRequest::read(&mut sent.as_slice()).unwrap();
            prop_assert_eq!(read.number, number);
            prop_assert_eq!(read.data, Some(data));
            // Cut anywhere it is an error, not half an option.
            for end in 0..sent.len() {
                prop_assert!(OptionRequest::read(&mut &sent[..end]).is_err());
            }
        }

        #[test]
        fn fields_never_give_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut fields = Fields(&bytes);
            let mut given = 0;
            while let Some(text) = fields.string() {
                given += 4 + text.len();
            }
            prop_assert!(given <= bytes.len());
        }
    }

    #[test]
    fn more_than_an_option_may_have_is_read_past() {
        let mut sent = option(7, &vec![1; 70_000]);
        sent.extend(option(2, b""));
        let mut from = sent.as_slice();
        assert_eq!(OptionRequest::read(&mut from).unwrap().data, None);
        let next = OptionRequest::read(&mut from).unwrap();
        assert_eq!((next.kind, next.data), (OptionKind::Abort, Some(vec![])));
    }
}
