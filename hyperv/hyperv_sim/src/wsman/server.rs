//! The service's thread: it accepts connections until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use wmi::WmiSession;

use super::ServerOptions;
use super::connection::serve_connection;
use super::service::Service;

/// Calls that run at once. Each waits for the session, which may take its time.
const CALLS_MAX: usize = 16;
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

/// A WS-Man service. It ends when this is dropped, and with it its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Returns where the service listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address that clients ask for: `http://127.0.0.1:5985/wsman`.
    pub fn endpoint(&self) -> String {
        format!("http://{}/wsman", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported, and is none of the dropping thread's.
            let _ = thread.join();
        }
    }
}

/// Starts a service that answers from `session`, as WinRM answers from WMI.
///
/// Errors: `InvalidInput` where Basic is allowed and the address is not a loopback address; those
/// of listening there.
pub fn serve(session: Arc<dyn WmiSession>, options: ServerOptions) -> io::Result<Server> {
    if options.allow_basic && !options.listen.ip().is_loopback() {
        let what = "passwords in the clear are for loopback addresses only";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let listener = std::net::TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(CALLS_MAX)
        .thread_name("wsman-call")
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel();
    let service = Arc::new(Service::new(session, options));
    let thread = std::thread::Builder::new()
        .name("wsman".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let accepting = tokio::spawn(accept(listener, service));
                // It ends when the sender is dropped.
                let _ = stopped.await;
                accepting.abort();
            });
            // A call that still runs is left to its end.
            runtime.shutdown_background();
        })?;
    Ok(Server {
        address,
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// Accepts connections, for ever.
async fn accept(listener: TcpListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(service.options().connections_max));
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
