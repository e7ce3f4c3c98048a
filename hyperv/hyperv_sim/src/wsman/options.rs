//! What a service is to be like.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use wmi::{Clock, SystemClock};

/// Settings of a service. The defaults are those of WinRM where it has the setting.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one user who may ask, without a domain.
    pub user: String,
    /// Their password.
    pub password: String,
    /// Takes `Authorization: Basic` as well, and then answers unsealed. Only on a loopback address.
    pub allow_basic: bool,
    /// Bytes of the largest request and the largest answer: `MaxEnvelopeSizekb`.
    pub envelope_bytes_max: usize,
    /// Items of one answer: `MaxBatchItems`.
    pub batch_items_max: usize,
    /// Enumerations that are open at once: `MaxConcurrentOperationsPerUser`.
    pub enumerations_max: usize,
    /// Bytes of all items that wait to be pulled.
    pub enumeration_bytes_max: usize,
    /// How long an enumeration waits for its client: `EnumerationTimeoutms`.
    pub enumeration_timeout: Duration,
    /// Connections at once; further ones wait: `MaxConnections`.
    pub connections_max: usize,
    /// How long a connection may be silent: `MaxPacketRetrievalTimeSeconds`.
    pub silence_max: Duration,
    /// What the service says of itself: `OS: 10.0.17763 SP: 0.0 Stack: 3.0`.
    pub product_version: String,
    /// The time by which enumerations expire.
    pub clock: Arc<dyn Clock>,
}

impl ServerOptions {
    /// Makes the settings of a service on a free loopback port.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            user: user.into(),
            password: password.into(),
            allow_basic: false,
            envelope_bytes_max: 500 << 10,
            batch_items_max: 32_000,
            enumerations_max: 1500,
            enumeration_bytes_max: 64 << 20,
            enumeration_timeout: Duration::from_secs(240),
            connections_max: 300,
            silence_max: Duration::from_secs(120),
            product_version: "OS: 10.0.17763 SP: 0.0 Stack: 3.0".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("user", &self.user)
            .field("allow_basic", &self.allow_basic)
            .finish_non_exhaustive()
    }
}
