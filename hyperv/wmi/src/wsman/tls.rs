//! Whom a connection is with: certificates of hosts.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::WsmanOptions;
use crate::{WmiError, WmiErrorKind};

/// What connections over TLS are made with.
#[derive(Debug, Clone)]
pub(super) struct TlsTrust {
    pub(super) config: Arc<ClientConfig>,
    verifier: Arc<HostVerifier>,
}

impl TlsTrust {
    /// Takes the certificates of the file, or those of this system.
    ///
    /// Errors: `Unavailable` where there are none.
    pub(super) fn new(options: &WsmanOptions) -> Result<Self, WmiError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trusted = trusted_certificates(options)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .ok();
        let own = options.certificate_file.is_some();
        let verifier = Arc::new(HostVerifier {
            pinned: if own { trusted } else { Vec::new() },
            chain,
            provider: Arc::clone(&provider),
            seen: Mutex::new(None),
        });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unavailable(&error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            verifier,
        })
    }

    /// Makes the error of a connection that TLS refused: which certificate, and how to trust it.
    pub(super) fn refused(&self, host: &str, why: &std::io::Error) -> WmiError {
        let what = match self.verifier.seen() {
            Some(certificate) => format!(
                "the certificate of {host} with the SHA-256 fingerprint {} is not trusted: {why}; \
                 if it is the right one, save it as PEM and name that file in \
                 LIFEBOAT_HOST_CERTIFICATE_FILE",
                fingerprint(&certificate)
            ),
            None => format!("no TLS connection with {host}: {why}"),
        };
        WmiError::new(WmiErrorKind::Unreachable, what)
    }

    /// Returns what ties a login to the connection just made (RFC 5929, `tls-server-end-point`).
    pub(super) fn channel_binding(&self) -> Option<Vec<u8>> {
        let certificate = self.verifier.seen()?;
        let hash = digest::digest(signature_hash(&certificate)?, &certificate);
        Some([b"tls-server-end-point:", hash.as_ref()].concat())
    }
}

fn trusted_certificates(options: &WsmanOptions) -> Result<Vec<CertificateDer<'static>>, WmiError> {
    let Some(file) = &options.certificate_file else {
        // What cannot be read of the system's is not trusted; the connection tells what is missing.
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> =
        read.map_err(|error| unavailable(&format!("{} cannot be read: {error}", file.display())))?;
    if certificates.is_empty() {
        return Err(unavailable(&format!(
            "{} holds no certificate in PEM",
            file.display()
        )));
    }
    Ok(certificates)
}

fn unavailable(why: &str) -> WmiError {
    WmiError::new(
        WmiErrorKind::Unavailable,
        format!("TLS cannot be used: {why}"),
    )
}

/// Trusts a host that shows one of our certificates itself, or one that an authority vouches for.
#[derive(Debug)]
struct HostVerifier {
    pinned: Vec<CertificateDer<'static>>,
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    /// The certificate that the host showed last.
    seen: Mutex<Option<Vec<u8>>>,
}

impl HostVerifier {
    fn seen(&self) -> Option<Vec<u8>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl ServerCertVerifier for HostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.chain {
            Some(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, certificate);
    let pairs: Vec<String> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

/// Returns the hash with which a certificate is signed, SHA-256 for those that are too weak (RFC
/// 5929 section 4.1); `None` where it is not known, and then nothing is bound.
fn signature_hash(certificate: &[u8]) -> Option<&'static digest::Algorithm> {
    const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04];
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, … }
    let (_, inside, _) = read_der(certificate)?;
    let (_, _, after) = read_der(inside)?;
    let (_, algorithm, _) = read_der(after)?;
    let (_, name, _) = read_der(algorithm)?;
    if let Some(last) = name.strip_prefix(RSA) {
        return match last {
            [0x04 | 0x05 | 0x0B] => Some(&digest::SHA256),
            [0x0C] => Some(&digest::SHA384),
            [0x0D] => Some(&digest::SHA512),
            _ => None,
        };
    }
    match name.strip_prefix(ECDSA)? {
        [0x01] | [0x03, 0x02] => Some(&digest::SHA256),
        [0x03, 0x03] => Some(&digest::SHA384),
        [0x03, 0x04] => Some(&digest::SHA512),
        _ => None,
    }
}

/// Reads one element of DER: its tag, its content, and what follows.
fn read_der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            (length, rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate's outline: content, algorithm, signature.
    fn outline(name: &[u8]) -> Vec<u8> {
        let element = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&[tag, 0x81, length], content].concat()
        };
        let algorithm = element(0x30, &element(0x06, name));
        let parts = [element(0x30, &[0; 200]), algorithm, element(0x03, &[0])].concat();
        element(0x30, &parts)
    }

    #[test]
    fn the_hash_of_a_binding_is_that_of_the_signature() {
        let rsa = |last: u8| outline(&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, last]);
        assert_eq!(signature_hash(&rsa(0x0B)), Some(&digest::SHA256));
        assert_eq!(signature_hash(&rsa(0x05)), Some(&digest::SHA256));
        assert_eq!(signature_hash(&rsa(0x0C)), Some(&digest::SHA384));
        assert_eq!(signature_hash(&rsa(0x0A)), None);
        let ecdsa = outline(&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04]);
        assert_eq!(signature_hash(&ecdsa), Some(&digest::SHA512));
        for cut in 0..ecdsa.len() - 3 {
            assert_eq!(signature_hash(&ecdsa[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let mut options = WsmanOptions::new("winrms://a@h", String::new().into()).unwrap();
        options.certificate_file = Some("Cargo.toml".into());
        let error = TlsTrust::new(&options).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::Unavailable);
        assert!(error.to_string().contains("Cargo.toml"), "{error}");
        options.certificate_file = Some("no such file".into());
        assert!(TlsTrust::new(&options).is_err());
    }
}
