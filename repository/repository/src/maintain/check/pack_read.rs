//! Reading a pack whole: its checksum, its trailer and every frame, in bounded memory.

use crate::domain_view::Shared;
use crate::format::{
    FOOTER_BYTES, FRAME_PLAIN_BYTES_MAX, Footer, Header, MapNode, Name, Naming, PackId, PackKind,
    TrailerEntry, decode_frame, place_nonce,
};
use crate::maintain::check::damage::is_damage;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read of a pack at a time, in bytes; more where one frame is longer.
const PIECE_BYTES: usize = 2 << 20;
/// What is read of the end of a pack at first, in bytes: footer and trailer of a common one.
const TAIL_BYTES: u64 = 128 << 10;
/// The most that a frame may take: codec and tag besides what it holds.
const FRAME_BYTES_MAX: usize = FRAME_PLAIN_BYTES_MAX as usize + 17;
/// The checksum at the end, in bytes.
const HASH_BYTES: usize = 32;

/// Reads packs one after the other, with the same buffers.
pub(crate) struct PackRead<'a> {
    shared: &'a std::sync::Arc<Shared>,
    piece: Vec<u8>,
    tail: Vec<u8>,
    plain: Vec<u8>,
}

/// What a pack holds.
pub(crate) struct PackContent {
    pub(crate) entries: Vec<TrailerEntry>,
    /// What is wrong with it, if anything is.
    pub(crate) wrong: Option<RepositoryError>,
}

/// A pack while it is read.
struct Body<'a> {
    object: &'a str,
    hasher: blake3::Hasher,
    /// Up to where the pack was read.
    offset: u64,
}

impl<'a> PackRead<'a> {
    pub(crate) fn new(shared: &'a std::sync::Arc<Shared>) -> Self {
        Self {
            shared,
            piece: Vec::new(),
            tail: Vec::new(),
            plain: Vec::new(),
        }
    }

    /// Reads a pack of `size_bytes`. An error is that of the store, or says why nothing can be told
    /// of what the pack holds.
    pub(crate) fn read(
        &mut self,
        pack: PackId,
        size_bytes: u64,
    ) -> Result<PackContent, RepositoryError> {
        let object = pack.object_name();
        self.read_named(&object, pack, size_bytes)
            .map_err(|error| error.in_object(&object))
    }

