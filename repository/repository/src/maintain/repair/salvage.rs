//! Taking what is whole out of damaged packs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::RepositoryError;
use crate::domain_view::Shared;
use crate::format::{
    Aead, FOOTER_BYTES, FRAME_PLAIN_BYTES_MAX, Footer, Forward, HEADER_BYTES, Header, Name, PackId,
    PackKind, TrailerEntry, decode_frame, place_nonce,
};
use crate::keys::DataKeyMaterial;
use crate::maintain::check::name_of_node;
use crate::write::{FinishedPack, PackBuilder, StagedFrames};

/// Frames are put into new packs after about this many bytes.
const STAGED_BYTES: usize = 1 << 20;

/// Frames that a pack may hold: name and stored length by offset.
pub(crate) type Candidates = BTreeMap<u32, (Name, u32)>;

/// A frame that is whole.
struct WholeFrame {
    name: Name,
    offset: u32,
    plain_bytes: u32,
    /// Codec and body, as they are before encryption.
    body: Vec<u8>,
}

/// Puts whole frames of damaged packs of one domain into new packs.
pub(crate) struct Salvage {
    /// The view of the domain.
    shared: Arc<Shared>,
    chunks: PackBuilder,
    nodes: PackBuilder,
    moved: BTreeMap<PackId, Vec<Forward>>,
}

