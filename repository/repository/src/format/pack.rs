//! Packs: header, trailer, footer (section 6). Frames are written by `write::pack_builder`.

use crate::format::{Aead, Name, PackId, TAG_BYTES, place_nonce};
use crate::keys::{Domain, PublicKey, SEALED_PACK_KEY_BYTES, Secret, seal_pack_key};
use crate::{RepositoryError, RepositoryErrorKind};

const MAGIC: &[u8; 8] = b"LBPACK01";
const END_MAGIC: &[u8; 8] = b"LBPKEND1";
/// Length of a header of scheme 1, and of the part that those of scheme 2 share, in bytes.
pub(crate) const HEADER_BYTES: usize = 96;
/// The same, as it stands in a header.
const HEADER_LEN: u32 = 96;
/// Length of what follows the trailer, with the checksum, in bytes.
pub(crate) const FOOTER_BYTES: usize = 48;
/// The most that a pack may be, in bytes: offsets have 32 bits.
const PACK_BYTES_MAX: u64 = u32::MAX as u64;
/// The most that a trailer may be, in bytes: about 1.5 million frames.
const TRAILER_BYTES_MAX: u64 = 64 << 20;
/// Frames after which a pack is full, whatever its size.
pub(crate) const FRAMES_MAX: usize = 1 << 20;
/// The most plain bytes that a frame may hold.
pub(crate) const FRAME_PLAIN_BYTES_MAX: u32 = 4 << 20;
const TRAILER_ENTRY_BYTES: usize = 44;
/// The most that a header of scheme 2 may be, in bytes: 64 recipients.
pub(crate) const SEALED_HEADER_BYTES_MAX: usize = HEADER_BYTES + 2 + 64 * RECIPIENT_BYTES;
/// Id, length, sealed key.
const RECIPIENT_BYTES: usize = 16 + 2 + SEALED_PACK_KEY_BYTES;

/// What the frames of a pack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PackKind {
    Chunks = 1,
    MapNodes = 2,
}

/// How the key of a pack is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyScheme {
    /// It is derived from the data key or the map key.
    Derived = 1,
    /// It is random, and stands in the header, sealed to public keys.
    Sealed = 2,
}

/// The first bytes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: PackKind,
    pub(crate) scheme: KeyScheme,
    /// Length of the header with all recipients, in bytes: where the first frame lies.
    pub(crate) len_bytes: u32,
    pub(crate) domain: [u8; 16],
    pub(crate) key_id: [u8; 16],
    pub(crate) pack: PackId,
}

impl Header {
    /// Makes the header of a pack of scheme 1.
    pub(crate) fn derived(
        kind: PackKind,
        domain: [u8; 16],
        key_id: [u8; 16],
        pack: PackId,
    ) -> Self {
        Self {
            kind,
            scheme: KeyScheme::Derived,
            len_bytes: HEADER_LEN,
            domain,
            key_id,
            pack,
        }
    }

    /// Returns the first 96 bytes.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = self.kind as u8;
        bytes[9] = self.scheme as u8;
        bytes[12..16].copy_from_slice(&self.len_bytes.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.domain);
        bytes[32..48].copy_from_slice(&self.key_id);
        bytes[48..64].copy_from_slice(&self.pack.0);
        bytes
    }

    /// Reads the header of the pack that should be `pack`.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES], pack: PackId) -> Result<Self, RepositoryError> {
        let damaged = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        if &bytes[..8] != MAGIC {
            return Err(damaged("this is not a pack (it should begin with LBPACK01)").at(0));
        }
        let len_bytes = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        let scheme = match bytes[9] {
            1 => KeyScheme::Derived,
            2 => KeyScheme::Sealed,
            newer => {
                return Err(RepositoryError::new(
                    RepositoryErrorKind::Unsupported,
                    format!("key scheme {newer} is newer than this version"),
                ));
            }
        };
        let kind = match bytes[8] {
            1 => PackKind::Chunks,
            2 => PackKind::MapNodes,
            _ => return Err(damaged("a pack of a kind that does not exist").at(8)),
        };
        let field = |at: usize| {
            let mut field = [0; 16];
            field.copy_from_slice(&bytes[at..at + 16]);
            field
        };
        let len_is_good = match scheme {
            KeyScheme::Derived => len_bytes as usize == HEADER_BYTES,
            KeyScheme::Sealed => {
                (HEADER_BYTES..=SEALED_HEADER_BYTES_MAX).contains(&(len_bytes as usize))
            }
        };
        if !len_is_good || (scheme == KeyScheme::Sealed && kind != PackKind::Chunks) {
            return Err(damaged("the header's length or scheme makes no sense").at(9));
        }
        let header = Self {
            kind,
            scheme,
            len_bytes,
            domain: field(16),
            key_id: field(32),
            pack: PackId(field(48)),
        };
        if header.pack != pack {
            return Err(damaged("another pack lies under this one's name").at(48));
        }
        if header.to_bytes() != *bytes {
            return Err(damaged("the header has bytes that it should not").at(0));
        }
        Ok(header)
    }

    /// Returns the pack's own key, from the data key or the domain's map key.
    pub(crate) fn pack_key(self, secret: &Secret) -> Aead {
        Aead::new(&secret.derive("lifeboat v1 pack", &[&self.to_bytes()]))
    }
}

