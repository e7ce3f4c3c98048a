//! The server's thread: it accepts connections until it is told to stop.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as Listener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use file_view::FileView;
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
        let first = listen(port)?;
        let address = first.local_addr()?;
        // Who asks for `localhost` may mean this one. A machine without IPv6 does without.
        let second = Listener::bind((Ipv6Addr::LOCALHOST, address.port())).ok();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(READS_MAX)
            .thread_name("webdav-read")
            .build()?;
        let listeners = {
            let _inside = runtime.enter();
            let all = [Some(first), second].into_iter().flatten();
            all.map(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            })
            .collect::<io::Result<Vec<TcpListener>>>()?
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
                // It ends when the sender is dropped.
                let _ = stopped.await;
                accepting.abort_all();
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

fn listen(port: Option<u16>) -> io::Result<Listener> {
    let bind = |port| Listener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => bind(port),
        None => {
            let mut ports = FIRST_PORT..FIRST_PORT + PORTS;
            let free = ports.find_map(|port| bind(port).ok());
            free.map_or_else(|| bind(0), Ok)
        }
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
