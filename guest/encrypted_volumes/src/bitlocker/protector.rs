//! Protectors: each hides the volume master key under something else (BDE format, "FVE Volume Master
//! Key").

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::entry::{Entry, entries, role, value};
use super::fields::{bytes_at, u16_at, uuid_at};
use super::key::{KEY_BYTES, WrappedKey};
use super::key_file::KeyFile;
use super::metadata_block::MetadataBlock;
use super::secret::{BitLockerSecret, password_bytes, recovery_key};
use super::stretch::{self, SALT_BYTES};
use crate::{UnlockError, UnlockErrorKind};

/// Before a protector's properties: identifier, time, and what sort it is.
const HEADER_BYTES: usize = 28;
/// Most protectors that a secret is tried on; each takes a second or so.
pub const PROTECTORS_MAX: usize = 32;

/// One way to a volume's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitLockerProtector {
    /// Its identifier, by which a recovery password is kept in a directory.
    pub id: Uuid,
    /// What it takes.
    pub kind: BitLockerProtectorKind,
}

/// What a protector takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitLockerProtectorKind {
    /// Nothing: protection is suspended.
    ClearKey,
    /// The machine's TPM, alone or with something else.
    Tpm,
    /// A start-up key's file.
    StartupKey,
    /// A recovery password.
    RecoveryPassword,
    /// A smart card or a certificate.
    Certificate,
    /// A password.
    Password,
    /// Something else, by its number.
    Other(u16),
}

impl BitLockerProtectorKind {
    fn of(number: u16) -> Self {
        match number {
            0x0000 => Self::ClearKey,
            // With a start-up key (4) or PIN (5) or both (6) beside it or not.
            0x0100 | 0x0400 | 0x0500 | 0x0600 => Self::Tpm,
            0x0200 => Self::StartupKey,
            0x0800 => Self::RecoveryPassword,
            0x1000 => Self::Certificate,
            0x2000 => Self::Password,
            other => Self::Other(other),
        }
    }
}

/// As people call it.
impl fmt::Display for BitLockerProtectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClearKey => f.write_str("clear key"),
            Self::Tpm => f.write_str("TPM"),
            Self::StartupKey => f.write_str("start-up key"),
            Self::RecoveryPassword => f.write_str("recovery password"),
            Self::Certificate => f.write_str("certificate"),
            Self::Password => f.write_str("password"),
            Self::Other(number) => write!(f, "protector of type {number:#06x}"),
        }
    }
}

/// The identifier as Windows shows it, and what the protector takes.
impl fmt::Display for BitLockerProtector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_hyphenated().to_string().to_uppercase();
        write!(f, "{} {{{id}}}", self.kind)
    }
}

/// A protector with what is hidden in it.
pub(super) struct Protector {
    pub(super) public: BitLockerProtector,
    salt: Option<[u8; SALT_BYTES]>,
    clear_key: Option<Zeroizing<[u8; KEY_BYTES]>>,
    master_key: Option<WrappedKey>,
}

impl Protector {
    /// Finds all protectors. Those whose properties cannot be read open with nothing.
    pub(super) fn all(metadata: &MetadataBlock) -> Result<Vec<Self>, UnlockError> {
        let found = metadata.entries()?;
        let mut all = found.iter().filter_map(Self::of);
        let protectors: Vec<Self> = all.by_ref().take(PROTECTORS_MAX).collect();
        if all.next().is_some() {
            return Err(UnlockError::unsupported(format!(
                "the volume has more than {PROTECTORS_MAX} protectors"
            )));
        }
        Ok(protectors)
    }

