//! What keeps others from reading along.

use std::path::PathBuf;

use object_store::{BadStoreUrl, ServerFolder, ServerScheme, StoreUrl};

/// Where TLS comes before the first word; not spoken here.
const IMPLICIT_TLS_PORT: u16 = 990;

/// What keeps others from reading along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// TLS, with a certificate that leads to the machine's roots, or to one in this file.
    Tls {
        /// Certificates in PEM that are trusted instead of the machine's.
        ca_file: Option<PathBuf>,
    },
    /// Nothing: asked for by name.
    None,
}

/// Reads `ftps://user@host:port/path?ca-file=PEM` or `ftp://user@host/path?insecure=yes`. Both
/// schemes mean TLS unless that is said.
///
/// # Errors
///
/// Those of [`ServerFolder::from_url`]; also for port 990.
pub fn read_url(mut url: StoreUrl) -> Result<(ServerFolder, Encryption), BadStoreUrl> {
    let bad = |text: &str| Err(BadStoreUrl::new(text));
    let insecure = url.take_option("insecure");
    let ca_file = url.take_option("ca-file").map(PathBuf::from);
    let encryption = match insecure.as_deref() {
        None => Encryption::Tls { ca_file },
        Some("yes") if url.scheme == "ftp" && ca_file.is_none() => Encryption::None,
        Some(_) => return bad("without TLS: ftp://user@host/path?insecure=yes"),
    };
    if url.port == Some(IMPLICIT_TLS_PORT) {
        return bad("port 990 has TLS before the first word: use the server's port 21");
    }
    Ok((ServerFolder::from_url(ServerScheme::Ftp, url)?, encryption))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_left_out_only_where_that_is_said() {
        let encryption = |text: &str| read_url(text.parse().unwrap()).map(|(_, own)| own);
        let tls = Encryption::Tls { ca_file: None };
        for text in ["ftp://ann@nas/a", "ftps://ann@nas:2121/~/a"] {
            assert_eq!(encryption(text).unwrap(), tls);
        }
        let insecure = encryption("ftp://ann@nas/a?insecure=yes").unwrap();
        assert_eq!(insecure, Encryption::None);
        for text in [
            "ftps://ann@nas/a?insecure=yes",
            "ftp://ann@nas/a?insecure=no",
            "ftps://ann@nas:990/a",
        ] {
            assert!(encryption(text).is_err(), "{text}");
        }
    }
}