/// Makes the header of a pack of chunks whose key is sealed to public keys.
///
/// The key is for one run of writing: who has but the public keys cannot open the pack again.
pub(crate) fn sealed_header(
    pack: PackId,
    domain: &Domain,
    recipients: &[([u8; 16], PublicKey)],
    pack_key: &Secret,
) -> Result<Vec<u8>, RepositoryError> {
    let too_many = || {
        let what = "a pack is sealed to one public key at least, and to 64 at most";
        RepositoryError::new(RepositoryErrorKind::Unsupported, what)
    };
    let len = HEADER_BYTES + 2 + recipients.len() * RECIPIENT_BYTES;
    let (first, _) = recipients.first().ok_or_else(too_many)?;
    if len > SEALED_HEADER_BYTES_MAX {
        return Err(too_many());
    }
    let header = Header {
        kind: PackKind::Chunks,
        scheme: KeyScheme::Sealed,
        len_bytes: u32::try_from(len).map_err(|_| too_many())?,
        domain: domain.id,
        key_id: *first,
        pack,
    };
    let fixed = header.to_bytes();
    let mut bytes = fixed.to_vec();
    bytes.extend(
        u16::try_from(recipients.len())
            .map_err(|_| too_many())?
            .to_le_bytes(),
    );
    for (id, public) in recipients {
        let sealed = seal_pack_key(pack_key, public, &domain.map_key, &fixed)?;
        bytes.extend(id);
        bytes.extend(
            u16::try_from(sealed.len())
                .map_err(|_| too_many())?
                .to_le_bytes(),
        );
        bytes.extend(sealed);
    }
    Ok(bytes)
}

/// Who can open a pack: id of the key, and the pack's key sealed to it.
pub(crate) type Recipient = ([u8; 16], [u8; SEALED_PACK_KEY_BYTES]);

/// Reads what a header of scheme 2 has after its first 96 bytes: id and sealed key of each
/// recipient. A sealed key of another length is of a kind that this version does not know.
pub(crate) fn recipients(bytes: &[u8]) -> Result<Vec<Recipient>, RepositoryError> {
    let damaged = || {
        let what = "the list of those who can open the pack makes no sense";
        RepositoryError::new(RepositoryErrorKind::Damaged, what).at(HEADER_BYTES as u64)
    };
    let (count, mut rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
    let mut recipients = Vec::new();
    for _ in 0..u16::from_le_bytes(*count) {
        let (id, after) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let (len, after) = after.split_first_chunk::<2>().ok_or_else(damaged)?;
        let len = usize::from(u16::from_le_bytes(*len));
        let (sealed, after) = after.split_at_checked(len).ok_or_else(damaged)?;
        if let Ok(sealed) = sealed.try_into() {
            recipients.push((*id, sealed));
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(recipients)
    } else {
        Err(damaged())
    }
}

/// What a trailer says of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrailerEntry {
    pub(crate) name: Name,
    pub(crate) offset: u32,
    pub(crate) stored_bytes: u32,
    pub(crate) plain_bytes: u32,
}

/// Returns the length of a pack whose frames end at `frames_end`, in bytes.
pub(crate) fn pack_bytes(frames_end: u64, frames: u64) -> u64 {
    frames_end + frames * TRAILER_ENTRY_BYTES as u64 + (TAG_BYTES + FOOTER_BYTES) as u64
}

fn trailer_data(frames: u32) -> Vec<u8> {
    [b"lifeboat v1 trailer".as_slice(), &frames.to_le_bytes()].concat()
}

/// Appends trailer, footer and checksum to the frames of a pack.
pub(crate) fn seal_trailer(
    key: &Aead,
    bytes: &mut Vec<u8>,
    entries: &[TrailerEntry],
) -> Result<(), RepositoryError> {
    let too_large = |_| RepositoryError::new(RepositoryErrorKind::Store, "a pack grew too large");
    let start = bytes.len();
    for entry in entries {
        bytes.extend(entry.name.0);
        bytes.extend(entry.offset.to_le_bytes());
        bytes.extend(entry.stored_bytes.to_le_bytes());
        bytes.extend(entry.plain_bytes.to_le_bytes());
    }
    let frames = u32::try_from(entries.len()).map_err(too_large)?;
    let nonce = place_nonce(start as u64);
    let tag = key.seal(nonce, &trailer_data(frames), &mut bytes[start..])?;
    bytes.extend(tag);
    let stored = u32::try_from(bytes.len() - start).map_err(too_large)?;
    bytes.extend(stored.to_le_bytes());
    bytes.extend(frames.to_le_bytes());
    bytes.extend(END_MAGIC);
    let hash = blake3::hash(bytes);
    bytes.extend(hash.as_bytes());
    Ok(())
}

/// The last bytes of a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Footer {
    /// Offset of the trailer in the pack.
    pub(crate) trailer_offset: u64,
    /// Stored length of the trailer.
    pub(crate) trailer_bytes: usize,
    frames: u32,
}

