//! From a password or key to the key ring (section 4).

use object_store::{ObjectStore, StoreErrorKind};

use crate::domain_view::{OpenKeys, Opener};
use crate::format::{RepositoryFile, SEALED_BYTES_MAX, SealedKind, open_sealed};
use crate::keys::{HostKey, KeyRing, KeySlot, Secret, Unlock};
use crate::{RepositoryError, RepositoryErrorKind};

/// Key id of what is sealed under the master key.
pub(crate) const MASTER_KEY_ID: [u8; 16] = [0; 16];
/// Slots that are tried: anybody with the bucket can add some, and each try costs a third of a
/// second.
pub(crate) const SLOTS_MAX: usize = 64;
/// The most that a slot or the repository's own file may hold, in bytes.
pub(crate) const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

/// Returns the name of a key ring.
pub(crate) fn ring_object(file: &RepositoryFile, sequence: u32) -> String {
    format!("rings/{}-{sequence:08}", file.id)
}

/// Returns the name of what a write-only host is given.
pub(crate) fn host_object(key: &HostKey, sequence: u32) -> String {
    format!("hosts/{}-{sequence:08}", key.slot())
}

/// Opens the keys with whatever opens them.
pub(crate) fn open_keys(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    unlock: &Unlock<'_>,
) -> Result<(OpenKeys, KeyRing), RepositoryError> {
    let (opener, ring) = if let Unlock::HostKey(key) = unlock {
        let ring = open_host(store, key, 0)?.ok_or_else(|| {
            let what = "the repository knows no host with this key";
            RepositoryError::new(RepositoryErrorKind::WrongKey, what)
                .hint("it may have been removed; `lifeboat repo host add` makes another")
        })?;
        (Opener::Host((*key).clone()), ring)
    } else {
        let (master, slot) = open_slots(store, file, unlock)?;
        let ring = open_ring(store, file, &master, 0)?
            .ok_or_else(|| RepositoryError::damaged("rings/", "the key ring is missing"))?;
        (Opener::Master { master, slot }, ring)
    };
    Ok((OpenKeys::new(opener, ring.clone()), ring))
}

/// Tries all slots; returns the master key and the slot that gave it.
pub(crate) fn open_slots(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    unlock: &Unlock<'_>,
) -> Result<(Secret, String), RepositoryError> {
    let mut slots = Vec::new();
    store.list("keys/", &mut |object| slots.push(object.name))?;
    slots.sort_unstable();
    let mut readable = 0;
    let mut refused = None;
    for object in slots.iter().take(SLOTS_MAX) {
        let bytes = match store.get(object, SMALL_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            // One that was removed meanwhile, or that is too large to be a slot.
            Err(error)
                if matches!(
                    error.kind(),
                    StoreErrorKind::NotFound | StoreErrorKind::WrongSize
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some(slot) = KeySlot::parse(&bytes, &file.id) else {
            continue;
        };
        readable += 1;
        let name = object.trim_start_matches("keys/");
        match slot.open(unlock, name) {
            Ok(master) => return Ok((master, name.to_owned())),
            Err(error) if error.kind() == RepositoryErrorKind::WrongKey => {}
            // A slot that makes no sense must not keep the others from opening.
            Err(error) => drop(refused.get_or_insert(error.in_object(object))),
        }
    }
    if let Some(error) = refused {
        return Err(error);
    }
    if readable == 0 {
        let what = "the repository has no readable key slot";
        return Err(RepositoryError::damaged("keys/", what)
            .hint("bring the folder `keys` back from a copy of the repository"));
    }
    Err(RepositoryError::new(
        RepositoryErrorKind::WrongKey,
        "wrong password or key",
    ))
}

/// Reads the newest key ring that is newer than sequence `known`; `None` where there is none.
pub(crate) fn open_ring(
    store: &dyn ObjectStore,
    file: &RepositoryFile,
    master: &Secret,
    known: u32,
) -> Result<Option<KeyRing>, RepositoryError> {
    let of_name = |object: &str| {
        let sequence = object.strip_prefix(&format!("rings/{}-", file.id))?;
        sequence.parse().ok()
    };
    let open = |object: &str, bytes: &[u8]| {
        open_sealed(SealedKind::KeyRing, MASTER_KEY_ID, master, object, bytes)
    };
    newest(store, "rings/", known, &of_name, &open)
}

/// Reads the newest keys of a write-only host that are newer than sequence `known`; `None` where
/// there are none.
pub(crate) fn open_host(
    store: &dyn ObjectStore,
    key: &HostKey,
    known: u32,
) -> Result<Option<KeyRing>, RepositoryError> {
    let of_name = |object: &str| {
        let sequence = object.strip_prefix(&format!("hosts/{}-", key.slot()))?;
        sequence.parse().ok()
    };
    let open = |object: &str, bytes: &[u8]| {
        open_sealed(SealedKind::Host, key.id(), key.secret(), object, bytes)
    };
    newest(store, "hosts/", known, &of_name, &open)
}

/// Decrypts an object of this name and content.
type Open<'a> = dyn Fn(&str, &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, RepositoryError> + 'a;

/// Reads the ring of the greatest sequence that authenticates.
fn newest(
    store: &dyn ObjectStore,
    folder: &str,
    known: u32,
    sequence_of: &dyn Fn(&str) -> Option<u32>,
    open: &Open<'_>,
) -> Result<Option<KeyRing>, RepositoryError> {
    let mut objects = Vec::new();
    store.list(folder, &mut |object| {
        if let Some(sequence) = sequence_of(&object.name).filter(|sequence| *sequence > known) {
            objects.push((sequence, object.name));
        }
    })?;
    objects.sort_unstable();
    let mut last_error = None;
    for (sequence, object) in objects.iter().rev() {
        let read = || {
            let bytes = store.get(object, SEALED_BYTES_MAX as u64)?;
            let body = open(object, &bytes)?;
            let ring = KeyRing::from_json(&body).map_err(|error| error.in_object(object))?;
            if ring.sequence != *sequence {
                let what = "the key ring says that it is another one";
                return Err(RepositoryError::damaged(object, what));
            }
            Ok(Some(ring))
        };
        match read() {
            // An older ring serves where the newest does not authenticate; any other failure must
            // not make this run write under keys that were retired.
            Err(error) if error.kind() == RepositoryErrorKind::Damaged => last_error = Some(error),
            result => return result,
        }
    }
    // Where a ring is held already, one that does not authenticate is none.
    match last_error {
        Some(error) if known == 0 => Err(error),
        _ => Ok(None),
    }
}
