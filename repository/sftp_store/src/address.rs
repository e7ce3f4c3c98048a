//! Where an SFTP store lies.

use std::fmt;

use object_store::{BadStoreUrl, StoreUrl};

use crate::HostKeyPolicy;

/// The port that SSH has.
const SSH_PORT: u16 = 22;

/// A folder on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpAddress {
    /// Who logs in.
    pub user: String,
    /// The server's name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The folder: from the root where it begins with `/`, otherwise from where the user is put.
    pub path: String,
}

impl SftpAddress {
    /// Reads `sftp://user@host:port/path?host-key=strict|accept-new`. A path that begins with
    /// `/~/` is the user's own.
    pub fn from_url(mut url: StoreUrl) -> Result<(Self, HostKeyPolicy), BadStoreUrl> {
        let policy = match url.take_option("host-key").as_deref() {
            None | Some("strict") => HostKeyPolicy::Strict,
            Some("accept-new") => HostKeyPolicy::AcceptNew,
            Some(_) => {
                let text = "host-key is strict or accept-new: no key at all is taken unseen";
                return Err(BadStoreUrl::new(text));
            }
        };
        url.no_more_options()?;
        let user = url
            .user
            .ok_or_else(|| BadStoreUrl::new("write who logs in: sftp://user@host/path"))?;
        let path = url.path.strip_prefix("/~/").unwrap_or(&url.path);
        let path = match path.trim_end_matches('/') {
            "" if path.starts_with('/') => "/",
            path => path,
        };
        if path.is_empty() || path == "/" || path.split('/').any(|part| part == "..") {
            return Err(BadStoreUrl::new(
                "write the folder of the repository, without `..`: sftp://user@host/path",
            ));
        }
        let address = Self {
            user,
            host: url.host,
            port: url.port.unwrap_or(SSH_PORT),
            path: path.to_owned(),
        };
        Ok((address, policy))
    }
}

impl fmt::Display for SftpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sftp://{}@", self.user)?;
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if self.port != SSH_PORT {
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

    fn read(text: &str) -> Result<(SftpAddress, HostKeyPolicy), BadStoreUrl> {
        SftpAddress::from_url(text.parse()?)
    }

    #[test]
    fn an_address_reads_as_it_is_shown() {
        for text in [
            "sftp://ann@nas/backup/vm",
            "sftp://ann@nas:2222/backup",
            "sftp://ann@[::1]/~/backup",
        ] {
            assert_eq!(read(text).unwrap().0.to_string(), text);
        }
        let (address, policy) = read("sftp://ann@nas/~/b/?host-key=accept-new").unwrap();
        assert_eq!(
            (address.path.as_str(), policy),
            ("b", HostKeyPolicy::AcceptNew)
        );
    }

    #[test]
    fn what_names_no_folder_or_trusts_blindly_is_refused() {
        for text in [
            "sftp://nas/backup",
            "sftp://ann@nas",
            "sftp://ann@nas/",
            "sftp://ann@nas/~/",
            "sftp://ann@nas/a/../b",
            "sftp://ann@nas/a?host-key=no",
            "sftp://ann@nas/a?password=x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
