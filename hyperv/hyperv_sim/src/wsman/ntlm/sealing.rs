//! What follows a handshake: messages sealed and signed in both directions ([MS-NLMP] 3.4).

use rc4::{KeyInit, Rc4, StreamCipher};

use wmi::wsman::sealed::{Seal, SealedParts};
use wmi::{WmiError, WmiErrorKind};

use super::digest::{hmac_md5, md5};

/// The keys of an authenticated connection, of which each message uses up a part.
pub(in super::super) struct Session {
    incoming: Direction,
    outgoing: Direction,
}

impl Session {
    /// Makes the server's side of a session.
    pub(super) fn of_server(session_key: [u8; 16], key_was_exchanged: bool) -> Self {
        let direction = |from_to: &str| Direction::new(session_key, from_to, key_was_exchanged);
        Self {
            incoming: direction("client-to-server"),
            outgoing: direction("server-to-client"),
        }
    }

    /// Makes the server's and the client's side of a session.
    #[cfg(test)]
    pub(in super::super) fn pair() -> (Self, Self) {
        let session_key = [0x55; 16];
        let mirrored = Self::of_server(session_key, true);
        let client = Self {
            incoming: mirrored.outgoing,
            outgoing: mirrored.incoming,
        };
        (Self::of_server(session_key, true), client)
    }

    /// Decrypts the session key that a client chose.
    pub(super) fn decrypt_key(exchange_key: [u8; 16], encrypted: [u8; 16]) -> [u8; 16] {
        let mut key = encrypted;
        cipher(exchange_key).apply_keystream(&mut key);
        key
    }

    /// Checks the client's code over the list of mechanisms and makes the server's. It counts as
    /// a message, and leaves the ciphers as they were ([MS-SPNG] section 3.3.5.1).
    pub(in super::super) fn exchange_codes(
        &mut self,
        mechanisms: &[u8],
        code: &[u8],
    ) -> Option<[u8; 16]> {
        let expected = self.incoming.sign_aside(mechanisms);
        is_same(&expected, code).then(|| self.outgoing.sign_aside(mechanisms))
    }
}

impl Seal for Session {
    fn seal(&mut self, plain: &[u8]) -> Result<SealedParts, WmiError> {
        let mut sealed = plain.to_vec();
        self.outgoing.cipher.apply_keystream(&mut sealed);
        Ok(SealedParts {
            signature: self.outgoing.sign(plain).to_vec(),
            sealed,
        })
    }

    /// After a wrong signature nothing that follows can be opened either.
    fn unseal(&mut self, parts: SealedParts) -> Result<Vec<u8>, WmiError> {
        let mut plain = parts.sealed;
        self.incoming.cipher.apply_keystream(&mut plain);
        match is_same(&self.incoming.sign(&plain), &parts.signature) {
            true => Ok(plain),
            false => Err(WmiError::new(
                WmiErrorKind::Protocol,
                "the signature is not that of the message",
            )),
        }
    }
}

/// One direction of a session.
struct Direction {
    signing_key: [u8; 16],
    sealing_key: [u8; 16],
    cipher: Rc4,
    sequence: u32,
    encrypts_checksum: bool,
}

impl Direction {
    fn new(session_key: [u8; 16], from_to: &str, encrypts_checksum: bool) -> Self {
        let key = |use_of_it: &str| {
            let magic = format!("session key to {from_to} {use_of_it} key magic constant\0");
            md5(&session_key, magic.as_bytes())
        };
        let sealing_key = key("sealing");
        Self {
            signing_key: key("signing"),
            sealing_key,
            cipher: cipher(sealing_key),
            sequence: 0,
            encrypts_checksum,
        }
    }

    /// Signs the message that was sealed or opened last.
    fn sign(&mut self, plain: &[u8]) -> [u8; 16] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let digest = hmac_md5(&self.signing_key, &[&sequence, plain]);
        let mut signature = [0; 16];
        let (version, rest) = signature.split_at_mut(4);
        let (checksum, number) = rest.split_at_mut(8);
        version.copy_from_slice(&1_u32.to_le_bytes());
        checksum.copy_from_slice(digest.split_at(8).0);
        number.copy_from_slice(&sequence);
        if self.encrypts_checksum {
            self.cipher.apply_keystream(checksum);
        }
        signature
    }

    /// Signs, before any message, and puts the cipher back.
    fn sign_aside(&mut self, plain: &[u8]) -> [u8; 16] {
        let signature = self.sign(plain);
        self.cipher = cipher(self.sealing_key);
        signature
    }
}

fn cipher(key: [u8; 16]) -> Rc4 {
    #[expect(clippy::expect_used, reason = "RC4 takes keys of 1 to 256 bytes")]
    Rc4::new_from_slice(&key).expect("16 bytes are a key")
}

/// Compares without telling by the time where the difference is.
fn is_same(expected: &[u8; 16], given: &[u8]) -> bool {
    let differences = expected.iter().zip(given);
    given.len() == expected.len() && differences.fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_is_that_of_the_specification() {
        // [MS-NLMP] section 4.2.4.4: the message is `Plaintext`, the session key sixteen 0x55.
        let mut client = Session::pair().1;
        let plain = super::super::digest::utf16("Plaintext");
        let SealedParts { signature, sealed } = client.seal(&plain).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&sealed), "54e50165bf1936dc996020c1811b0f06fb5f");
        assert_eq!(hex(&signature), "010000007fb38ec5c55d497600000000");
    }

    #[test]
    fn messages_arrive_in_order_and_unchanged_or_not_at_all() {
        let (mut server, mut client) = Session::pair();
        let list = b"mechanisms";
        let code = client.outgoing.sign_aside(list);
        let answer = server.exchange_codes(list, &code).unwrap();
        assert_eq!(answer, client.incoming.sign_aside(list));
        for text in ["one", "", "three"] {
            let parts = client.seal(text.as_bytes()).unwrap();
            assert_eq!(server.unseal(parts).unwrap(), text.as_bytes());
            let parts = server.seal(text.as_bytes()).unwrap();
            assert_eq!(client.unseal(parts).unwrap(), text.as_bytes());
        }
        let mut parts = client.seal(b"changed").unwrap();
        parts.sealed[0] ^= 1;
        assert!(server.unseal(parts).is_err());
    }
}
