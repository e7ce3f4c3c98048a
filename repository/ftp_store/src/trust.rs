//! Whose certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use object_store::{StoreError, StoreErrorKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Makes the configuration of all connections of a store, but for the sessions that they resume.
///
/// Many servers want a data connection to resume the session of its control connection. One of
/// TLS 1.2 can be resumed any number of times; the tickets of TLS 1.3 are good for one connection
/// each and come with data that an upload never reads, so they soon run out. So 1.2 it is.
pub(crate) fn tls_config(
    place: &str,
    ca_file: Option<&Path>,
) -> Result<Arc<ClientConfig>, StoreError> {
    let denied = |text: String| StoreError::new(StoreErrorKind::Denied, place, text);
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let unread = |error: &dyn std::fmt::Display| {
                denied(format!(
                    "cannot read certificates of {}: {error}",
                    file.display()
                ))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unread(&e))? {
                let certificate = certificate.map_err(|e| unread(&e))?;
                roots.add(certificate).map_err(|e| unread(&e))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(denied(
            "no certificates to judge the server by were found".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .map_err(|error| denied(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
