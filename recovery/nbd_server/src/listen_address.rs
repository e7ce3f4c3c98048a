//! Where a server listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port that IANA has given to NBD.
const PORT: u16 = 10809;

/// Where a server listens: a port of this machine, or a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP port on the loopback interface; 0 takes any that is free.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], PORT)))
    }
}

impl ListenAddress {
    /// Returns the address under which clients such as `qemu-img` open the export `name`, by the
    /// NBD project's `doc/uri.md`.
    pub fn url(&self, name: &str) -> String {
        match self {
            Self::Tcp(address) => format!("nbd://{address}/{}", escape(name)),
            Self::Unix(path) => {
                let path = path.display().to_string();
                format!("nbd+unix:///{}?socket={}", escape(name), escape(&path))
            }
        }
    }
}

/// Escapes everything but what may stand anywhere in a URL, and slashes.
fn escape(text: &str) -> String {
    use fmt::Write as _;
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err("expected a path after `unix:`".to_owned());
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!("expected an address such as 127.0.0.1:{PORT}, or unix:PATH, not {text:?}")
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_become_urls() {
        let url = |text: &str| text.parse::<ListenAddress>().unwrap().url("a b");
        assert_eq!(url("127.0.0.1:1"), "nbd://127.0.0.1:1/a%20b");
        assert_eq!(url("[::1]:7"), "nbd://[::1]:7/a%20b");
        assert_eq!(url("unix:/tmp/x?"), "nbd+unix:///a%20b?socket=/tmp/x%3F");
        for wrong in ["", "unix:", "localhost", "127.0.0.1"] {
            assert!(wrong.parse::<ListenAddress>().is_err(), "{wrong}");
        }
    }
}
