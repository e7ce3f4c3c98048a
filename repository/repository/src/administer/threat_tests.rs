//! What somebody with some of the keys tries, and why it comes to nothing (section 14).

use block_io::BlockDevice as _;
use object_store::ObjectStore as _;

use crate::format::{
    Aead, Codec, FOOTER_BYTES, Footer, HEADER_BYTES, Header, IndexObject, PackId, PackKind,
    TrailerEntry, place_nonce, recipients, sealed_header,
};
use crate::keys::{DataKeyMaterial, Secret, open_pack_key};
use crate::test_repository::{CHUNK, Quiet, at_host, disk, made, store_disk};
use crate::write::StagedFrames;
use crate::{HostKey, Repository, RepositoryErrorKind, Stream};

fn read(repository: &Repository, stream: &Stream) -> Option<Vec<u8>> {
    let device = repository.open_stream(stream).ok()?;
    let mut bytes = vec![0xEE; usize::try_from(stream.size_bytes).unwrap()];
    device.read_at(0, &mut bytes).ok()?;
    Some(bytes)
}

/// Says whether a key opens the trailer of a pack, or its first frame.
fn opens(pack: &[u8], key: &Aead) -> bool {
    let footer = Footer::parse(
        pack.last_chunk::<FOOTER_BYTES>().unwrap(),
        pack.len() as u64,
    );
    let footer = footer.unwrap();
    let start = usize::try_from(footer.trailer_offset).unwrap();
    let len = u32::from_le_bytes(pack[12..16].try_into().unwrap());
    let mut trailer = pack[start..start + footer.trailer_bytes].to_vec();
    footer.open_trailer(key, len, &mut trailer).is_ok()
}

/// All 32-byte secrets that a handle has, and what can be derived of them with the contexts of
/// the format.
fn secrets_of(repository: &Repository, host_key: &HostKey) -> Vec<Secret> {
    let ring = repository.shared.ring();
    let mut secrets = vec![host_key.secret().clone()];
    for domain in &ring.domains {
        secrets.extend([domain.naming_key.clone(), domain.map_key.clone()]);
    }
    for key in &ring.data_keys {
        match &key.material {
            DataKeyMaterial::Public(public) => secrets.push(Secret::new(*public)),
            DataKeyMaterial::Derived(_) | DataKeyMaterial::Private(_) => {
                panic!("a host was given what opens data")
            }
        }
    }
    let contexts = [
        "lifeboat v1 pack",
        "lifeboat v1 sealed pack key",
        "lifeboat v1 key slot",
        "lifeboat v1 map node",
        "lifeboat v1 group",
        "lifeboat v1 index",
        "lifeboat v1 host slot",
        "lifeboat v1 sealed object",
    ];
    let derived: Vec<Secret> = secrets
        .iter()
        .flat_map(|secret| contexts.map(|context| secret.derive(context, &[])))
        .collect();
    secrets.extend(derived);
    secrets
}

#[test]
fn no_secret_of_a_host_opens_a_pack_of_chunks() {
    let (store, owner) = made();
    let key = owner.add_host("h").unwrap();
    let host = at_host(&store, &key);
    store_disk(&host, &disk(1, 20));
    store_disk(&owner, &disk(2, 20));
    let secrets = secrets_of(&host, &key);
    let (mut sealed_packs, mut derived_packs) = (0, 0);
    for name in store.names("packs/") {
        let id = PackId::from_object_name(&name).unwrap();
        let pack = store.bytes_of(&name).unwrap();
        let header = Header::parse(pack.first_chunk().unwrap(), id).unwrap();
        if header.kind == PackKind::MapNodes {
            let map_key = &host.shared.domain().map_key;
            assert!(opens(&pack, &header.pack_key(map_key)), "the test can tell");
            continue;
        }
        let sealed = pack.get(HEADER_BYTES..header.len_bytes as usize).unwrap();
        let sealed = if sealed.is_empty() {
            Vec::new()
        } else {
            recipients(sealed).unwrap()
        };
        if sealed.is_empty() {
            derived_packs += 1;
        } else {
            sealed_packs += 1;
        }
        for secret in &secrets {
            assert!(!opens(&pack, &Aead::new(secret)));
            assert!(!opens(&pack, &header.pack_key(secret)));
            for (_, sealed) in &sealed {
                for map_key in &secrets {
                    assert!(open_pack_key(sealed, secret, map_key, &header.to_bytes()).is_err());
                }
            }
        }
        let error = host.shared.read_header(id).err().unwrap();
        assert_eq!(error.kind(), RepositoryErrorKind::WriteOnly);
        assert!(opens(&pack, &owner.shared.read_header(id).unwrap().1));
    }
    assert_eq!((sealed_packs, derived_packs), (1, 1));
}

#[test]
fn no_secret_of_a_host_opens_the_master_key_the_ring_or_another_host() {
    let (store, owner) = made();
    let (key, other) = (owner.add_host("h").unwrap(), owner.add_host("o").unwrap());
    let host = at_host(&store, &key);
    let objects = ["rings/", "hosts/"]
        .map(|prefix| store.names(prefix))
        .concat();
    for object in objects.iter().filter(|name| !name.contains(&key.slot())) {
        let bytes = store.bytes_of(object).unwrap();
        for secret in secrets_of(&host, &key) {
            for kind in [
                crate::format::SealedKind::KeyRing,
                crate::format::SealedKind::Host,
            ] {
                for id in [[0; 16], key.id(), other.id()] {
                    let opened = crate::format::open_sealed(kind, id, &secret, object, &bytes);
                    assert!(opened.is_err(), "{object}");
                }
            }
        }
    }
}

