//! Reading frames out of packs.

use std::cell::RefCell;

use crate::domain_view::Shared;
use crate::format::{
    FRAME_PLAIN_BYTES_MAX, HEADER_BYTES, Locator, Name, PackKind, TAG_BYTES, decode_frame,
    place_nonce,
};
use crate::read::is_lost;
use crate::{RepositoryError, RepositoryErrorKind};

/// Frames that follow each other in a pack are fetched together, up to this many bytes.
pub(crate) const FETCH_BYTES_MAX: usize = 2 << 20;
/// A thread keeps its buffer unless it grew past this.
const KEPT_BYTES_MAX: usize = 4 << 20;

thread_local! {
    static FETCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decrypts and decodes one frame into a target and returns its length.
pub(crate) type OpenFrame<'a> = dyn FnMut(&mut [u8]) -> Result<usize, RepositoryError> + 'a;

/// Takes each frame in turn: its number, and what opens it.
pub(crate) type FrameVisitor<'a> =
    dyn FnMut(usize, &mut OpenFrame<'_>) -> Result<(), RepositoryError> + 'a;

/// The least that a frame can take: a codec and a tag.
const STORED_BYTES_MIN: u32 = 17;
const _: () = assert!(STORED_BYTES_MIN as usize == TAG_BYTES + 1);

impl Shared {
    /// Reads chunks' frames that lie back to back in one pack with one ranged read.
    ///
    /// Where they are not to be had each frame is followed to where it was moved.
    ///
    /// `decoded(n, open)` is called for each frame in turn; `open(target)` decrypts and decodes it
    /// into `target` and returns its length. Whether the content has the right name is for the
    /// caller to see to.
    pub(crate) fn read_frames(
        &self,
        frames: &[(Name, Locator)],
        decoded: &mut FrameVisitor<'_>,
    ) -> Result<(), RepositoryError> {
        match self.read_frames_here(frames, decoded) {
            // What was decoded already is decoded again.
            Err(error) if is_lost(&error) => {}
            result => return result,
        }
        for (number, (name, place)) in frames.iter().enumerate() {
            self.read_following(*place, &mut |place| {
                self.read_frames_here(&[(*name, place)], &mut |_, open| decoded(number, open))
            })?;
        }
        Ok(())
    }

    /// Does what [`Shared::read_frames`] does, in the pack that the places name alone.
    pub(crate) fn read_frames_here(
        &self,
        frames: &[(Name, Locator)],
        decoded: &mut FrameVisitor<'_>,
    ) -> Result<(), RepositoryError> {
        let Some((_, first)) = frames.first() else {
            return Ok(());
        };
        let object = first.pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let most = FRAME_PLAIN_BYTES_MAX + STORED_BYTES_MIN;
        if frames
            .iter()
            .any(|(_, l)| l.stored_bytes < STORED_BYTES_MIN || l.stored_bytes > most)
            || (first.offset as usize) < HEADER_BYTES
        {
            let what = "a disk map points to a frame of impossible length or place";
            return Err(named(
                RepositoryError::new(RepositoryErrorKind::Damaged, what).at(first.offset.into()),
            ));
        }
        let key = self.pack_key(first.pack, PackKind::Chunks).map_err(named)?;
        let total: usize = frames
            .iter()
            .map(|(_, locator)| locator.stored_bytes as usize)
            .sum();
        FETCH_BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < total {
                buffer.resize(total, 0);
            }
            let bytes = &mut buffer[..total];
            self.store
                .get_range(&object, first.offset.into(), bytes)
                .map_err(|error| RepositoryError::from(error).at(first.offset.into()))?;
            let mut rest = bytes;
            for (number, (name, locator)) in frames.iter().enumerate() {
                let (frame, tail) = rest.split_at_mut(locator.stored_bytes as usize);
                rest = tail;
                let offset = u64::from(locator.offset);
                let mut frame = Some(frame);
                let mut open = |target: &mut [u8]| {
                    let frame = frame.take().unwrap_or_default();
                    let plain = key.open(place_nonce(offset), &name.0, frame)?;
                    decode_frame(plain, target)
                };
                decoded(number, &mut open).map_err(|error| named(error).at(offset))?;
            }
            if buffer.len() > KEPT_BYTES_MAX {
                *buffer = Vec::new();
            }
            Ok(())
        })
    }

    /// Reads one frame as it was before it was encrypted, codec and body, and its plain length.
    pub(crate) fn read_sealed_frame(
        &self,
        kind: PackKind,
        name: Name,
        locator: Locator,
    ) -> Result<(Vec<u8>, u32), RepositoryError> {
        self.read_following(locator, &mut |place| {
            let object = place.pack.object_name();
            let at = |error: RepositoryError| error.in_object(&object).at(place.offset.into());
            let wrong = |what| at(RepositoryError::new(RepositoryErrorKind::Damaged, what));
            let most = FRAME_PLAIN_BYTES_MAX + STORED_BYTES_MIN;
            if !(STORED_BYTES_MIN..=most).contains(&place.stored_bytes) {
                return Err(wrong("a frame of impossible length"));
            }
            let key = self.pack_key(place.pack, kind).map_err(at)?;
            let mut bytes = vec![0; place.stored_bytes as usize];
            self.store
                .get_range(&object, place.offset.into(), &mut bytes)
                .map_err(|error| at(error.into()))?;
            let nonce = place_nonce(place.offset.into());
            let len = key.open(nonce, &name.0, &mut bytes).map_err(at)?.len();
            bytes.truncate(len);
            let plain_bytes =
                plain_len(&bytes).ok_or_else(|| wrong("a frame of no known length"))?;
            Ok((bytes, plain_bytes))
        })
    }
}

/// Returns the length of what a decrypted frame holds, in bytes.
pub(crate) fn plain_len(frame: &[u8]) -> Option<u32> {
    let (codec, body) = frame.split_first()?;
    let len = match codec {
        0 => body.len() as u64,
        _ => zstd::zstd_safe::get_frame_content_size(body).ok()??,
    };
    u32::try_from(len)
        .ok()
        .filter(|len| *len <= FRAME_PLAIN_BYTES_MAX)
}
