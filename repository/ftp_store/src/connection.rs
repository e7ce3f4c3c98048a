//! One connection on which a user is logged in.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::{Secret, ServerFolder, StoreError, StoreErrorKind};
use rustls::ClientConfig;
use rustls::client::Resumption;
use suppaftp::types::{FileType, Mode};
use suppaftp::{FtpError, RustlsConnector, RustlsFtpStream};

use crate::failure::{failed, kind_of};

/// A server that has not taken the connection by then is not there.
const CONNECT: Duration = Duration::from_secs(20);
/// A server that says and takes nothing for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(120);
/// A connection that lay idle for so long is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(15);

/// Sessions that a connection remembers: there is one server.
const SESSIONS: usize = 4;

/// One connection on which a user is logged in.
pub(crate) struct Connection {
    pub(crate) ftp: RustlsFtpStream,
    /// The store's folder, from the server's root.
    pub(crate) root: String,
    used: Instant,
}

impl Connection {
    /// Connects, under TLS where there is a configuration of it, and logs in.
    pub(crate) fn open(
        address: &ServerFolder,
        tls: Option<&Arc<ClientConfig>>,
        password: &Secret,
    ) -> Result<Self, StoreError> {
        let place = address.to_string();
        let stream = connect(address)?;
        let is_ipv6 = stream.peer_addr().is_ok_and(|peer| peer.is_ipv6());
        let not_ftp = |error| {
            failed(
                &place,
                "the server does not answer as an FTP server",
                &error,
            )
        };
        let mut ftp = RustlsFtpStream::connect_with_stream(stream)
            .map_err(not_ftp)?
            .passive_stream_builder(|peer| {
                data_connection(peer).map_err(FtpError::ConnectionError)
            });
        if let Some(tls) = tls {
            ftp = ftp
                .into_secure(RustlsConnector::from(own_sessions(tls)), &address.host)
                .map_err(|error| no_tls(&place, &error))?;
        }
        // The address that a server names may be another machine's, or one behind its router.
        ftp.set_passive_nat_workaround(true);
        if is_ipv6 {
            ftp.set_mode(Mode::ExtendedPassive);
        }
        ftp.login(address.user.as_str(), password.reveal())
            .map_err(|error| failed(&place, "the server did not let this user in", &error))?;
        let unfit = |error| failed(&place, "the server is not fit for a store", &error);
        ftp.transfer_type(FileType::Binary).map_err(unfit)?;
        let root = match address.path.starts_with('/') {
            true => address.path.clone(),
            false => {
                let home = ftp.pwd().map_err(unfit)?;
                format!("{}/{}", home.trim_end_matches('/'), address.path)
            }
        };
        if root.chars().any(char::is_control) {
            let text = "the server puts this user into a folder without a printable name";
            return Err(StoreError::new(StoreErrorKind::Unsupported, &place, text));
        }
        Ok(Self {
            ftp,
            root,
            used: Instant::now(),
        })
    }

    /// Returns whether the server still listens to it.
    pub(crate) fn is_usable(&mut self) -> bool {
        let usable = self.used.elapsed() < IDLE || self.ftp.noop().is_ok();
        self.used = Instant::now();
        usable
    }

    /// Returns the length of a file; `None` where there is none.
    pub(crate) fn size(&mut self, path: &str) -> Result<Option<u64>, FtpError> {
        match self.ftp.size(path) {
            Ok(size_bytes) => Ok(u64::try_from(size_bytes).ok()),
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns the configuration with sessions of its own: a data connection has to resume the session
/// of its control connection, not of another one to the same server.
fn own_sessions(tls: &ClientConfig) -> Arc<ClientConfig> {
    let mut own = tls.clone();
    own.resumption = Resumption::in_memory_sessions(SESSIONS);
    Arc::new(own)
}

fn no_tls(place: &str, error: &FtpError) -> StoreError {
    match kind_of(error) {
        StoreErrorKind::Unavailable => failed(place, "the connection broke", error),
        _ => {
            let error = failed(place, "TLS was refused or is not to be trusted", error);
            let text = format!(
                "{error}; a certificate of your own is named with ?ca-file=PEM, and ?insecure=yes \
                 does without TLS"
            );
            StoreError::new(StoreErrorKind::Denied, place, text)
        }
    }
}

fn connect(address: &ServerFolder) -> Result<TcpStream, StoreError> {
    let place = address.to_string();
    let unavailable = |text: String| StoreError::new(StoreErrorKind::Unavailable, &place, text);
    let peers = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .map_err(|error| unavailable(format!("this host is not known: {error}")))?;
    let mut last = unavailable("this host has no address".to_owned());
    for peer in peers {
        match data_connection(peer) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = unavailable(format!("cannot connect to {peer}: {error}")),
        }
    }
    Err(last)
}

fn data_connection(peer: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&peer, CONNECT)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
