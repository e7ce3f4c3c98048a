//! A folder on a server that people log in to.

use std::fmt;

use crate::{BadStoreUrl, StoreUrl};

/// A folder on a server, and who logs in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFolder {
    /// What its URL begins with.
    pub scheme: ServerScheme,
    /// Who logs in.
    pub user: String,
    /// The server's name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The folder: from the root where it begins with `/`, otherwise from where the user is put.
    pub path: String,
}

/// What the URL of a folder on a server begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerScheme {
    /// `ftp://`
    Ftp,
    /// `sftp://`
    Sftp,
}

impl ServerScheme {
    fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Sftp => "sftp",
        }
    }

    /// Returns the port where nobody names one.
    fn usual_port(self) -> u16 {
        match self {
            Self::Ftp => 21,
            Self::Sftp => 22,
        }
    }
}

impl ServerFolder {
    /// Reads `scheme://user@host:port/path`, whose options were taken. A path that begins with
    /// `/~/` is the user's own.
    ///
    /// # Errors
    ///
    /// Where an option is left, where nobody logs in, and where no folder is named, or one by `..`.
    pub fn from_url(scheme: ServerScheme, url: StoreUrl) -> Result<Self, BadStoreUrl> {
        url.no_more_options()?;
        let example = format!("{}://user@host/path", url.scheme);
        let user = url
            .user
            .ok_or_else(|| BadStoreUrl::new(format!("write who logs in: {example}")))?;
        let path = url.path.strip_prefix("/~/").unwrap_or(&url.path);
        let path = path.trim_end_matches('/');
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            let what = "write the folder of the repository, without `..`";
            return Err(BadStoreUrl::new(format!("{what}: {example}")));
        }
        Ok(Self {
            scheme,
            user,
            host: url.host,
            port: url.port.unwrap_or(scheme.usual_port()),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for ServerFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}@", self.scheme.name(), self.user)?;
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if self.port != self.scheme.usual_port() {
            write!(f, ":{}", self.port)?;
        }
        let lead = match self.path.starts_with('/') {
            true => "",
            false => "/~/",
        };
        write!(f, "{lead}{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerFolder, BadStoreUrl> {
        let scheme = match text.starts_with("sftp") {
            true => ServerScheme::Sftp,
            false => ServerScheme::Ftp,
        };
        ServerFolder::from_url(scheme, text.parse()?)
    }

    #[test]
    fn an_address_reads_as_it_is_shown() {
        for text in [
            "sftp://ann@nas/backup/vm",
            "sftp://ann@nas:2222/backup",
            "sftp://ann@[::1]/~/backup",
            "ftp://ann@nas/backup",
            "ftp://ann@nas:2121/~/backup",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("sftp://ann@nas/~/b/").unwrap().path, "b");
    }

    #[test]
    fn what_names_no_user_or_folder_is_refused() {
        for text in [
            "sftp://nas/backup",
            "sftp://ann@nas",
            "sftp://ann@nas/",
            "sftp://ann@nas/~/",
            "sftp://ann@nas/a/../b",
            "sftp://ann@nas/a?password=x",
            "ftp://nas/a",
            "ftp://ann@nas",
            "ftp://ann@nas/../a",
            "ftp://ann@nas/a?passive=no",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
