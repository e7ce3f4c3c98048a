//! Where a host's WS-Man service is, and as whom: `winrm://DOMAIN%5Cuser@host:5985`.

use std::fmt;

use crate::{WmiError, WmiErrorKind};

/// Bytes of an address.
const ADDRESS_BYTES_MAX: usize = 2048;

/// A host, how it is reached, and the user who asks.
///
/// | Form | What |
/// |---|---|
/// | `winrm://user@host` | HTTP at port 5985; every message is encrypted with the key of the login |
/// | `winrms://user@host` | HTTPS at port 5986 |
///
/// The user may be `user`, `DOMAIN\user` or `user@domain`, with `%` and two digits for characters
/// that an address does not like. A password in the address is refused: addresses end up in logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsmanAddress {
    /// HTTPS?
    pub tls: bool,
    /// Name or number of the host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, decoded.
    pub user: String,
}

impl WsmanAddress {
    /// Reads an address.
    ///
    /// Errors: `Unavailable`, with what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, WmiError> {
        let wrong = |why: &str| {
            let what = format!("the host's address cannot be used: {why}; write winrm://USER@HOST");
            WmiError::new(WmiErrorKind::Unavailable, what)
        };
        if url.len() > ADDRESS_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "winrm" => false,
            "winrms" => true,
            _ => return Err(wrong("it begins with neither winrm:// nor winrms://")),
        };
        // A user of the form `user@domain` has an @ of its own.
        let (user, place) = rest
            .rsplit_once('@')
            .ok_or_else(|| wrong("it names no user"))?;
        if user.contains(':') {
            return Err(wrong(
                "it holds a password, which belongs into LIFEBOAT_HOST_PASSWORD_FILE",
            ));
        }
        let user = percent_decoded(user).ok_or_else(|| wrong("its user is badly encoded"))?;
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(wrong("it names no user"));
        }
        let place = place
            .strip_suffix("/wsman")
            .or_else(|| place.strip_suffix('/'))
            .unwrap_or(place);
        let (host, port) = split_port(place).ok_or_else(|| wrong("its port is no port"))?;
        let allowed = |one: char| one.is_ascii_alphanumeric() || ".-_:%".contains(one);
        if host.is_empty() || !host.chars().all(allowed) {
            return Err(wrong("its host is no host"));
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port: port.unwrap_or(if tls { 5986 } else { 5985 }),
            user,
        })
    }

    /// Returns the address of the service, as HTTP knows it.
    pub(super) fn service(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/wsman", self.authority())
    }

    /// Returns host and port, as HTTP writes them.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Returns domain and name of the user, as NTLM sends them: a domain that stands behind an `@`
    /// stays part of the name (\[MS-NLMP\] section 2.2.1.3).
    pub(super) fn account(&self) -> (&str, &str) {
        self.user.split_once('\\').unwrap_or(("", &self.user))
    }
}

impl fmt::Display for WsmanAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.service())
    }
}

fn split_port(place: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    match place.split_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((place, None)),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |url: &str| {
            let WsmanAddress {
                tls,
                host,
                port,
                user,
            } = WsmanAddress::parse(url).unwrap();
            (tls, host, port, user)
        };
        let of = |tls, host: &str, port, user: &str| (tls, host.to_owned(), port, user.to_owned());
        assert_eq!(read("winrm://bob@hv1"), of(false, "hv1", 5985, "bob"));
        assert_eq!(read("winrms://bob@hv1/"), of(true, "hv1", 5986, "bob"));
        assert_eq!(
            read("WinRM://a@10.0.0.1:80/wsman"),
            of(false, "10.0.0.1", 80, "a")
        );
        assert_eq!(
            read("winrm://DOM%5cbob@h"),
            of(false, "h", 5985, r"DOM\bob")
        );
        assert_eq!(read(r"winrm://DOM\bob@h"), of(false, "h", 5985, r"DOM\bob"));
        assert_eq!(
            read("winrm://bob@corp.example@h"),
            of(false, "h", 5985, "bob@corp.example")
        );
        assert_eq!(
            read("winrm://bob%40corp@h"),
            of(false, "h", 5985, "bob@corp")
        );
        assert_eq!(
            read("winrms://b%C3%BC@[fe80::1]:1"),
            of(true, "fe80::1", 1, "bü")
        );
    }

    #[test]
    fn services_and_accounts_follow_from_them() {
        let address = WsmanAddress::parse(r"winrms://DOM\bob@[::1]").unwrap();
        assert_eq!(address.service(), "https://[::1]:5986/wsman");
        assert_eq!(address.account(), ("DOM", "bob"));
        let address = WsmanAddress::parse("winrm://bob@corp@h").unwrap();
        assert_eq!(address.account(), ("", "bob@corp"));
    }

    #[test]
    fn other_addresses_are_refused_and_passwords_not_repeated() {
        for url in [
            "",
            "hv1",
            "http://a@b",
            "winrm://hv1",
            "winrm://@hv1",
            "winrm://a@",
            "winrm://a@h:x",
            "winrm://a@h:99999",
            "winrm://a%@h",
            "winrm://a%ff@h",
            "winrm://a@h/x",
            "winrm://a%0a@h",
            "winrm://a@[::1",
            "winrm://a@h h",
        ] {
            assert!(WsmanAddress::parse(url).is_err(), "{url}");
        }
        let error = WsmanAddress::parse("winrm://bob:hunter2@hv1")
            .unwrap_err()
            .to_string();
        assert!(error.contains("LIFEBOAT_HOST_PASSWORD_FILE"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_address_panics(url in "(winrm://)?[a-z%@:\\[\\]/é\\\\0-9]{0,30}") {
            let _ = WsmanAddress::parse(&url);
        }
    }
}
