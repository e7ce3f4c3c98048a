//! Cold random reads through an NBD server: ours over a restore point, `qemu-nbd` over the raw file.
//!
//! The same small client asks both: simple replies, one connection, a number of requests in flight.
//! Rounds alternate between the servers, each with cold caches, a fresh server and offsets that no
//! round before it had; the median of the rates counts.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::image::{self, Image};
use super::lifeboat::Lifeboat;
use super::random_reads::drop_caches;

/// Reads of one round.
const READS: usize = 500;
const ROUNDS: usize = 5;
const BLOCK_BYTES: u32 = 4096;
const DEEP: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads per second, the median of all rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct NbdReads {
    pub(crate) own: f64,
    pub(crate) own_deep: f64,
    /// `None` where `qemu-nbd` is not installed.
    pub(crate) qemu: Option<f64>,
    pub(crate) qemu_deep: Option<f64>,
}

/// Measures the newest restore point of `own` and the second image.
pub(crate) fn measure(own: &Lifeboat, image: &Image) -> Result<NbdReads, String> {
    let have_qemu = Command::new("qemu-nbd").arg("--version").output().is_ok();
    if !have_qemu {
        println!("  skipped: qemu-nbd is not installed (apt-get install qemu-utils)");
    }
    let mut rates: HashMap<(bool, usize), Vec<f64>> = HashMap::new();
    for round in 0..ROUNDS {
        for depth in [1, DEEP] {
            let label = format!("nbd {round} {depth}");
            let offsets = image::random_offsets_named(&label, &image.second_raw, READS)
                .map_err(|error| error.to_string())?;
            let mut add =
                |qemu: bool, rate: f64| rates.entry((qemu, depth)).or_default().push(rate);
            drop_caches()?;
            add(false, read_all(&mut Server::own(own)?, &offsets, depth)?);
            if have_qemu {
                drop_caches()?;
                add(true, read_all(&mut Server::qemu(image)?, &offsets, depth)?);
            }
        }
    }
    let mut median = |qemu, depth| rates.remove(&(qemu, depth)).and_then(median);
    let found = NbdReads {
        own: median(false, 1).unwrap_or_default(),
        own_deep: median(false, DEEP).unwrap_or_default(),
        qemu: median(true, 1),
        qemu_deep: median(true, DEEP),
    };
    println!("  NBD reads: {found:?}");
    Ok(found)
}

fn median(mut rates: Vec<f64>) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

/// A running server, which ends when it is dropped, and a connection to it.
struct Server {
    child: Child,
    connection: TcpStream,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn own(own: &Lifeboat) -> Result<Server, String> {
        let mut command = own.command(&["point", "serve", "disk@latest", "--disk", "0"]);
        command.args(["--nbd", "127.0.0.1:0", "--json"]);
        let mut child = start(command.stdout(Stdio::piped()))?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let said: serde_json::Value =
            serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
        let address = said["address"].as_str().unwrap_or_default().to_owned();
        Server::connect(child, &address, "disk0")
    }

    fn qemu(image: &Image) -> Result<Server, String> {
        // A port that is free now; nobody else takes one this quickly.
        let free = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = free.local_addr().map_err(|error| error.to_string())?;
        drop(free);
        let port = address.port().to_string();
        let mut command = Command::new("qemu-nbd");
        command.args(["-r", "-t", "-f", "raw", "-b", "127.0.0.1", "-p", &port]);
        let child = start(command.arg(&image.second_raw))?;
        Server::connect(child, &address.to_string(), "")
    }

    /// Connects as soon as the server answers, and chooses the export.
    fn connect(child: Child, address: &str, export: &str) -> Result<Server, String> {
        let begun = Instant::now();
        let connection = loop {
            match TcpStream::connect(address) {
                Ok(connection) => break connection,
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.to_string()),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let mut server = Server { child, connection };
        server
            .choose(export)
            .map_err(|error| format!("NBD handshake: {error}"))?;
        Ok(server)
    }

    /// The shortest handshake that there is: EXPORT_NAME, no structured replies.
    fn choose(&mut self, export: &str) -> std::io::Result<()> {
        self.connection.set_nodelay(true)?;
        let mut greeting = [0; 18];
        self.connection.read_exact(&mut greeting)?;
        let mut choice = 3_u32.to_be_bytes().to_vec();
        choice.extend(b"IHAVEOPT");
        choice.extend(1_u32.to_be_bytes());
        choice.extend(
            u32::try_from(export.len())
                .unwrap_or_default()
                .to_be_bytes(),
        );
        choice.extend(export.as_bytes());
        self.connection.write_all(&choice)?;
        let mut size_and_flags = [0; 10];
        self.connection.read_exact(&mut size_and_flags)
    }
}

fn start(command: &mut Command) -> Result<Child, String> {
    command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))
}

/// Reads all offsets with `depth` requests in flight; reads per second.
fn read_all(server: &mut Server, offsets: &[u64], depth: usize) -> Result<f64, String> {
    let begun = Instant::now();
    let connection = &mut server.connection;
    let mut waiting = offsets.iter();
    let mut block = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
    let mut read = || -> std::io::Result<()> {
        for offset in waiting.by_ref().take(depth) {
            ask(connection, *offset)?;
        }
        for _ in offsets {
            let mut reply = [0; 16];
            connection.read_exact(&mut reply)?;
            if reply[..8] != [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0] {
                return Err(std::io::Error::other("a read failed"));
            }
            connection.read_exact(&mut block)?;
            if let Some(offset) = waiting.next() {
                ask(connection, *offset)?;
            }
        }
        Ok(())
    };
    read().map_err(|error| format!("NBD: {error}"))?;
    let reads = u32::try_from(offsets.len()).map_or(f64::NAN, f64::from);
    Ok(reads / begun.elapsed().as_secs_f64())
}

fn ask(connection: &mut TcpStream, offset: u64) -> std::io::Result<()> {
    let mut request = 0x2560_9513_u32.to_be_bytes().to_vec();
    request.extend([0; 4]);
    request.extend([0; 8]);
    request.extend(offset.to_be_bytes());
    request.extend(BLOCK_BYTES.to_be_bytes());
    connection.write_all(&request)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(super::median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(super::median(Vec::new()), None);
    }
}
