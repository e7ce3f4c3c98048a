//! NTLM, as `Negotiate` carries it (\[MS-NLMP\]), over the `sspi` crate.

use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, DataRepresentation, EncryptionFlags, Ntlm,
    SecurityBuffer, SecurityBufferRef, Sspi, SspiImpl,
};

use super::WsmanOptions;
use super::sealed::{Seal, SealedParts};
use crate::{WmiError, WmiErrorKind};

/// Bytes of a signature (\[MS-NLMP\] section 2.2.2.9).
const SIGNATURE_BYTES: usize = 16;

/// NEGOTIATE flags without which the key of the login is none, or weak: `SIGN`, `SEAL`, extended
/// session security, 128 bits, and a key of its own for each login (section 2.2.2.5).
const FLAGS_NEEDED: u32 = 0x0000_0010 | 0x0000_0020 | 0x0008_0000 | 0x2000_0000 | 0x4000_0000;

/// The client's side of one login, and afterwards of the messages on its connection.
pub(super) struct NtlmClient {
    ntlm: Ntlm,
    credentials: Option<AuthIdentityBuffers>,
}

impl NtlmClient {
    /// Begins a login. `channel_binding` ties it to the TLS connection that it happens on.
    pub(super) fn new(options: &WsmanOptions, channel_binding: Option<&[u8]>) -> Self {
        let mut ntlm = Ntlm::new();
        if let Some(binding) = channel_binding {
            ntlm.set_channel_bindings(binding);
        }
        let (domain, user) = options.address.account();
        let credentials = AuthIdentityBuffers::from_utf8(user, domain, &options.password);
        Self {
            ntlm,
            credentials: Some(credentials),
        }
    }

    /// Returns the first token.
    pub(super) fn negotiate(&mut self) -> Result<Vec<u8>, WmiError> {
        self.step(None)
    }

    /// Answers the host's challenge. After this, messages can be sealed.
    ///
    /// Errors: `Protocol` for what is no challenge, or one that agrees to no strong key.
    pub(super) fn authenticate(&mut self, challenge: &[u8]) -> Result<Vec<u8>, WmiError> {
        let flags = challenge
            .get(20..24)
            .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
            .map(u32::from_le_bytes)
            .ok_or_else(|| failed("the host's challenge is cut short"))?;
        if flags & FLAGS_NEEDED != FLAGS_NEEDED {
            return Err(failed("the host does not agree to sealed messages"));
        }
        let token = self.step(Some(challenge))?;
        self.credentials = None;
        Ok(token)
    }

    fn step(&mut self, input: Option<&[u8]>) -> Result<Vec<u8>, WmiError> {
        let token = |bytes: &[u8]| vec![SecurityBuffer::new(bytes.to_vec(), BufferType::Token)];
        let mut input = input.map(token);
        let mut output = token(&[]);
        let mut builder = self
            .ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(
                ClientRequestFlags::CONFIDENTIALITY | ClientRequestFlags::INTEGRITY,
            )
            .with_target_data_representation(DataRepresentation::Native)
            .with_output(&mut output);
        if let Some(input) = &mut input {
            builder = builder.with_input(input);
        }
        self.ntlm
            .initialize_security_context_impl(&mut builder)
            .and_then(|mut step| step.resolve_to_result())
            .map_err(|error| failed(&error.description))?;
        let token = output.into_iter().next();
        Ok(token.map(|token| token.buffer).unwrap_or_default())
    }
}

impl Seal for NtlmClient {
    fn seal(&mut self, plain: &[u8]) -> Result<SealedParts, WmiError> {
        let mut signature = vec![0; SIGNATURE_BYTES];
        let mut sealed = plain.to_vec();
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut signature),
            SecurityBufferRef::data_buf(&mut sealed),
        ];
        self.ntlm
            .encrypt_message(EncryptionFlags::empty(), &mut buffers)
            .map_err(|error| failed(&error.description))?;
        Ok(SealedParts { signature, sealed })
    }

    fn unseal(&mut self, mut parts: SealedParts) -> Result<Vec<u8>, WmiError> {
        if parts.signature.len() != SIGNATURE_BYTES {
            return Err(failed("the signature of an answer has the wrong length"));
        }
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut parts.signature),
            SecurityBufferRef::data_buf(&mut parts.sealed),
        ];
        self.ntlm
            .decrypt_message(&mut buffers)
            .map_err(|_| failed("the signature of an answer is wrong"))?;
        Ok(parts.sealed)
    }
}

fn failed(why: &str) -> WmiError {
    WmiError::new(WmiErrorKind::Protocol, format!("NTLM failed: {why}"))
}
