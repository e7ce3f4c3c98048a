//! The server's thread: it accepts connections until it is told to stop.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as Listener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use file_view::FileView;
use futures_util::future::select;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::connection::serve_connection;
use crate::service::{Service, Told};

/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// The port that is tried first where none is asked for.
pub const FIRST_PORT: u16 = 8437;
/// Ports that are tried.
const PORTS: u16 = 64;
/// How often the system is asked for any free port, where none of those is free.
const ANY_PORTS: usize = 8;
/// Reads that run at once; each waits for the repository.
const READS_MAX: usize = 16;
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

/// A server of a view. It ends when this is dropped, and with it its connections.
pub struct DavServer {
    address: SocketAddr,
    top: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DavServer {
    /// Serves a view to this machine alone: on `port`, or on the first free one from [`FIRST_PORT`]
    /// on.
    ///
    /// # Errors
    ///
    /// Those of listening.
    pub fn start(view: Arc<FileView>, port: Option<u16>, told: Box<Told>) -> io::Result<Self> {
        let service = Arc::new(Service::new(view, told)?);
        let listeners = listen(port)?;
        let first = listeners.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let address = first.local_addr()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(READS_MAX)
            .thread_name("webdav-read")
            .build()?;
        let listeners = {
            let _inside = runtime.enter();
            let all = listeners.into_iter().map(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            });
            all.collect::<io::Result<Vec<TcpListener>>>()?
        };
        let (stop, stopped) = oneshot::channel();
        let top = service.top();
        let thread = std::thread::Builder::new().name("webdav".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
                let mut accepting = JoinSet::new();
                for listener in listeners {
                    accepting.spawn(accept(listener, Arc::clone(&service), Arc::clone(&places)));
                }
                // It ends when the sender is dropped, or when nobody is accepted any more. What is
                // accepting still ends with it.
                let failed = pin!(accepting.join_next());
                drop(select(stopped, failed).await);
            });
            // A read that still runs is left to its end.
            runtime.shutdown_background();
        })?;
        Ok(Self {
            address,
            top,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the address of the top folder, with the word that keeps others out:
    /// `http://127.0.0.1:8437/3f0c…/`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.top)
    }

    /// Returns whether it has ended of itself, and answers nobody any more.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DavServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported, and is none of the dropping thread's.
            let _ = thread.join();
        }
    }
}

/// Listens on `port`, or on the first free one.
fn listen(port: Option<u16>) -> io::Result<Vec<Listener>> {
    match port {
        Some(port) => listen_on(port),
        None => {
            let mut ports = (FIRST_PORT..FIRST_PORT + PORTS).chain([0; ANY_PORTS]);
            let free = ports.find_map(|port| listen_on(port).ok());
            free.map_or_else(|| listen_on(0), Ok)
        }
    }
}

/// Listens on a port of both addresses that `localhost` may mean. Where another program has the one of
/// IPv6, it would be told the word by who asks for `localhost`, so the port is not free.
fn listen_on(port: u16) -> io::Result<Vec<Listener>> {
    let first = Listener::bind((Ipv4Addr::LOCALHOST, port))?;
    let port = first.local_addr()?.port();
    match Listener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(second) => Ok(vec![first, second]),
        // Windows says of one that another has for itself that there is no right to it.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(error)
        }
        // A machine without IPv6 does without.
        Err(_) => Ok(vec![first]),
    }
}

/// Accepts connections, for ever.
async fn accept(listener: TcpListener, service: Arc<Service>, places: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        // Neither a client that left at once nor a lack of handles ends the service.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = Arc::clone(&service);
        connections.spawn(async move {
            serve_connection(stream, service).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_another_program_has_on_one_address_is_not_free() {
        let Ok(other) = Listener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("skipped: this machine has no IPv6");
            return;
        };
        let port = other.local_addr().unwrap().port();
        assert!(listen_on(port).is_err());
        drop(other);
        let own = listen(None).unwrap();
        let ports: Vec<u16> = own
            .iter()
            .map(|own| own.local_addr().unwrap().port())
            .collect();
        assert!(ports.iter().all(|port| Some(port) == ports.first()));
    }
}