    fn read_named(
        &mut self,
        object: &str,
        pack: PackId,
        size_bytes: u64,
    ) -> Result<PackContent, RepositoryError> {
        let footer = self.read_tail(object, size_bytes)?;
        let mut body = Body {
            object,
            hasher: blake3::Hasher::new(),
            offset: 0,
        };
        self.piece.clear();
        self.read_piece(&mut body, footer.trailer_offset)?;
        let opened = self.shared.open_header(&self.piece, pack);
        let (header, key) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Nobody without the key can tell more than this of it.
                self.skip(&mut body, footer.trailer_offset)?;
                self.check_hash(body)?;
                return Err(error);
            }
        };
        let naming = self.shared.of_domain(header.domain)?.naming.clone();
        let mut trailer = self.tail[..footer.trailer_bytes].to_vec();
        let entries = footer.open_trailer(&key, header.len_bytes, &mut trailer)?;
        let (mut wrong, mut bad) = (None, 0_u64);
        // Where in the pack the piece begins.
        let mut start = 0_u64;
        for entry in &entries {
            let (from, len) = (u64::from(entry.offset), entry.stored_bytes as usize);
            if len > FRAME_BYTES_MAX {
                let what = "the trailer lists a frame that is longer than a frame can be";
                return Err(RepositoryError::new(RepositoryErrorKind::Damaged, what).at(from));
            }
            if from + len as u64 > body.offset {
                let keep = usize::try_from(body.offset - from).unwrap_or(0);
                let cut = self.piece.len() - keep;
                self.piece.drain(..cut);
                start = from;
                while self.piece.len() < len {
                    self.read_piece(&mut body, footer.trailer_offset)?;
                }
            }
            let at = usize::try_from(from - start).unwrap_or(usize::MAX);
            let frame = &mut self.piece[at..at + len];
            let opened = key
                .open(place_nonce(from), &entry.name.0, frame)
                .and_then(|frame| {
                    self.plain
                        .resize(entry.plain_bytes.min(FRAME_PLAIN_BYTES_MAX) as usize, 0);
                    let len = decode_frame(frame, &mut self.plain)?;
                    check_name(&naming, &header, entry, &self.plain[..len])
                });
            if let Err(error) = opened {
                if !is_damage(&error) {
                    return Err(error);
                }
                bad += 1;
                wrong.get_or_insert(error.at(from));
            }
        }
        let hash = self.check_hash(body);
        if let (Some(error), true) = (&wrong, bad > 1) {
            let text = format!(
                "{error}; so are {} frames in all, of {}",
                bad,
                entries.len()
            );
            wrong = Some(RepositoryError::new(error.kind(), text));
        }
        let wrong = wrong.or(hash.err());
        Ok(PackContent { entries, wrong })
    }

    /// Reads footer and trailer, which lie in `tail` afterwards: from the trailer to the end.
    fn read_tail(&mut self, object: &str, size_bytes: u64) -> Result<Footer, RepositoryError> {
        let short = || RepositoryError::new(RepositoryErrorKind::Damaged, "the pack is too short");
        let mut len = size_bytes.min(TAIL_BYTES);
        loop {
            self.tail.resize(usize::try_from(len).unwrap_or(0), 0);
            let store = &self.shared.store;
            store.get_range(object, size_bytes - len, &mut self.tail)?;
            let footer = self.tail.last_chunk::<FOOTER_BYTES>().ok_or_else(short)?;
            let footer = Footer::parse(footer, size_bytes)?;
            let wanted = size_bytes - footer.trailer_offset;
            if wanted <= len {
                let skip = usize::try_from(len - wanted).unwrap_or(0);
                self.tail.drain(..skip);
                return Ok(footer);
            }
            // The footer's lengths were compared with that of the pack.
            len = wanted;
        }
    }

    /// Reads on, up to `end` at most, and puts it behind what is in `piece`.
    fn read_piece(&mut self, body: &mut Body<'_>, end: u64) -> Result<(), RepositoryError> {
        let len = end.saturating_sub(body.offset).min(PIECE_BYTES as u64);
        let len = usize::try_from(len).unwrap_or(0);
        if len == 0 {
            let what = "the pack ends before its last frame";
            return Err(RepositoryError::new(RepositoryErrorKind::Damaged, what));
        }
        let start = self.piece.len();
        self.piece.resize(start + len, 0);
        let store = &self.shared.store;
        store.get_range(body.object, body.offset, &mut self.piece[start..])?;
        body.hasher.update(&self.piece[start..]);
        body.offset += len as u64;
        Ok(())
    }

    /// Reads on to `end` for the checksum alone.
    fn skip(&mut self, body: &mut Body<'_>, end: u64) -> Result<(), RepositoryError> {
        while body.offset < end {
            self.piece.clear();
            self.read_piece(body, end)?;
        }
        Ok(())
    }

    /// Compares the checksum, when everything before the trailer was read.
    fn check_hash(&self, mut body: Body<'_>) -> Result<(), RepositoryError> {
        let (trailer, stored) = self.tail.split_at(self.tail.len() - HASH_BYTES);
        body.hasher.update(trailer);
        if body.hasher.finalize().as_bytes() == stored {
            return Ok(());
        }
        let what = "the bytes are not as they were written: their checksum is wrong";
        Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
    }
}

/// Returns the name of a map node, whatever its place in a map.
pub(crate) fn name_of_node(naming: &Naming, plain: &[u8]) -> Result<Name, RepositoryError> {
    let (level, count) = match plain {
        [level, _, low, high, ..] => (*level, u16::from_le_bytes([*low, *high])),
        _ => (0, 0),
    };
    Ok(MapNode::decode(plain, level, count.into(), naming)?.0)
}

/// Names the content of a frame anew and compares.
fn check_name(
    naming: &Naming,
    header: &Header,
    entry: &TrailerEntry,
    plain: &[u8],
) -> Result<(), RepositoryError> {
    let name = match header.kind {
        PackKind::Chunks => naming.chunk(plain),
        PackKind::MapNodes => name_of_node(naming, plain)?,
    };
    if name == entry.name && plain.len() as u64 == u64::from(entry.plain_bytes) {
        return Ok(());
    }
    let what = "a frame does not hold what its name says";
    Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
}
