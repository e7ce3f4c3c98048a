//! What anybody with the bucket can check without a key (format page, section 2).

use std::sync::{Mutex, PoisonError};

use object_store::{ObjectInfo, ObjectStore};
use serde::Serialize;

use crate::format::{PackId, RepositoryFile};
use crate::hex;
use crate::keys::KeySlot;
use crate::maintain::VerifyObserver;
use crate::maintain::check::damage::{Damage, is_damage};
use crate::maintain::check::in_parallel::in_parallel;
use crate::maintain::check::pack_survey::cancelled;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read of an object at a time, in bytes.
const PIECE_BYTES: u64 = 2 << 20;
/// The checksum that objects end with, in bytes.
const HASH_BYTES: u64 = 32;
/// The most that a slot or the repository file may be, in bytes.
const SMALL_BYTES_MAX: u64 = 1 << 20;
/// What is looked at of the beginning of an object: magic, kind and name.
const HEAD_BYTES: usize = 64;

/// What was found without a key.
#[derive(Debug, Default, Serialize)]
pub struct BytesReport {
    /// Objects whose checksum was computed, and whose name was compared where they tell it.
    pub objects: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Objects without a checksum: key slots and parameters. They were parsed; what a changed byte
    /// in them means only a key tells.
    pub without_checksum: u64,
    /// Damaged objects that a repair has put aside.
    pub quarantined: u64,
    /// Objects whose names are not of the format: not ours, and left alone.
    pub unknown: u64,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
}

/// How an object lets itself be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Begins with a magic and, at an offset, with its own name; ends with a checksum.
    Named {
        magic: &'static [u8; 8],
        offset: usize,
        id: PackId,
    },
    /// A sealed object of a kind; ends with a checksum.
    Sealed(u8),
    Slot,
    Parameters,
    Feature,
    Quarantined,
    Unknown,
}

/// Returns how the object of a name lets itself be checked.
fn form(object: &str) -> Form {
    if object == RepositoryFile::OBJECT {
        return Form::Parameters;
    }
    if let Some(id) = PackId::from_object_name(object) {
        let (magic, offset) = (b"LBPACK01", 48);
        return Form::Named { magic, offset, id };
    }
    let Some((folder, rest)) = object.split_once('/') else {
        return Form::Unknown;
    };
    match folder {
        "index" => hex::decode_array(rest).map_or(Form::Unknown, |id| Form::Named {
            magic: b"LBINDX01",
            offset: 32,
            id: PackId(id),
        }),
        "rings" => Form::Sealed(1),
        "points" => Form::Sealed(2),
        "notes" => Form::Sealed(3),
        "rollups" => Form::Sealed(4),
        "condemned" => Form::Sealed(5),
        "forward" => Form::Sealed(6),
        "settings" => Form::Sealed(7),
        "locks" => Form::Sealed(8),
        "hosts" => Form::Sealed(9),
        "runs" => Form::Sealed(10),
        "lost" => Form::Sealed(11),
        "keys" => Form::Slot,
        "features" => Form::Feature,
        "quarantine" => Form::Quarantined,
        _ => Form::Unknown,
    }
}

/// Returns the number of the kind of sealed objects that a name stands for.
pub(crate) fn sealed_kind(object: &str) -> Option<u8> {
    match form(object) {
        Form::Sealed(kind) => Some(kind),
        _ => None,
    }
}

