//! The one account that the simulated host knows.

use std::fmt;

use super::digest::{hmac_md5, password_hash, utf16};

/// A user and the hash of their password; the password itself is not kept.
#[derive(Clone)]
pub(in super::super) struct Account {
    user: String,
    password_hash: [u8; 16],
}

impl Account {
    pub(in super::super) fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password_hash: password_hash(password),
        }
    }

    /// Returns whether a name is this user's: with or without a domain, in any case.
    pub(in super::super) fn is_named(&self, name: &str) -> bool {
        let name = name.rsplit_once('\\').map_or(name, |(_, user)| user);
        let name = name.split_once('@').map_or(name, |(user, _)| user);
        let own = self.user.rsplit_once('\\').map_or(&*self.user, |(_, u)| u);
        own.to_uppercase() == name.to_uppercase()
    }

    /// Returns whether this is the user's password. Takes the same time for every wrong one.
    pub(in super::super) fn has_password(&self, password: &str) -> bool {
        let given = password_hash(password);
        let differences = self.password_hash.iter().zip(given);
        differences.fold(0, |all, (own, given)| all | (own ^ given)) == 0
    }

    /// Returns `NTOWFv2` for the name and the domain that the client wrote ([MS-NLMP] 3.3.2).
    pub(super) fn response_key(&self, user: &str, domain: &str) -> [u8; 16] {
        let name = utf16(&(user.to_uppercase() + domain));
        hmac_md5(&self.password_hash, &[&name])
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_key_is_the_one_in_the_specification() {
        // [MS-NLMP] section 4.2.4.1.1.
        let account = Account::new("User", "Password");
        let expected = 0x0c86_8a40_3bfd_7a93_a300_1ef2_2ef0_2e3f_u128;
        let key = account.response_key("User", "Domain");
        assert_eq!(u128::from_be_bytes(key), expected);
    }

    #[test]
    fn names_are_told_apart_without_their_domain() {
        let account = Account::new("Backup", "x");
        for name in ["backup", "HOST\\Backup", "backup@host.example"] {
            assert!(account.is_named(name), "{name}");
        }
        assert!(!account.is_named("backups"));
        assert!(account.has_password("x"));
        assert!(!account.has_password("X"));
    }
}
