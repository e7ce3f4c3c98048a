//! Keys: what opens a repository, and what each key is for (format page, section 4).

mod host_key;
mod key_file;
mod key_ring;
mod key_slot;
mod key_text;
mod recovery_key;
mod sealed_pack_key;
mod secret;

pub use host_key::HostKey;
pub use key_file::KeyFile;
pub(crate) use key_ring::{DataKey, DataKeyMaterial, Domain, DomainId, HostEntry, KeyRing};
pub(crate) use key_slot::KeySlot;
pub use key_slot::{PasswordCost, Unlock};
pub use recovery_key::RecoveryKey;
pub(crate) use sealed_pack_key::{PublicKey, SEALED_PACK_KEY_BYTES, open_pack_key, seal_pack_key};
pub(crate) use secret::Secret;