impl Footer {
    /// Reads the footer of a pack of `pack_bytes`.
    pub(crate) fn parse(
        bytes: &[u8; FOOTER_BYTES],
        pack_bytes: u64,
    ) -> Result<Self, RepositoryError> {
        let damaged = |what| {
            let offset = pack_bytes.saturating_sub(FOOTER_BYTES as u64);
            RepositoryError::new(RepositoryErrorKind::Damaged, what).at(offset)
        };
        if &bytes[8..16] != END_MAGIC {
            return Err(damaged(
                "the pack does not end as a pack does; it may be cut short",
            ));
        }
        let trailer_bytes = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let frames = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let expected = u64::from(frames) * TRAILER_ENTRY_BYTES as u64 + TAG_BYTES as u64;
        if pack_bytes > PACK_BYTES_MAX {
            return Err(damaged("the pack is larger than a pack can be"));
        }
        // Every frame takes a tag at least, so a small pack cannot claim a large trailer.
        let frames_fit = u64::from(frames) * (TAG_BYTES as u64 + 1) <= pack_bytes;
        let trailer_offset = pack_bytes
            .checked_sub(FOOTER_BYTES as u64 + u64::from(trailer_bytes))
            .filter(|offset| *offset >= HEADER_BYTES as u64)
            .filter(|_| {
                expected == u64::from(trailer_bytes) && frames_fit && expected <= TRAILER_BYTES_MAX
            })
            .ok_or_else(|| damaged("the trailer's length makes no sense"))?;
        Ok(Self {
            trailer_offset,
            trailer_bytes: trailer_bytes as usize,
            frames,
        })
    }

    /// Opens the trailer that lies where the footer says; frames begin at `first_frame`.
    pub(crate) fn open_trailer(
        self,
        key: &Aead,
        first_frame: u32,
        bytes: &mut [u8],
    ) -> Result<Vec<TrailerEntry>, RepositoryError> {
        let nonce = place_nonce(self.trailer_offset);
        let plain = key
            .open(nonce, &trailer_data(self.frames), bytes)
            .map_err(|error| error.at(self.trailer_offset))?;
        let (records, _) = plain.as_chunks::<TRAILER_ENTRY_BYTES>();
        let number = |record: &[u8; TRAILER_ENTRY_BYTES], at: usize| {
            u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let mut entries = Vec::with_capacity(records.len());
        let mut expected_offset = u64::from(first_frame);
        for record in records {
            let mut name = [0; 32];
            name.copy_from_slice(&record[..32]);
            let entry = TrailerEntry {
                name: Name(name),
                offset: number(record, 32),
                stored_bytes: number(record, 36),
                plain_bytes: number(record, 40),
            };
            if u64::from(entry.offset) != expected_offset
                || entry.plain_bytes > FRAME_PLAIN_BYTES_MAX
            {
                return Err(RepositoryError::new(
                    RepositoryErrorKind::Damaged,
                    "the trailer lists frames that do not follow each other",
                )
                .at(self.trailer_offset));
            }
            expected_offset += u64::from(entry.stored_bytes);
            entries.push(entry);
        }
        if expected_offset != self.trailer_offset {
            return Err(RepositoryError::new(
                RepositoryErrorKind::Damaged,
                "the frames do not fill the pack up to its trailer",
            )
            .at(expected_offset));
        }
        Ok(entries)
    }
}
