//! From a client's first message to a session.

use std::time::{SystemTime, UNIX_EPOCH};

use super::digest::{hmac_md5, is_hmac_md5};
use super::message::{Authenticate, challenge, flags, negotiate_flags};
use super::{Account, Session};

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum NtlmError {
    /// What came is not a message of NTLM, or not the one that is due.
    Malformed,
    /// The client cannot do what every current one can.
    TooWeak,
    /// The user is not known, or the password is wrong.
    Denied,
}

/// What the client must offer.
const OFFERED: u32 = flags::EXTENDED_SESSION_SECURITY | flags::KEY_128;
/// What the client must do. requests-ntlm does not offer Unicode in its first message, which is
/// never in Unicode itself, and speaks it then; Windows lets it.
const REQUIRED: u32 = OFFERED | flags::UNICODE;
/// What the client may do, and is then done.
const OPTIONAL: u32 = flags::SIGN
    | flags::SEAL
    | flags::ALWAYS_SIGN
    | flags::KEY_EXCHANGE
    | flags::KEY_56
    | flags::VERSION;
/// What is always said.
const OWN: u32 =
    flags::REQUEST_TARGET | flags::NTLM | flags::TARGET_TYPE_SERVER | flags::TARGET_INFO;

/// A challenge that a client is to answer.
#[derive(Debug)]
pub(in super::super) struct Challenge {
    negotiate: Vec<u8>,
    message: Vec<u8>,
    server_challenge: [u8; 8],
    flags: u32,
}

impl Challenge {
    /// Answers a client's first message.
    pub(in super::super) fn answer(negotiate: &[u8], host: &str) -> Result<Self, NtlmError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| NtlmError::Denied)?;
        Self::answer_with(negotiate, host, random, file_time())
    }

    fn answer_with(
        negotiate: &[u8],
        host: &str,
        server_challenge: [u8; 8],
        time: u64,
    ) -> Result<Self, NtlmError> {
        let offered = negotiate_flags(negotiate).ok_or(NtlmError::Malformed)?;
        if offered & OFFERED != OFFERED {
            return Err(NtlmError::TooWeak);
        }
        let flags = (offered & OPTIONAL) | REQUIRED | OWN;
        Ok(Self {
            negotiate: negotiate.to_vec(),
            message: challenge(host, flags, server_challenge, time),
            server_challenge,
            flags,
        })
    }

    /// Returns the message for the client.
    pub(in super::super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Checks the client's answer (section 3.2.5.1.2).
    pub(in super::super) fn accept(
        &self,
        authenticate: &[u8],
        account: &Account,
    ) -> Result<Session, NtlmError> {
        let answer = Authenticate::read(authenticate).ok_or(NtlmError::Malformed)?;
        let agreed = answer.flags & self.flags;
        if agreed & REQUIRED != REQUIRED {
            return Err(NtlmError::TooWeak);
        }
        // An unknown user costs as much time as a wrong password.
        let key = account.response_key(&answer.user, &answer.domain);
        let proven = is_hmac_md5(&key, &[&self.server_challenge, answer.blob], answer.proof);
        if !proven || !account.is_named(&answer.user) {
            return Err(NtlmError::Denied);
        }
        let exchange_key = hmac_md5(&key, &[answer.proof]);
        let exchanged = agreed & flags::KEY_EXCHANGE != 0;
        let session_key = if exchanged {
            let key = <[u8; 16]>::try_from(answer.encrypted_session_key);
            Session::decrypt_key(exchange_key, key.map_err(|_| NtlmError::Malformed)?)
        } else {
            exchange_key
        };
        if answer.has_code() {
            let (code, without) = answer.code().ok_or(NtlmError::Malformed)?;
            let messages = [&*self.negotiate, &*self.message, &*without];
            if !is_hmac_md5(&session_key, &messages, code) {
                return Err(NtlmError::Denied);
            }
        }
        Ok(Session::of_server(session_key, exchanged))
    }
}

/// Returns the time as Windows counts it: 100 ns since 1601.
fn file_time() -> u64 {
    const UNIX_EPOCH_SECONDS: u64 = 11_644_473_600;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_1970 = since_1970.unwrap_or_default();
    let ticks = u64::from(since_1970.subsec_nanos() / 100);
    (since_1970.as_secs() + UNIX_EPOCH_SECONDS) * 10_000_000 + ticks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn negotiate(flags: u32) -> Vec<u8> {
        let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
        message.extend(flags.to_le_bytes());
        message.extend([0; 16]);
        message
    }

    #[test]
    fn a_client_without_128_bit_keys_is_refused() {
        let weak = negotiate(REQUIRED & !flags::KEY_128);
        let refused = Challenge::answer(&weak, "HOST").unwrap_err();
        assert_eq!(refused, NtlmError::TooWeak);
        assert!(Challenge::answer(&negotiate(REQUIRED), "HOST").is_ok());
    }

    /// An answer of a client that leaves out the code over all messages and sends no key.
    fn answer(challenge: &Challenge, account: &Account, user: &str) -> Vec<u8> {
        let blob = [0; 32];
        let key = account.response_key(user, "");
        let proof = hmac_md5(&key, &[&challenge.server_challenge, &blob]);
        let name: Vec<u8> = user.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let response = [&proof[..], &blob].concat();
        let field = |bytes: &[u8], offset: u32| {
            let length = u16::try_from(bytes.len()).unwrap().to_le_bytes();
            [&length[..], &length, &offset.to_le_bytes()].concat()
        };
        [
            b"NTLMSSP\0\x03\0\0\0",
            &*field(&[], 88),
            &field(&response, 88),
            &field(&[], 88),
            &field(&name, 88 + 48),
            &field(&[], 88),
            &field(&[], 88),
            &REQUIRED.to_le_bytes(),
            &[0; 24],
            &response,
            &name,
        ]
        .concat()
    }

    #[test]
    fn the_proof_counts_also_without_a_code_over_all_messages() {
        let account = Account::new("user", "password");
        let accept = |password: &str, user: &str| {
            let challenge = Challenge::answer(&negotiate(REQUIRED), "HOST").unwrap();
            let client = Account::new(user, password);
            challenge.accept(&answer(&challenge, &client, user), &account)
        };
        assert!(accept("password", "USER").is_ok());
        assert_eq!(accept("wrong", "user").err(), Some(NtlmError::Denied));
        assert_eq!(accept("password", "other").err(), Some(NtlmError::Denied));
        let challenge = Challenge::answer(&negotiate(REQUIRED), "HOST").unwrap();
        let replayed = answer(&challenge, &account, "user");
        let next = Challenge::answer(&negotiate(REQUIRED), "HOST").unwrap();
        assert!(next.accept(&replayed, &account).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_are_accepted_or_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let account = Account::new("user", "password");
            let challenge = Challenge::answer(&negotiate(REQUIRED), "HOST").unwrap();
            let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
            message.extend(&body);
            prop_assert!(challenge.accept(&message, &account).is_err());
            prop_assert!(challenge.accept(&body, &account).is_err());
        }

        #[test]
        fn small_fields_are_not_accepted_or_panic(body in prop::collection::vec(0_u8..90, 0..300)) {
            let account = Account::new("user", "password");
            let challenge = Challenge::answer(&negotiate(REQUIRED), "HOST").unwrap();
            let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
            message.extend(&body);
            prop_assert!(challenge.accept(&message, &account).is_err());
        }
    }
}
