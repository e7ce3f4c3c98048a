//! Where an FTP store lies.

use std::fmt;
use std::path::PathBuf;

use object_store::{BadStoreUrl, StoreUrl};

/// The port that FTP has.
const FTP_PORT: u16 = 21;
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

/// A folder on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpAddress {
    /// Who logs in.
    pub user: String,
    /// The server's name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The folder: from the root where it begins with `/`, otherwise from where the user is put.
    pub path: String,
}

impl FtpAddress {
    /// Reads `ftps://user@host:port/path?ca-file=PEM` or `ftp://user@host/path?insecure=yes`. Both
    /// schemes mean TLS unless that is said. A path that begins with `/~/` is the user's own.
    pub fn from_url(mut url: StoreUrl) -> Result<(Self, Encryption), BadStoreUrl> {
        let bad = |text: &str| Err(BadStoreUrl::new(text));
        let insecure = url.take_option("insecure");
        let ca_file = url.take_option("ca-file").map(PathBuf::from);
        url.no_more_options()?;
        let encryption = match insecure.as_deref() {
            None => Encryption::Tls { ca_file },
            Some("yes") if url.scheme == "ftp" && ca_file.is_none() => Encryption::None,
            Some(_) => return bad("without TLS: ftp://user@host/path?insecure=yes"),
        };
        let Some(user) = url.user else {
            return bad("write who logs in: ftps://user@host/path");
        };
        if url.port == Some(IMPLICIT_TLS_PORT) {
            return bad("port 990 has TLS before the first word: use the server's port 21");
        }
        let path = url.path.strip_prefix("/~/").unwrap_or(&url.path);
        let path = path.trim_end_matches('/');
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            return bad("write the folder of the repository, without `..`: ftps://user@host/path");
        }
        let address = Self {
            user,
            host: url.host,
            port: url.port.unwrap_or(FTP_PORT),
            path: path.to_owned(),
        };
        Ok((address, encryption))
    }
}

impl fmt::Display for FtpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ftp://{}@", self.user)?;
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if self.port != FTP_PORT {
            write!(f, ":{}", self.port)?;
        }
        let lead = if self.path.starts_with('/') {
            ""
        } else {
            "/~/"
        };
        write!(f, "{lead}{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(FtpAddress, Encryption), BadStoreUrl> {
        FtpAddress::from_url(text.parse()?)
    }

    #[test]
    fn tls_is_left_out_only_where_that_is_said() {
        let tls = Encryption::Tls { ca_file: None };
        for text in ["ftp://ann@nas/backup", "ftp://ann@nas:2121/~/backup"] {
            let (address, encryption) = read(text).unwrap();
            assert_eq!((address.to_string().as_str(), &encryption), (text, &tls));
        }
        assert_eq!(read("ftps://ann@nas/a").unwrap().1, tls);
        assert_eq!(
            read("ftp://ann@nas/a?insecure=yes").unwrap().1,
            Encryption::None
        );
        for text in [
            "ftps://ann@nas/a?insecure=yes",
            "ftp://ann@nas/a?insecure=no",
            "ftp://nas/a",
            "ftp://ann@nas",
            "ftp://ann@nas/../a",
            "ftps://ann@nas:990/a",
            "ftp://ann@nas/a?passive=no",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
