//! Where reading processes are started.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

type Order = (Command, SyncSender<io::Result<Child>>);

static STARTER: OnceLock<Sender<Order>> = OnceLock::new();

/// Starts a process from a thread that lives as long as the program: Linux ends a reading process
/// with the thread that started it (`PR_SET_PDEATHSIG`), and other threads come and go.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let starter = STARTER.get_or_init(|| {
        let (starter, orders) = channel::<Order>();
        let serve = move || {
            for (mut command, answer) in orders {
                // Whoever asked waits for it.
                let _ = answer.send(command.spawn());
            }
        };
        // Where it cannot be started, `orders` is gone, and whoever asks hears of it.
        let _ = thread::Builder::new()
            .name("starts-readers".to_owned())
            .spawn(serve);
        starter
    });
    let gone = || io::Error::other("the thread that starts processes is not there");
    let (answer, started) = sync_channel(1);
    starter.send((command, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}
