//! The header of LUKS2 (LUKS2 On-Disk Format 1.1.3): a binary part with a checksum, then JSON. There are
//! two; of those that are whole the one that was written last counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use block_io::BlockDevice;
use serde::Deserialize;

use super::fields::{self, bytes_at, text, u64_at};
use super::header::{Digest, Header, Keyslot, MAGIC, Payload, known_cipher};
use super::key_derivation::{Argon2Kind, Hash, Kdf};
use crate::UnlockError;

const SECOND_MAGIC: &[u8; 6] = b"SKUL\xba\xbe";
const BINARY_BYTES: usize = 4096;
/// How long a header may be, and so where the second one may begin (§2.2).
const SIZES: [usize; 9] = [
    0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000,
];
const CHECKSUM_AT: usize = 448;

#[derive(Deserialize)]
struct Metadata {
    keyslots: BTreeMap<String, KeyslotJson>,
    segments: BTreeMap<String, SegmentJson>,
    digests: BTreeMap<String, DigestJson>,
    #[serde(default)]
    config: ConfigJson,
}

#[derive(Deserialize, Default)]
struct ConfigJson {
    #[serde(default)]
    requirements: RequirementsJson,
}

#[derive(Deserialize, Default)]
struct RequirementsJson {
    #[serde(default)]
    mandatory: Vec<String>,
}

#[derive(Deserialize)]
struct KeyslotJson {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    key_size: usize,
    af: Option<SplitJson>,
    area: Option<AreaJson>,
    kdf: Option<KdfJson>,
}

#[derive(Deserialize)]
struct SplitJson {
    stripes: usize,
    hash: String,
}

#[derive(Deserialize)]
struct AreaJson {
    offset: String,
    #[serde(default)]
    encryption: String,
    #[serde(default)]
    key_size: usize,
}

#[derive(Deserialize)]
struct KdfJson {
    #[serde(rename = "type")]
    kind: String,
    salt: String,
    hash: Option<String>,
    iterations: Option<u32>,
    time: Option<u32>,
    memory: Option<u32>,
    cpus: Option<u32>,
}

