//! How a host is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::WsmanAddress;
use crate::{WmiError, WmiErrorKind};

/// How who asks proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WsmanAuthentication {
    /// NTLM under the scheme `Negotiate`, which every Windows offers. The password is not sent.
    #[default]
    Negotiate,
    /// Name and password as they are; over HTTPS only.
    Basic,
}

/// How a host is reached.
#[derive(Clone)]
pub struct WsmanOptions {
    /// Where, and as whom.
    pub address: WsmanAddress,
    /// The password. Wiped from memory when the last session with it is gone.
    pub password: Zeroizing<String>,
    /// How the user proves who they are.
    pub authentication: WsmanAuthentication,
    /// Certificates in PEM that are trusted instead of those of this system: authorities, or the
    /// host's own, which then need not bear the right name.
    pub certificate_file: Option<PathBuf>,
    /// How long it may take until a connection stands.
    pub connect_timeout: Duration,
    /// How long the host may take for one request; Windows allows 60 s at most unless it was
    /// raised.
    pub operation_timeout: Duration,
    /// How much longer than that we wait, so that the host's own answer comes first.
    pub grace: Duration,
    /// How long a connection may rest before it is made anew. Windows closes one after two
    /// minutes, and a method must not be the first to find out: it could not be called again.
    pub idle_max: Duration,
}

impl WsmanOptions {
    /// Makes the usual options.
    ///
    /// Errors: `Unavailable` for an address that cannot be used.
    pub fn new(url: &str, password: Zeroizing<String>) -> Result<Self, WmiError> {
        Ok(Self {
            address: WsmanAddress::parse(url)?,
            password,
            authentication: WsmanAuthentication::default(),
            certificate_file: None,
            connect_timeout: Duration::from_secs(20),
            operation_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(15),
            idle_max: Duration::from_secs(30),
        })
    }

    /// Checks that nothing secret would go over the wire in the clear.
    pub(super) fn check(&self) -> Result<(), WmiError> {
        if self.authentication == WsmanAuthentication::Basic && !self.address.tls {
            return Err(WmiError::new(
                WmiErrorKind::Unavailable,
                "Basic over plain HTTP would show the password to everybody on the way; \
                 use winrms://, or Negotiate",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for WsmanOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsmanOptions")
            .field("address", &self.address)
            .field("authentication", &self.authentication)
            .field("certificate_file", &self.certificate_file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let options = WsmanOptions::new("winrm://bob@hv1", "hunter2".to_owned().into()).unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn basic_needs_tls() {
        let mut options = WsmanOptions::new("winrm://bob@hv1", String::new().into()).unwrap();
        assert!(options.check().is_ok());
        options.authentication = WsmanAuthentication::Basic;
        assert_eq!(
            options.check().unwrap_err().kind(),
            WmiErrorKind::Unavailable
        );
        options.address.tls = true;
        assert!(options.check().is_ok());
    }
}