/// Checks, without any key, that every stored object is as it was written and lies under its name.
///
/// It tells nothing of what somebody did who wanted to deceive and computed the checksums anew, of
/// objects that are gone, and of two small sealed objects that were swapped: only a key does.
/// The observer hears of the bytes that were read.
pub fn check_bytes(
    store: &dyn ObjectStore,
    observer: &dyn VerifyObserver,
) -> Result<BytesReport, RepositoryError> {
    let mut objects = Vec::new();
    store.list("", &mut |object| objects.push(object))?;
    objects.sort_unstable();
    let file = match store.get(RepositoryFile::OBJECT, SMALL_BYTES_MAX) {
        Ok(bytes) => RepositoryFile::parse(&bytes),
        Err(error) => Err(RepositoryError::from(error)),
    };
    let report = Mutex::new(BytesReport::default());
    if let Err(error) = &file {
        add(&report, error)?;
    }
    let repository = file.as_ref().ok().map(|file| file.id.as_str());
    in_parallel(&objects, || {
        let mut buffer = Vec::new();
        let report = &report;
        move |object: &ObjectInfo| {
            if observer.cancelled() {
                return Err(cancelled());
            }
            let form = form(&object.name);
            let checked = match form {
                Form::Named { .. } | Form::Sealed(_) => {
                    check_hash(store, &object.name, object.size_bytes, &mut buffer)
                }
                Form::Slot => check_slot(store, &object.name, repository),
                Form::Parameters | Form::Feature | Form::Quarantined | Form::Unknown => Ok(()),
            };
            if let Err(error) = checked {
                add(report, &error.in_object(&object.name))?;
            }
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            match form {
                Form::Named { .. } | Form::Sealed(_) => {
                    report.objects += 1;
                    report.read_bytes += object.size_bytes;
                    observer.advanced(object.size_bytes);
                }
                Form::Slot | Form::Parameters | Form::Feature => report.without_checksum += 1,
                Form::Quarantined => report.quarantined += 1,
                Form::Unknown => report.unknown += 1,
            }
            Ok(())
        }
    })?;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.damage.sort();
    Ok(report)
}

fn add(report: &Mutex<BytesReport>, error: &RepositoryError) -> Result<(), RepositoryError> {
    if !is_damage(error) {
        // The store failed: that says nothing about what is stored.
        let what = format!("the check could not go on: {error}");
        return Err(RepositoryError::new(error.kind(), what));
    }
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.damage.push(Damage::of_object(error));
    Ok(())
}

fn damaged(what: impl Into<String>) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Damaged, what)
}

/// Reads an object from front to end and compares its head and its checksum.
pub(crate) fn check_hash(
    store: &dyn ObjectStore,
    object: &str,
    size_bytes: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), RepositoryError> {
    let content = size_bytes
        .checked_sub(HASH_BYTES)
        .filter(|content| *content >= HEAD_BYTES as u64)
        .ok_or_else(|| damaged("this object is too short"))?;
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < content {
        let len = (content - offset).min(PIECE_BYTES);
        buffer.resize(usize::try_from(len).unwrap_or(0), 0);
        store.get_range(object, offset, buffer)?;
        if offset == 0 {
            check_head(buffer, form(object))?;
        }
        hasher.update(buffer);
        offset += len;
    }
    let mut stored = [0; 32];
    store.get_range(object, content, &mut stored)?;
    if *hasher.finalize().as_bytes() == stored {
        return Ok(());
    }
    Err(damaged(
        "the bytes are not as they were written: their checksum is wrong",
    ))
}

fn check_head(bytes: &[u8], form: Form) -> Result<(), RepositoryError> {
    let field = |offset: usize, len: usize| bytes.get(offset..offset + len).unwrap_or_default();
    match form {
        Form::Named { magic, offset, id } => {
            if field(0, 8) != magic {
                let magic = String::from_utf8_lossy(magic);
                return Err(damaged(format!("this should begin with {magic}")).at(0));
            }
            if field(offset, 16) != id.0 {
                let what = "another object lies under this one's name";
                return Err(damaged(what).at(offset as u64));
            }
        }
        Form::Sealed(kind) => {
            if field(0, 8) != b"LBSEAL01" {
                return Err(damaged("this should begin with LBSEAL01").at(0));
            }
            if field(8, 2) != [kind, 0] {
                return Err(damaged("this is a sealed object of another kind").at(8));
            }
        }
        Form::Slot | Form::Parameters | Form::Feature | Form::Quarantined | Form::Unknown => {}
    }
    Ok(())
}

fn check_slot(
    store: &dyn ObjectStore,
    object: &str,
    repository: Option<&str>,
) -> Result<(), RepositoryError> {
    let bytes = store.get(object, SMALL_BYTES_MAX)?;
    match repository {
        Some(repository) if KeySlot::parse(&bytes, repository).is_none() => Err(damaged(
            "this cannot be read as a key slot of this repository",
        )),
        _ => Ok(()),
    }
}
