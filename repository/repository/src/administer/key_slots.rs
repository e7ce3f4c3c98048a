//! Passwords, key files and recovery keys that open the repository.

use jiff::Timestamp;
use object_store::StoreErrorKind;
use serde::Serialize;

use crate::format::random_bytes;
use crate::hex;
use crate::keys::{KeySlot, PasswordCost, Unlock};
use crate::unlock::{SLOTS_MAX, SMALL_FILE_BYTES_MAX};
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// The most of a label that is kept and shown, in characters.
const LABEL_CHARS_MAX: usize = 64;

/// A key slot, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Its name: 16 hex digits.
    pub slot: String,
    /// `password`, `key-file` or `recovery-key`; another where a newer program made it.
    pub kind: String,
    /// What people call it. Whoever can write to the store can change it.
    pub label: Option<String>,
    /// When it was made. Whoever can write to the store can change it.
    pub created: Option<Timestamp>,
    /// Whether this handle was opened with it.
    pub opened: bool,
}

fn refuse(what: &str) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Refused, what)
}

/// Returns what of a text can be shown on a terminal.
fn showable(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(LABEL_CHARS_MAX).collect()
}

impl Repository {
    /// Returns the slots of this repository, in order of their names.
    pub fn keys(&self) -> Result<Vec<KeyInfo>, RepositoryError> {
        let (_, opened) = self.shared.master("list the keys")?;
        let mut objects = Vec::new();
        let store = &self.shared.store;
        store.list("keys/", &mut |object| objects.push(object.name))?;
        objects.sort_unstable();
        let mut keys = Vec::new();
        for object in objects {
            let bytes = match store.get(&object, SMALL_FILE_BYTES_MAX) {
                Ok(bytes) => bytes,
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
            let slot = object.trim_start_matches("keys/").to_owned();
            if let Some(stored) = KeySlot::parse(&bytes, &self.shared.file.id) {
                keys.push(KeyInfo {
                    opened: slot == opened,
                    slot,
                    kind: showable(&stored.kind),
                    label: stored.label.as_deref().map(showable),
                    created: stored.created,
                });
            }
        }
        Ok(keys)
    }

    /// Makes one more password, key file or recovery key open the repository; returns its slot.
    ///
    /// The new slot is read back and opened before this returns.
    pub fn add_key(
        &self,
        unlock: &Unlock<'_>,
        label: Option<&str>,
        cost: PasswordCost,
    ) -> Result<String, RepositoryError> {
        let (master, _) = self.shared.master("add a key")?;
        if self.keys()?.len() >= SLOTS_MAX {
            return Err(refuse("a repository has 64 keys at most")
                .hint("remove one that is not used any more: `lifeboat repo key list`"));
        }
        let id = &self.shared.file.id;
        let slot = hex::encode(&random_bytes::<8>()?);
        let mut wrapped = KeySlot::wrap(master, unlock, cost, id, &slot)?;
        wrapped.label = label.map(showable).filter(|label| !label.is_empty());
        let object = format!("keys/{slot}");
        self.shared.store.put_new(&object, &wrapped.to_json())?;
        let bytes = self.shared.store.get(&object, SMALL_FILE_BYTES_MAX)?;
        let opened = KeySlot::parse(&bytes, id).map(|stored| stored.open(unlock, &slot));
        match opened {
            Some(Ok(found)) if found.bytes() == master.bytes() => Ok(slot),
            _ => Err(RepositoryError::damaged(
                &object,
                "the new key does not open the repository: it was not stored as it was written",
            )),
        }
    }

    /// Returns whether [`Repository::remove_key`] would remove this slot: `Ok`, or why it would not.
    pub fn may_remove_key(&self, slot: &str) -> Result<(), RepositoryError> {
        let (_, opened) = self.shared.master("remove a key")?;
        if slot == opened {
            return Err(refuse(
                "this is the key that the repository was opened with: it is not removed",
            )
            .hint("open the repository with another key; one that works must stay"));
        }
        let known = self.keys()?;
        if !known.iter().any(|key| key.slot == slot) {
            let what = format!("there is no key {slot}");
            return Err(RepositoryError::new(RepositoryErrorKind::NoSuchKey, what)
                .hint("`lifeboat repo key list` shows the keys"));
        }
        if !known.iter().any(|key| key.opened) {
            return Err(refuse(
                "the key that the repository was opened with was removed meanwhile: no other one \
                 is removed before another key was seen to open it",
            ));
        }
        Ok(())
    }

    /// Removes a key slot. What it opened stays as it is, and the other keys open it still.
    ///
    /// Refused for the slot that this handle was opened with: whatever is removed, one key that
    /// is known to open the repository stays. So the last one is never removed.
    pub fn remove_key(&self, slot: &str) -> Result<(), RepositoryError> {
        self.may_remove_key(slot)?;
        let (_, opened) = self.shared.master("remove a key")?;
        let own = format!("keys/{opened}");
        let kept = self.shared.store.get(&own, SMALL_FILE_BYTES_MAX)?;
        self.shared.store.remove(&format!("keys/{slot}"))?;
        self.keep_slot(&own, &kept)
    }

    /// Writes a slot back where somebody removed it meanwhile: of two who remove each other's, the
    /// one that looks last finds its own gone, so one that opens the repository stays.
    fn keep_slot(&self, object: &str, bytes: &[u8]) -> Result<(), RepositoryError> {
        let store = &self.shared.store;
        match store.get(object, SMALL_FILE_BYTES_MAX) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            found => return Ok(found.map(drop)?),
        }
        match store.put_new(object, bytes) {
            Err(error) if error.kind() != StoreErrorKind::Exists => return Err(error.into()),
            _ => {}
        }
        Err(refuse(
            "somebody removed the key that the repository was opened with at the same time: it was \
             written back, as no other one is known to open it",
        )
        .hint("`lifeboat repo key list` shows the keys that there are now"))
    }

    /// Puts a new password in the place of an old one: of `slot`, or else of the password that the
    /// repository was opened with, or of the only one that there is. Returns the new slot.
    ///
    /// Nothing is encrypted anew. The old slot goes after the new one was seen to open.
    pub fn change_password(
        &self,
        new: &str,
        slot: Option<&str>,
        cost: PasswordCost,
    ) -> Result<String, RepositoryError> {
        let known = self.keys()?;
        let passwords = || known.iter().filter(|key| key.kind == "password");
        let by_name = |slot: &str| {
            let found = passwords().find(|key| key.slot == slot);
            found.ok_or_else(|| {
                let what = format!("there is no password {slot}");
                RepositoryError::new(RepositoryErrorKind::NoSuchKey, what)
                    .hint("`lifeboat repo key list` shows the keys")
            })
        };
        let old = match slot {
            Some(slot) => by_name(slot)?,
            None => match (passwords().find(|key| key.opened), passwords().count()) {
                (Some(opened), _) => opened,
                (None, 1) => passwords().next().ok_or_else(|| refuse("no password"))?,
                (None, 0) => {
                    return Err(
                        refuse("the repository has no password that could be changed")
                            .hint("add one with `lifeboat repo key add --password`"),
                    );
                }
                (None, _) => {
                    return Err(refuse("the repository has several passwords")
                        .hint("say which one with --slot; `lifeboat repo key list` shows them"));
                }
            },
        };
        let made = self.add_key(&Unlock::Password(new), old.label.as_deref(), cost)?;
        // Also when it is the one that we came in with: the new one was seen to open.
        self.shared.store.remove(&format!("keys/{}", old.slot))?;
        Ok(made)
    }
}
