//! Who may connect, and an orderly end.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use block_io::DiskError;

use crate::connection::{BufferRoom, Limits, handshake, transmit};
use crate::socket::{Listener, Socket};
use crate::{Export, ListenAddress};

/// A server that runs until it is dropped.
///
/// Dropping it closes all connections, waits for their threads, and removes the Unix socket.
pub struct NbdServer {
    shared: Arc<Shared>,
    address: ListenAddress,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    exports: Vec<Export>,
    limits: Limits,
    room: BufferRoom,
    ending: AtomicBool,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    next: u64,
    sockets: HashMap<u64, Socket>,
    threads: Vec<JoinHandle<()>>,
}

impl NbdServer {
    /// Begins to listen.
    ///
    /// Fails where the address cannot be had, and with `Unsupported` for one that other machines
    /// can reach: nothing here proves who connects, or encrypts what is said.
    pub fn start(
        exports: Vec<Export>,
        address: &ListenAddress,
        limits: Limits,
    ) -> Result<Self, DiskError> {
        let (listener, address) = Listener::bind(address)?;
        let shared = Arc::new(Shared {
            exports,
            limits,
            room: BufferRoom::new(limits.buffer_bytes),
            ending: AtomicBool::new(false),
            clients: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept_all(&listener, &for_thread));
        Ok(Self {
            shared,
            address,
            acceptor: Some(acceptor),
        })
    }

    /// Returns where the server listens, with the port that it got.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Returns what clients open to find the export `name`.
    pub fn url(&self, name: &str) -> String {
        self.address.url(name)
    }
}

impl Drop for NbdServer {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Whoever accepts connections wakes up from one.
        let woken = Socket::connect(&self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            // A thread that panicked has ended as well.
            drop(acceptor.join());
        }
        let (sockets, threads) = {
            let mut clients = self.shared.clients();
            (
                std::mem::take(&mut clients.sockets),
                std::mem::take(&mut clients.threads),
            )
        };
        for socket in sockets.values() {
            socket.hang_up();
        }
        for thread in threads {
            drop(thread.join());
        }
        if let ListenAddress::Unix(path) = &self.address {
            // Somebody may have removed it already.
            drop(std::fs::remove_file(path));
        }
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, socket: &Socket) -> io::Result<()> {
        let patience = Some(self.limits.patience);
        socket.set_timeouts(patience, patience)?;
        let mut from = BufReader::new(socket.try_clone()?);
        let mut to = socket.try_clone()?;
        let Some(session) = handshake(&mut from, &mut to, &self.exports)? else {
            return Ok(());
        };
        // Who has chosen may be silent for as long as it likes.
        socket.set_timeouts(None, patience)?;
        let in_flight = self.limits.in_flight;
        transmit(&session, from, to, &self.room, in_flight, &|| {
            socket.hang_up();
        });
        Ok(())
    }
}

fn accept_all(listener: &Listener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.ending.load(Ordering::SeqCst) {
            break;
        }
        match accepted {
            Ok(socket) => admit(shared, socket),
            // A client that was gone before it was accepted, or no more file descriptors.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Starts a thread for a client, unless there are too many.
fn admit(shared: &Arc<Shared>, socket: Socket) {
    let mut clients = shared.clients();
    clients.threads.retain(|thread| !thread.is_finished());
    let Ok(kept) = socket.try_clone() else { return };
    if clients.sockets.len() >= shared.limits.connections {
        return;
    }
    let number = clients.next;
    clients.next += 1;
    let for_thread = Arc::clone(shared);
    let thread = std::thread::Builder::new().spawn(move || {
        // Why a client left is nobody's business.
        drop(for_thread.serve(&socket));
        socket.hang_up();
        for_thread.clients().sockets.remove(&number);
    });
    if let Ok(thread) = thread {
        clients.sockets.insert(number, kept);
        clients.threads.push(thread);
    }
}
