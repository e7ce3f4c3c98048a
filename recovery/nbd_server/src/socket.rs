//! TCP and Unix sockets as one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use block_io::DiskError;

use crate::ListenAddress;

pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn bind(address: &ListenAddress) -> Result<(Self, ListenAddress), DiskError> {
        let failed = |error| DiskError::io(&address.to_string(), "cannot listen here", error);
        match address {
            ListenAddress::Tcp(socket) if !socket.ip().is_loopback() => {
                let what = "NBD without encryption is for this machine alone";
                Err(DiskError::unsupported(&address.to_string(), what)
                    .hint("listen on 127.0.0.1 and forward the port through SSH"))
            }
            ListenAddress::Tcp(socket) => {
                let listener = TcpListener::bind(socket).map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                Ok((Self::Tcp(listener), ListenAddress::Tcp(bound)))
            }
            ListenAddress::Unix(path) => bind_unix(path)
                .map(|listener| (listener, address.clone()))
                .map_err(failed),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                // A reply is one write: waiting for more of it gains nothing.
                socket.set_nodelay(true)?;
                Ok(Socket::Tcp(socket))
            }
            #[cfg(unix)]
            Self::Unix(listener) => listener.accept().map(|(socket, _)| Socket::Unix(socket)),
        }
    }
}

#[cfg(unix)]
fn bind_unix(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::PermissionsExt as _;
    let listener = UnixListener::bind(path)?;
    // Connecting takes the right to write, which nobody else has by most machines' defaults.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Listener::Unix(listener))
}

#[cfg(not(unix))]
fn bind_unix(_path: &Path) -> io::Result<Listener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A connection.
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(crate) fn connect(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => TcpStream::connect(address).map(Self::Tcp),
            #[cfg(unix)]
            ListenAddress::Unix(path) => UnixStream::connect(path).map(Self::Unix),
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    pub(crate) fn set_timeouts(
        &self,
        read: Option<Duration>,
        write: Option<Duration>,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => {
                socket.set_read_timeout(read)?;
                socket.set_write_timeout(write)
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                socket.set_read_timeout(read)?;
                socket.set_write_timeout(write)
            }
        }
    }

    /// Ends the connection for everybody who reads or writes it.
    pub(crate) fn hang_up(&self) {
        // It may have ended already.
        drop(match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Self::Unix(socket) => socket.shutdown(Shutdown::Both),
        });
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buf),
            #[cfg(unix)]
            Self::Unix(socket) => socket.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(buf),
            #[cfg(unix)]
            Self::Unix(socket) => socket.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