impl Salvage {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let target = usize::try_from(shared.file.pack_bytes).unwrap_or(usize::MAX);
        Self {
            shared: Arc::clone(shared),
            chunks: PackBuilder::new(PackKind::Chunks, target),
            nodes: PackBuilder::new(PackKind::MapNodes, target),
            moved: BTreeMap::new(),
        }
    }

    /// Returns the view of the domain whose packs are salvaged.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Takes what is whole out of the bytes of a pack. Returns how many frames that was; `None`
    /// where no key of this domain opens anything of it.
    pub(crate) fn take(
        &mut self,
        pack: PackId,
        bytes: &[u8],
        candidates: &Candidates,
    ) -> Result<Option<u64>, RepositoryError> {
        for (kind, first_frame, key) in self.keys_of(pack, bytes) {
            let mut candidates = candidates.clone();
            let trailer = read_trailer(bytes, &key, first_frame);
            candidates.extend(trailer.iter().flatten().map(|entry| {
                let frame = (entry.name, entry.stored_bytes);
                (entry.offset, frame)
            }));
            let mut whole = Frames {
                shared: &self.shared,
                kind,
                key: &key,
                bytes,
                plain: vec![0; FRAME_PLAIN_BYTES_MAX as usize],
            };
            let (mut staged, mut offsets, mut count) = (StagedFrames::default(), Vec::new(), 0);
            for (offset, (name, stored_bytes)) in candidates {
                let Some(frame) = whole.open(offset, name, stored_bytes) else {
                    continue;
                };
                count += 1;
                staged.bytes.extend_from_slice(&frame.body);
                let end = staged.bytes.len();
                staged.frames.push((frame.name, end, frame.plain_bytes));
                offsets.push(frame.offset);
                if end >= STAGED_BYTES {
                    put(self.builder(kind), &self.shared, &staged)?.zip_into(
                        &mut self.moved,
                        pack,
                        &offsets,
                    );
                    staged.clear();
                    offsets.clear();
                }
            }
            put(self.builder(kind), &self.shared, &staged)?.zip_into(
                &mut self.moved,
                pack,
                &offsets,
            );
            if count > 0 || trailer.is_some() {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// Makes everything durable that was taken, and returns where the frames of each pack lie now.
    pub(crate) fn finish(self) -> Result<BTreeMap<PackId, Vec<Forward>>, RepositoryError> {
        for builder in [&self.chunks, &self.nodes] {
            if let Some(pack) = builder.finish()? {
                write(&self.shared, pack)?;
            }
        }
        Ok(self.moved)
    }

    fn builder(&self, kind: PackKind) -> &PackBuilder {
        match kind {
            PackKind::Chunks => &self.chunks,
            PackKind::MapNodes => &self.nodes,
        }
    }

    /// Returns keys that the pack may have, with where its first frame would be: that of its header
    /// first, then all of this domain, since a header may be what is damaged.
    fn keys_of(&self, pack: PackId, bytes: &[u8]) -> Vec<(PackKind, u32, Aead)> {
        let domain = self.shared.domain();
        let mut keys = Vec::new();
        if let Ok((header, key)) = self.shared.open_header(bytes, pack)
            && header.domain == domain.id
        {
            keys.push((header.kind, header.len_bytes, key));
        }
        let mut add = |kind, key_id, secret| {
            let header = Header::derived(kind, domain.id, key_id, pack);
            keys.push((kind, header.len_bytes, header.pack_key(secret)));
        };
        add(PackKind::MapNodes, domain.id, &domain.map_key);
        for key in self.shared.ring().data_keys_of(domain.id) {
            if let DataKeyMaterial::Derived(secret) = &key.material {
                add(PackKind::Chunks, key.id, secret);
            }
        }
        keys
    }
}

/// Where frames came to lie.
struct Placed(Vec<crate::format::Locator>);

impl Placed {
    fn zip_into(self, moved: &mut BTreeMap<PackId, Vec<Forward>>, pack: PackId, offsets: &[u32]) {
        let forwards = offsets.iter().zip(self.0);
        moved
            .entry(pack)
            .or_default()
            .extend(forwards.map(|(offset, target)| Forward {
                old_offset: *offset,
                target,
            }));
    }
}

fn put(
    builder: &PackBuilder,
    shared: &Shared,
    staged: &StagedFrames,
) -> Result<Placed, RepositoryError> {
    if staged.frames.is_empty() {
        return Ok(Placed(Vec::new()));
    }
    let (places, full) = builder.append(shared, staged)?;
    if let Some(pack) = full {
        write(shared, pack)?;
    }
    Ok(Placed(places))
}

fn write(shared: &Shared, pack: FinishedPack) -> Result<(), RepositoryError> {
    let object = pack.id.object_name();
    shared.store.put_new(&object, &pack.buffer.bytes)?;
    pack.ticket.durable();
    Ok(())
}

/// Reads the trailer of a pack in memory; `None` where it cannot be told.
fn read_trailer(bytes: &[u8], key: &Aead, first_frame: u32) -> Option<Vec<TrailerEntry>> {
    let footer = bytes.last_chunk::<FOOTER_BYTES>()?;
    let footer = Footer::parse(footer, bytes.len() as u64).ok()?;
    let start = usize::try_from(footer.trailer_offset).ok()?;
    let mut trailer = bytes
        .get(start..start.checked_add(footer.trailer_bytes)?)?
        .to_vec();
    footer.open_trailer(key, first_frame, &mut trailer).ok()
}

/// The frames of a damaged pack.
struct Frames<'a> {
    shared: &'a Shared,
    kind: PackKind,
    key: &'a Aead,
    bytes: &'a [u8],
    plain: Vec<u8>,
}

impl Frames<'_> {
    /// Opens a frame and names it anew; `None` where it is not whole.
    fn open(&mut self, offset: u32, name: Name, stored_bytes: u32) -> Option<WholeFrame> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(stored_bytes as usize)?;
        if start < HEADER_BYTES {
            return None;
        }
        let mut frame = self.bytes.get(start..end)?.to_vec();
        let nonce = place_nonce(u64::from(offset));
        let body = self.key.open(nonce, &name.0, &mut frame).ok()?;
        let len = decode_frame(body, &mut self.plain).ok()?;
        let plain = self.plain.get(..len)?;
        let naming = &self.shared.naming;
        let found = match self.kind {
            PackKind::Chunks => naming.chunk(plain),
            PackKind::MapNodes => name_of_node(naming, plain).ok()?,
        };
        (found == name).then(|| WholeFrame {
            name,
            offset,
            plain_bytes: u32::try_from(len).unwrap_or(u32::MAX),
            body: body.to_vec(),
        })
    }
}