/// Stores a frame that does not hold what its name says.
fn store_wrong_bytes(repository: &Repository, good: &[u8], wrong: &[u8]) {
    let run = repository.begin_run(1).unwrap();
    let mut staged = StagedFrames::default();
    Codec::new().unwrap().encode(wrong, &mut staged.bytes);
    let name = repository.shared.naming.chunk(good);
    staged.frames.push((name, staged.bytes.len(), 4096));
    let locator = run.append(PackKind::Chunks, &staged).unwrap()[0];
    run.known().resolve(&name, locator);
    run.flush().unwrap();
}

#[test]
fn wrong_bytes_under_a_right_name_are_found_by_their_own_domain_and_never_read_by_another() {
    let (store, owner) = made();
    let hostile_domain = owner.add_domain("hostile").unwrap();
    let key = hostile_domain.add_host("hostile").unwrap();
    let good = disk(1, 20);
    store_wrong_bytes(&at_host(&store, &key), &good[..CHUNK], &[0xBA; CHUNK]);
    // Another domain stores all of it itself, and reads it.
    let (stream, new_bytes) = store_disk(&owner, &good);
    assert_eq!(new_bytes, good.len() as u64);
    assert_eq!(read(&owner, &stream).unwrap(), good);
    // Who shares the domain leaves out what it was told is there; reading it says what it is.
    let (stream, new_bytes) = store_disk(&hostile_domain, &good);
    assert_eq!(new_bytes, (good.len() - CHUNK) as u64);
    let device = hostile_domain.open_stream(&stream).unwrap();
    let mut bytes = vec![0; CHUNK];
    let error = device.read_at(0, &mut bytes).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("does not hold what its name says"),
        "{cause}"
    );
    device.read_at(CHUNK as u64, &mut bytes).unwrap();
    let damage = owner.check(true, &Quiet).unwrap().damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
}

/// A host of another domain knows the ids that stand in the open, and not the keys.
#[test]
fn a_pack_or_index_that_says_it_is_another_domains_is_not_used() {
    let (store, owner) = made();
    let hostile = owner.add_domain("hostile").unwrap();
    let good = disk(1, 20);
    let victim = owner.shared.domain();
    let own = hostile.shared.domain();
    let name = owner.shared.naming.chunk(&good[..CHUNK]);
    // More than an outsider can know: even the victim's name of the chunk.
    for scheme in 0..2 {
        let id = PackId::random().unwrap();
        let (header, key) = if scheme == 0 {
            let header = Header::derived(PackKind::Chunks, victim.id, victim.id, id);
            (header.to_bytes().to_vec(), header.pack_key(&own.map_key))
        } else {
            // Sealed to the victim's public key, were it known, with another map key.
            owner.add_host("victim").unwrap();
            let ring = owner.shared.ring().for_host(victim.id).unwrap();
            let DataKeyMaterial::Public(public) = ring.data_keys[0].material else {
                panic!("a public key")
            };
            let pack_key = Secret::random().unwrap();
            let mut forged = victim.clone();
            forged.map_key = own.map_key.clone();
            let header = sealed_header(id, &forged, &[(ring.data_keys[0].id, public)], &pack_key);
            (header.unwrap(), Aead::new(&pack_key))
        };
        let mut pack = header;
        let offset = pack.len();
        Codec::new().unwrap().encode(&[0xBA; CHUNK], &mut pack);
        let tag = key.seal(place_nonce(offset as u64), &name.0, &mut pack[offset..]);
        pack.extend(tag.unwrap());
        let entry = TrailerEntry {
            name,
            offset: u32::try_from(offset).unwrap(),
            stored_bytes: u32::try_from(pack.len() - offset).unwrap(),
            plain_bytes: 4096,
        };
        crate::format::seal_trailer(&key, &mut pack, &[entry]).unwrap();
        store.put_new(&id.object_name(), &pack).unwrap();
        // And an index of it that says the same.
        let mut forged = own.clone();
        forged.id = victim.id;
        let index_entry = crate::format::IndexEntry {
            name,
            locator: crate::format::Locator {
                pack: id,
                offset: entry.offset,
                stored_bytes: entry.stored_bytes,
            },
        };
        let index = IndexObject::build(&forged, &mut [index_entry], vec![id]).unwrap();
        store
            .put_new(&index.id.index_object_name(), &index.bytes)
            .unwrap();
    }
    let (stream, new_bytes) = store_disk(&owner, &good);
    assert_eq!(new_bytes, good.len() as u64);
    assert_eq!(read(&owner, &stream).unwrap(), good);
}

#[test]
fn secrets_are_not_shown() {
    let secret = Secret::new([0xA7; 32]);
    let key = HostKey::from_secret(secret.clone());
    let (_, owner) = made();
    let ring = owner.shared.ring();
    let shown = format!("{secret:?} {key:?} {ring:?} {:?}", owner.shared.naming);
    for hex in ["a7a7", "167, 167", &ring.domains[0].map_key.to_hex()[..8]] {
        assert!(!shown.to_lowercase().contains(hex), "{shown}");
    }
}
