//! NTLM's messages as bytes ([MS-NLMP] section 2.2.1).

use super::digest::utf16;

/// What every message begins with.
pub(in super::super) const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Flags ([MS-NLMP] section 2.2.2.5).
pub(super) mod flags {
    pub(in super::super) const UNICODE: u32 = 0x0000_0001;
    pub(in super::super) const REQUEST_TARGET: u32 = 0x0000_0004;
    pub(in super::super) const SIGN: u32 = 0x0000_0010;
    pub(in super::super) const SEAL: u32 = 0x0000_0020;
    pub(in super::super) const NTLM: u32 = 0x0000_0200;
    pub(in super::super) const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub(in super::super) const TARGET_TYPE_SERVER: u32 = 0x0002_0000;
    pub(in super::super) const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    pub(in super::super) const TARGET_INFO: u32 = 0x0080_0000;
    pub(in super::super) const VERSION: u32 = 0x0200_0000;
    pub(in super::super) const KEY_128: u32 = 0x2000_0000;
    pub(in super::super) const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub(in super::super) const KEY_56: u32 = 0x8000_0000;
}

/// Where the code over all three messages is in the last of them.
const CODE: std::ops::Range<usize> = 72..88;
/// Windows 10.0.17763, NTLM revision 15.
const VERSION: [u8; 8] = [10, 0, 0x63, 0x45, 0, 0, 0, 15];

/// Returns the flags of a NEGOTIATE message.
pub(super) fn negotiate_flags(message: &[u8]) -> Option<u32> {
    is_type(message, 1).then_some(())?;
    u32_at(message, 12)
}

/// Writes a CHALLENGE message.
pub(super) fn challenge(host: &str, flags: u32, server_challenge: [u8; 8], time: u64) -> Vec<u8> {
    const HEADER_BYTES: u32 = 56;
    let name = utf16(host);
    let info = target_info(host, time);
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let field = |bytes: &[u8], offset: u32| {
        let mut field = [length(bytes).to_le_bytes(); 2].concat();
        field.extend(offset.to_le_bytes());
        field
    };
    let mut message = SIGNATURE.to_vec();
    message.extend(2_u32.to_le_bytes());
    message.extend(field(&name, HEADER_BYTES));
    message.extend(flags.to_le_bytes());
    message.extend(server_challenge);
    message.extend([0; 8]);
    message.extend(field(&info, HEADER_BYTES + u32::from(length(&name))));
    message.extend(VERSION);
    message.extend(name);
    message.extend(info);
    message
}

/// Writes the host's names and its time (section 2.2.2.1).
fn target_info(host: &str, time: u64) -> Vec<u8> {
    let name = utf16(host);
    let lower = utf16(&host.to_lowercase());
    let pairs: [(u16, &[u8]); 6] = [
        (2, &name),
        (1, &name),
        (4, &lower),
        (3, &lower),
        (7, &time.to_le_bytes()),
        (0, &[]),
    ];
    let mut info = Vec::new();
    for (kind, value) in pairs {
        info.extend(kind.to_le_bytes());
        info.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
        info.extend(value);
    }
    info
}

/// An AUTHENTICATE message.
pub(super) struct Authenticate<'a> {
    message: &'a [u8],
    pub(super) user: String,
    pub(super) domain: String,
    /// The proof, and what it is over.
    pub(super) proof: &'a [u8],
    pub(super) blob: &'a [u8],
    pub(super) encrypted_session_key: &'a [u8],
    pub(super) flags: u32,
}

impl<'a> Authenticate<'a> {
    /// Reads a message.
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        is_type(message, 3).then_some(())?;
        let response = payload(message, 20)?;
        // A proof of 16 bytes, and a blob with a header of 28.
        let (proof, blob) = response.split_at_checked(16)?;
        (blob.len() >= 28).then_some(())?;
        Some(Self {
            message,
            user: text(payload(message, 36)?)?,
            domain: text(payload(message, 28)?)?,
            proof,
            blob,
            encrypted_session_key: payload(message, 52)?,
            flags: u32_at(message, 60)?,
        })
    }

    /// Returns whether the client says that a code over all messages is in this one: flag 2 of
    /// the pair `MsvAvFlags` in the blob.
    pub(super) fn has_code(&self) -> bool {
        let mut pairs = self.blob.get(28..).unwrap_or_default();
        while let (Some(kind), Some(length)) = (u16_at(pairs, 0), u16_at(pairs, 2)) {
            let end = 4 + usize::from(length);
            let value = pairs.get(4..end).unwrap_or_default();
            if kind == 0 {
                return false;
            }
            if kind == 6 {
                return u32_at(value, 0).is_some_and(|flags| flags & 2 != 0);
            }
            pairs = pairs.get(end..).unwrap_or_default();
        }
        false
    }

    /// Returns the code, and the message with zeros in its place.
    pub(super) fn code(&self) -> Option<(&'a [u8], Vec<u8>)> {
        let code = self.message.get(CODE)?;
        let mut without = self.message.to_vec();
        without.get_mut(CODE)?.fill(0);
        Some((code, without))
    }
}

fn is_type(message: &[u8], wanted: u32) -> bool {
    message.starts_with(SIGNATURE) && u32_at(message, 8) == Some(wanted)
}

/// Returns what the field at `position` refers to.
fn payload(message: &[u8], position: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(message, position)?);
    let offset = usize::try_from(u32_at(message, position + 4)?).ok()?;
    message.get(offset..offset.checked_add(length)?)
}

fn text(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16(&units).ok()
}

fn u16_at(bytes: &[u8], position: usize) -> Option<u16> {
    Some(u16::from_le_bytes(
        *bytes.get(position..)?.first_chunk::<2>()?,
    ))
}

fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        *bytes.get(position..)?.first_chunk::<4>()?,
    ))
}