    fn of(entry: &Entry<'_>) -> Option<Self> {
        if !entry.is(role::VOLUME_MASTER_KEY, value::VOLUME_MASTER_KEY) {
            return None;
        }
        let properties = entry.value.get(HEADER_BYTES..).and_then(entries);
        let properties = properties.unwrap_or_default();
        let property = |sort| {
            let mut of_sort = properties.iter();
            of_sort.find(|property| property.is(role::PROPERTY, sort))
        };
        // The first four bytes of both say what they are for.
        let salt = property(value::STRETCH_KEY).and_then(|salt| salt.value.get(4..4 + SALT_BYTES));
        let clear_key = property(value::KEY).and_then(|key| key.value.get(4..)?.try_into().ok());
        Some(Self {
            public: BitLockerProtector {
                id: uuid_at(entry.value, 0),
                kind: BitLockerProtectorKind::of(u16_at(entry.value, 26)),
            },
            salt: salt.map(|salt| bytes_at(salt, 0)),
            clear_key: clear_key.map(Zeroizing::new),
            master_key: property(value::ENCRYPTED_KEY).and_then(|key| WrappedKey::parse(key.value)),
        })
    }

    /// Returns the volume master key if the secret is this protector's. The protector is of the
    /// secret's kind.
    fn open(&self, secret: &Prepared) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let key = match secret {
            Prepared::Recovery(key) => stretch::of_recovery_key(key, &self.salt?),
            Prepared::Password(bytes) => stretch::of_password(bytes, &self.salt?),
            Prepared::Startup(file) => file.key.clone(),
            Prepared::Nothing => self.clear_key.clone()?,
        };
        self.master_key.as_ref()?.open_wrapping_key(&key)
    }
}

/// A secret that has the form that it must have.
enum Prepared {
    Recovery(Zeroizing<[u8; 16]>),
    Password(Zeroizing<Vec<u8>>),
    Startup(KeyFile),
    Nothing,
}

impl Prepared {
    fn of(secret: &BitLockerSecret<'_>) -> Result<Self, UnlockError> {
        Ok(match secret {
            BitLockerSecret::RecoveryPassword(text) => Self::Recovery(recovery_key(text)?),
            BitLockerSecret::Password(text) => Self::Password(password_bytes(text)?),
            BitLockerSecret::StartupKey(bytes) => Self::Startup(KeyFile::parse(bytes)?),
            BitLockerSecret::ClearKey => Self::Nothing,
        })
    }

    fn is_for(&self, protector: &BitLockerProtector) -> bool {
        match (self, protector.kind) {
            (Self::Recovery(_), BitLockerProtectorKind::RecoveryPassword)
            | (Self::Password(_), BitLockerProtectorKind::Password)
            | (Self::Nothing, BitLockerProtectorKind::ClearKey) => true,
            // The file says which one it is for.
            (Self::Startup(file), BitLockerProtectorKind::StartupKey) => file.id == protector.id,
            _ => false,
        }
    }
}

/// Opens the volume master key with the secret, through whichever protector it is for.
///
/// # Errors
///
/// `WrongKey`, which names the protectors that there are.
pub(super) fn open(
    protectors: &[Protector],
    secret: &BitLockerSecret<'_>,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, UnlockError> {
    let prepared = Prepared::of(secret)?;
    let mut is_tried = false;
    for protector in protectors {
        if prepared.is_for(&protector.public) {
            is_tried = true;
            if let Some(key) = protector.open(&prepared) {
                return Ok(key);
            }
        }
    }
    let there: Vec<String> = protectors
        .iter()
        .map(|protector| protector.public.to_string())
        .collect();
    let there = match there.as_slice() {
        [] => "nothing".to_owned(),
        there => there.join(", "),
    };
    let name = secret.name();
    let what = match (is_tried, &prepared) {
        (true, Prepared::Nothing) => {
            "the clear key does not open the volume: it is damaged".to_owned()
        }
        (true, _) => format!("the {name} is not the volume's, or its metadata are damaged"),
        (false, Prepared::Nothing) => "the volume's protection is not suspended".to_owned(),
        (false, Prepared::Startup(file)) => {
            let id = file.id.as_hyphenated().to_string().to_uppercase();
            format!("the start-up key {{{id}}} is not the volume's")
        }
        (false, _) => format!("the volume has no {name}"),
    };
    let what = format!("{what}; it opens with: {there}");
    Err(UnlockError::new(UnlockErrorKind::WrongKey, what))
}
