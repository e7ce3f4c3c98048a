//! What fuzz targets may reach: the parsers that run behind authentication.
//!
//! A hostile host of a domain has its keys, so what it wrote authenticates and is still not to be
//! trusted. Built with `cargo fuzz` alone.

use crate::format::{
    Aead, Entry, FOOTER_BYTES, Footer, IndexDirectory, MapNode, NODE_BYTES_MAX, Naming,
    RepositoryFile, decode_frame, recipients,
};
use crate::keys::{Domain, KeyRing, KeySlot, Secret};
use crate::{PointSelector, RecoveryKey, RestorePoint};

fn domain() -> Domain {
    let key = || Secret::new([7; 32]);
    Domain {
        id: [1; 16],
        name: String::new(),
        naming_key: key(),
        map_key: key(),
    }
}

/// A node that decodes encodes to one that decodes to the same, under the same name.
pub fn map_node(bytes: &[u8]) {
    let naming = Naming::of(&domain());
    let [level, _, low, high, ..] = *bytes else {
        return;
    };
    let count = usize::from(u16::from_le_bytes([low, high]));
    if let Ok((name, node)) = MapNode::decode(bytes, level, count, &naming) {
        let stored = node
            .entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Stored { .. }));
        assert!(node.entries.len() == count && stored.count() <= count);
        let (again, encoded) = node.encode(&naming);
        assert_eq!(again, name);
        assert!(encoded.len() <= NODE_BYTES_MAX);
        assert_eq!(
            MapNode::decode(&encoded, level, count, &naming).ok(),
            Some((name, node))
        );
    }
}

/// A frame never decodes to more than the room it is given.
pub fn frame(bytes: &[u8]) {
    let mut plain = vec![0; 65536];
    if let Ok(len) = decode_frame(bytes, &mut plain) {
        assert!(len <= plain.len());
    }
}

/// The directory of an index, as it is after decryption.
pub fn index_directory(bytes: &[u8]) {
    let pages = bytes.first().copied().unwrap_or(0).into();
    let key = Aead::new(&Secret::new([7; 32]));
    if let Some(directory) = IndexDirectory::parse(key, domain().id, bytes, pages) {
        let name = Naming::of(&domain()).chunk(bytes);
        assert!(directory.candidate_pages(&name).end <= pages);
    }
}

/// The last bytes of a pack, of any length.
pub fn pack_footer(bytes: &[u8]) {
    let Some(footer) = bytes.last_chunk::<FOOTER_BYTES>() else {
        return;
    };
    let pack_bytes = bytes.len() as u64;
    if let Ok(footer) = Footer::parse(footer, pack_bytes) {
        assert!(footer.trailer_offset + (footer.trailer_bytes as u64) < pack_bytes);
    }
}

/// Everything that is JSON or text.
pub fn text(bytes: &[u8]) {
    drop(KeySlot::parse(bytes, "0123456789abcdef0123456789abcdef"));
    drop(RepositoryFile::parse(bytes));
    drop(KeyRing::from_json(bytes));
    drop(recipients(bytes));
    drop(serde_json::from_slice::<RestorePoint>(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(PointSelector::parse(text, &jiff::tz::TimeZone::UTC));
        if let Ok(key) = RecoveryKey::parse(text) {
            assert!(RecoveryKey::parse(&key.to_text()).is_ok());
        }
    }
}
