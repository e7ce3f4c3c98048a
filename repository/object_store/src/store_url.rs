//! The URL of a store on the network.

use std::fmt;
use std::str::FromStr;

/// The longest URL that is read, in bytes.
const LONGEST: usize = 4096;

/// `scheme://user@host:port/path?option=value`, without secrets: one with a password is refused.
///
/// `%xx` is understood in the user, the path and the values; a host may be an IPv6 address in
/// brackets, which are left out here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    /// In lower case.
    pub scheme: String,
    /// Before the `@`, where there is one.
    pub user: Option<String>,
    /// Not empty.
    pub host: String,
    /// After the host, where there is one.
    pub port: Option<u16>,
    /// Begins with `/`, or is empty.
    pub path: String,
    /// As they come; no name occurs twice.
    pub options: Vec<(String, String)>,
}

/// A URL that names no store. The text of the URL is not in it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadStoreUrl(String);

impl BadStoreUrl {
    /// Makes an error; `text` says what is wrong, without secrets.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for BadStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadStoreUrl {}

impl FromStr for StoreUrl {
    type Err = BadStoreUrl;

    fn from_str(text: &str) -> Result<Self, BadStoreUrl> {
        let bad = |why: &str| Err(BadStoreUrl::new(why));
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return bad("this URL is too long or has control characters in it");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return bad("this is not a URL: there is no `://` in it");
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return bad(
                "a password in a URL is seen by everybody who sees the command: give it in an \
                 environment variable or a file",
            );
        }
        let (host, port) = host_and_port(host)?;
        let user = user.map(decode).transpose()?;
        if host.is_empty() || user.as_deref() == Some("") {
            return bad("this URL names no host, or an empty user");
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user,
            host,
            port,
            path: decode(path)?,
            options: options(query)?,
        })
    }
}

impl StoreUrl {
    /// Takes an option out, so that those that are left are unknown ones.
    pub fn take_option(&mut self, name: &str) -> Option<String> {
        let at = self.options.iter().position(|(own, _)| own == name)?;
        Some(self.options.remove(at).1)
    }

    /// Fails where an option is left that nobody took.
    pub fn no_more_options(&self) -> Result<(), BadStoreUrl> {
        match self.options.first() {
            None => Ok(()),
            Some((name, _)) => Err(BadStoreUrl(format!(
                "{}:// has no option `{name}`",
                self.scheme
            ))),
        }
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), BadStoreUrl> {
    let bad_port = || BadStoreUrl::new("what follows the host is not a port: 1 to 65535");
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(bad_port)?)),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(bad_port()),
            Ok(port) => Some(port),
        },
    };
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%');
    if !host.chars().all(good) || host.starts_with('-') {
        return Err(BadStoreUrl::new("this URL's host is not one"));
    }
    Ok((host.to_owned(), port))
}

fn options(query: &str) -> Result<Vec<(String, String)>, BadStoreUrl> {
    let mut options: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if options.iter().any(|(own, _)| own == name) {
            return Err(BadStoreUrl(format!("the option `{name}` is given twice")));
        }
        options.push((name.to_owned(), decode(value)?));
    }
    Ok(options)
}

fn decode(text: &str) -> Result<String, BadStoreUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if byte >= 0x20 => bytes.push(byte),
            _ => {
                return Err(BadStoreUrl::new(
                    "`%` is followed by two hex digits in a URL",
                ));
            }
        }
        rest = after.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| BadStoreUrl::new("this URL is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let mut url: StoreUrl = "SFTP://ann%40corp@nas.lan:2222/a%20b/c?host-key=accept-new&x"
            .parse()
            .unwrap();
        assert_eq!(url.scheme, "sftp");
        assert_eq!(url.user.as_deref(), Some("ann@corp"));
        assert_eq!((url.host.as_str(), url.port), ("nas.lan", Some(2222)));
        assert_eq!(url.path, "/a b/c");
        assert_eq!(url.take_option("host-key").as_deref(), Some("accept-new"));
        assert!(url.no_more_options().is_err());
        assert_eq!(url.take_option("x").as_deref(), Some(""));
        assert!(url.no_more_options().is_ok());
        let url: StoreUrl = "ftp://[::1]:21".parse().unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.path.as_str()),
            ("::1", Some(21), "")
        );
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_told() {
        for text in [
            "",
            "/a",
            "sftp://",
            "sftp:///a",
            "sftp://ann:hunter2@host/a",
            "sftp://host:0/",
            "sftp://host:x/",
            "sftp://host:99999/",
            "sftp://-oProxyCommand=x/",
            "sftp://host/%zz",
            "sftp://host/%00",
            "sftp://host/\n",
            "sftp://@host/",
            "sftp://host/?a=1&a=2",
            "sftp://[::1/",
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{text}");
        }
    }
}
