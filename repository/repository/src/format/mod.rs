//! Bytes as they are stored. Each file is a section of `docs/format/repository.md`.

mod aead;
mod bloom;
mod chunk_codec;
mod condemned;
mod forward;
mod index_object;
mod locator;
mod lost;
mod map_node;
mod name;
mod pack;
mod repository_file;
mod sealed_object;

pub(crate) use aead::{Aead, TAG_BYTES, place_nonce, random_bytes};
pub(crate) use bloom::Bloom;
pub(crate) use chunk_codec::{Codec, decode_frame};
pub(crate) use condemned::Condemned;
pub(crate) use forward::{
    Forward, Forwards, decode_forwards, encode_forwards, forward_object_name, forward_prefix,
    forwarded_pack, vouch,
};
pub(crate) use index_object::{
    ENTRIES_PER_PAGE, IndexDirectory, IndexEntry, IndexObject, PAGE_STORED_BYTES,
};
pub(crate) use locator::Locator;
pub(crate) use lost::{LOST_FRAMES_MAX, LostFrame, decode_lost, encode_lost};
pub(crate) use map_node::{ENTRIES_MAX, Entry, EntryKind, LEVEL_MAX, MapNode, NODE_BYTES_MAX};
pub(crate) use name::{Name, Naming, PackId};
pub(crate) use pack::{
    FOOTER_BYTES, FRAME_PLAIN_BYTES_MAX, FRAMES_MAX, Footer, HEADER_BYTES, Header, KeyScheme,
    PackKind, TrailerEntry, pack_bytes, recipients, seal_trailer, sealed_header,
};
pub(crate) use repository_file::RepositoryFile;
pub(crate) use sealed_object::{
    SEALED_BYTES_MAX, SealedKind, authenticate_sealed, open_sealed, seal, sealed_key_id,
};
