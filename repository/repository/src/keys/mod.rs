//! Keys: what opens a repository, and what each key is for (format page, section 4).

mod key_ring;
mod key_slot;
mod recovery_key;
mod secret;

pub(crate) use key_ring::{Domain, DomainId, KeyRing};
pub(crate) use key_slot::KeySlot;
pub use key_slot::{PasswordCost, Unlock};
pub use recovery_key::RecoveryKey;
pub(crate) use secret::Secret;