#[derive(Deserialize)]
struct SegmentJson {
    #[serde(rename = "type")]
    kind: String,
    offset: String,
    size: String,
    iv_tweak: Option<String>,
    encryption: Option<String>,
    sector_size: Option<u32>,
    integrity: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct DigestJson {
    keyslots: Vec<String>,
    segments: Vec<String>,
    #[serde(flatten)]
    kdf: KdfJson,
    digest: String,
}

/// Reads the header that was written last.
pub(super) fn read(volume: &Arc<dyn BlockDevice>) -> Result<Header, UnlockError> {
    let places = std::iter::once((0, MAGIC)).chain(SIZES.map(|place| (place, SECOND_MAGIC)));
    let mut newest: Option<(u64, Vec<u8>)> = None;
    for (place, magic) in places {
        if let Some((sequence, json)) = one(volume, place as u64, magic)?
            && newest.as_ref().is_none_or(|(known, _)| *known < sequence)
        {
            newest = Some((sequence, json));
        }
    }
    let (_, json) = newest.ok_or_else(|| UnlockError::corrupt("no header of LUKS is whole"))?;
    let end = json
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(json.len());
    let metadata = serde_json::from_slice(json.get(..end).unwrap_or(&[]));
    let metadata = metadata
        .map_err(|error| UnlockError::corrupt(format!("the header's JSON is none: {error}")))?;
    header(&metadata)
}

/// Reads one header; `None` where none is, or where it is not whole.
fn one(
    volume: &Arc<dyn BlockDevice>,
    place: u64,
    magic: &[u8],
) -> Result<Option<(u64, Vec<u8>)>, UnlockError> {
    let end = |len: usize| place.saturating_add(len as u64);
    if end(BINARY_BYTES) > volume.size_bytes() {
        return Ok(None);
    }
    let binary = fields::read(volume, place, BINARY_BYTES)?;
    let size = usize::try_from(u64_at(&binary, 8)).unwrap_or(usize::MAX);
    let is_one = binary.starts_with(magic)
        && bytes_at(&binary, 6) == [0, 2]
        && u64_at(&binary, 256) == place
        && text::<32>(&binary, 72) == "sha256"
        && SIZES.contains(&size)
        && end(size) <= volume.size_bytes();
    if !is_one {
        return Ok(None);
    }
    let mut bytes = fields::read(volume, place, size)?;
    let stored = bytes_at::<32>(&bytes, CHECKSUM_AT);
    if let Some(field) = bytes.get_mut(CHECKSUM_AT..CHECKSUM_AT + 64) {
        field.fill(0);
    }
    if digest::digest(&digest::SHA256, &bytes).as_ref() != stored {
        return Ok(None);
    }
    Ok(Some((u64_at(&binary, 16), bytes.split_off(BINARY_BYTES))))
}

fn header(metadata: &Metadata) -> Result<Header, UnlockError> {
    if let Some(requirement) = metadata.config.requirements.mandatory.first() {
        let what = format!("the volume is in a state that is not known here ({requirement})");
        return Err(UnlockError::unsupported(what));
    }
    let mut segments = metadata.segments.iter();
    let (Some((segment_name, segment)), None) = (segments.next(), segments.next()) else {
        let what = "the volume has several encrypted parts: it is being re-encrypted";
        return Err(UnlockError::unsupported(what));
    };
    let payload = payload(segment)?;
    let mut header = Header {
        keyslots: Vec::new(),
        payload,
        not_known: None,
    };
    for (name, slot) in &metadata.keyslots {
        let mut digests = metadata.digests.values();
        let own = digests.find(|digest| {
            digest.keyslots.contains(name) && digest.segments.contains(segment_name)
        });
        // A key that belongs to no data.
        let Some(own) = own else { continue };
        match keyslot(slot, own).and_then(Keyslot::check) {
            Ok(slot) => header.keyslots.push(slot),
            Err(why) => header.not_known = Some(why.to_string()),
        }
    }
    Ok(header)
}

fn payload(segment: &SegmentJson) -> Result<Payload, UnlockError> {
    let cipher = segment.encryption.as_deref().unwrap_or("");
    if segment.kind != "crypt" || segment.integrity.is_some() {
        let what = "the volume keeps integrity tags, or a part of it is not encrypted";
        return Err(UnlockError::unsupported(what));
    }
    known_cipher(cipher)?;
    let sector_bytes = segment.sector_size.unwrap_or(512);
    if !matches!(sector_bytes, 512 | 4096) {
        let what = format!("the volume is encrypted in sectors of {sector_bytes} bytes");
        return Err(UnlockError::unsupported(what));
    }
    let offset = number(&segment.offset)?;
    if offset == 0 {
        return Err(UnlockError::unsupported(
            "the header lies apart from the data that it is for (a detached header)",
        ));
    }
    Ok(Payload {
        offset,
        size_bytes: match segment.size.as_str() {
            "dynamic" => None,
            size => Some(number(size)?),
        },
        sector_bytes,
        first_unit: segment.iv_tweak.as_deref().map_or(Ok(0), number)?,
    })
}

fn keyslot(slot: &KeyslotJson, digest: &DigestJson) -> Result<Keyslot, UnlockError> {
    let (Some(split), Some(area), Some(derivation)) = (&slot.af, &slot.area, &slot.kdf) else {
        let what = format!(
            "a key slot is of kind {:?}, which is not known here",
            slot.kind
        );
        return Err(UnlockError::unsupported(what));
    };
    known_cipher(&area.encryption)?;
    Ok(Keyslot {
        kdf: kdf(derivation)?,
        area_key_bytes: area.key_size,
        area_offset: number(&area.offset)?,
        key_bytes: slot.key_size,
        stripes: split.stripes,
        split_hash: Hash::named(&split.hash)?,
        digest: Digest {
            kdf: kdf(&digest.kdf)?,
            value: decoded(&digest.digest)?,
        },
    })
}

fn kdf(kdf: &KdfJson) -> Result<Kdf, UnlockError> {
    let salt = decoded(&kdf.salt)?;
    let missing = || UnlockError::corrupt("a key derivation does not say how much work it is");
    let kind = match kdf.kind.as_str() {
        "pbkdf2" => {
            return Ok(Kdf::Pbkdf2 {
                hash: Hash::named(kdf.hash.as_deref().unwrap_or(""))?,
                iterations: kdf.iterations.ok_or_else(missing)?,
                salt,
            });
        }
        "argon2i" => Argon2Kind::Argon2i,
        "argon2id" => Argon2Kind::Argon2id,
        other => {
            let what = format!("a key is derived by {other:?}, which is not known here");
            return Err(UnlockError::unsupported(what));
        }
    };
    Ok(Kdf::Argon2 {
        kind,
        time: kdf.time.ok_or_else(missing)?,
        memory_kib: kdf.memory.ok_or_else(missing)?,
        lanes: kdf.cpus.ok_or_else(missing)?,
        salt,
    })
}

/// Numbers that may be longer than 32 bits are texts.
fn number(text: &str) -> Result<u64, UnlockError> {
    text.parse()
        .map_err(|_| UnlockError::corrupt(format!("the header has no number in {text:?}")))
}

fn decoded(text: &str) -> Result<Vec<u8>, UnlockError> {
    STANDARD
        .decode(text)
        .map_err(|_| UnlockError::corrupt("a salt or digest of the header is no base64"))
}
