//! QEMU's and libnbd's clients read what the source holds, through TCP and Unix sockets.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent, ExtentKind, check_range};
use disk_model::independent_tools::{have_tool, run};
use nbd_server::{Export, Limits, ListenAddress, NbdServer};

const UNIT: u64 = 64 << 10;

/// A disk of units that are data, zero or not allocated.
struct PatternDisk {
    units: u64,
}

impl PatternDisk {
    fn kind(unit: u64) -> ExtentKind {
        match unit % 7 {
            0 | 1 | 4 => ExtentKind::Data,
            2 => ExtentKind::Zero,
            _ => ExtentKind::NotAllocated,
        }
    }

    fn byte(at: u64) -> u8 {
        match Self::kind(at / UNIT) {
            ExtentKind::Data => u8::try_from(at * 2_654_435_761 % 251).unwrap(),
            _ => 0,
        }
    }

    fn flat(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.size_bytes()).unwrap()];
        self.read_at(0, &mut bytes).unwrap();
        bytes
    }
}

impl BlockDevice for PatternDisk {
    fn size_bytes(&self) -> u64 {
        // The last unit is short.
        self.units * UNIT + 512
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        for (at, byte) in (offset..).zip(buf) {
            *byte = Self::byte(at);
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes)?;
        Ok(Extent {
            kind: Self::kind(offset / UNIT),
            len_bytes: (UNIT - offset % UNIT).min(max_bytes),
        })
    }
}

fn loopback() -> ListenAddress {
    "127.0.0.1:0".parse().unwrap()
}

/// Starts a server for a disk of 6 MiB, at each kind of address.
fn servers(folder: &Path) -> Vec<NbdServer> {
    let mut addresses = vec![loopback()];
    if cfg!(unix) {
        addresses.push(ListenAddress::Unix(folder.join("socket with space")));
    }
    let start = |address: &ListenAddress| {
        let disk = Arc::new(PatternDisk { units: 97 });
        let exports = vec![Export::read_only("disk 0", "a pattern", disk)];
        NbdServer::start(exports, address, Limits::default()).unwrap()
    };
    addresses.iter().map(start).collect()
}

fn text(words: &[&str]) -> Vec<std::ffi::OsString> {
    words.iter().map(std::ffi::OsString::from).collect()
}

/// Runs a client that must succeed.
fn client(program: &str, words: &[&str]) -> String {
    let words = text(words);
    let words: Vec<&OsStr> = words.iter().map(std::ffi::OsString::as_os_str).collect();
    run(program, &words).unwrap_or_default()
}

#[test]
fn qemu_copies_and_maps_and_reads_the_disk() {
    if !have_tool("qemu-img", &["--version"]) || !have_tool("qemu-io", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let flat = PatternDisk { units: 97 }.flat();
    for server in servers(folder.path()) {
        let url = server.url("disk 0");
        let copy = folder.path().join("copy.raw");
        let copy_text = copy.to_str().unwrap();
        client(
            "qemu-img",
            &["convert", "-f", "raw", "-O", "raw", &url, copy_text],
        );
        assert!(std::fs::read(&copy).unwrap() == flat, "{url}");
        let same = client(
            "qemu-img",
            &["compare", "-f", "raw", "-F", "raw", &url, copy_text],
        );
        assert!(same.contains("identical"), "{same}");
        let map = client("qemu-img", &["map", "-f", "raw", "--output=json", &url]);
        let count = |what: &str| map.matches(what).count();
        // Units 0 and 1 of seven are one run, unit 4 another; the short last one is unit 97.
        assert_eq!(count("\"zero\": false"), 28, "{map}");
        // What is zero is told from what was never allocated: 3 and 5 to 6 of seven.
        assert_eq!(count("\"data\": false"), 28, "{map}");
        let second = PatternDisk::byte(UNIT).to_string();
        let read = format!("read -P {second} {UNIT} 1");
        let zero = format!("read -P 0 {} {}", 2 * UNIT, UNIT * 2);
        client(
            "qemu-io",
            &["-r", "-f", "raw", "-c", &read, "-c", &zero, &url],
        );
    }
}

#[test]
fn libnbd_lists_and_maps_and_copies_the_disk() {
    if !have_tool("nbdinfo", &["--version"]) || !have_tool("nbdcopy", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let flat = PatternDisk { units: 97 }.flat();
    for server in servers(folder.path()) {
        let url = server.url("disk 0");
        let all = client("nbdinfo", &["--list", &server.url("")]);
        assert!(
            all.contains("a pattern") && all.contains("is_read_only: true"),
            "{all}"
        );
        assert!(
            all.contains("can_multi_conn: true") && all.contains("base:allocation"),
            "{all}"
        );
        assert_eq!(
            client("nbdinfo", &["--size", &url]).trim(),
            flat.len().to_string()
        );
        let totals = client("nbdinfo", &["--map", "--totals", &url]);
        let data = 42 * UNIT;
        assert!(totals.contains(&data.to_string()), "{totals}");
        // Four connections, 64 requests each, in their own order.
        let copy = folder.path().join("copy");
        let copy_text = copy.to_str().unwrap();
        client(
            "nbdcopy",
            &[
                "--connections=4",
                "--requests=64",
                "--request-size=131072",
                &url,
                copy_text,
            ],
        );
        assert!(std::fs::read(&copy).unwrap() == flat, "{url}");
    }
}

#[test]
fn a_server_ends_with_all_its_connections() {
    let server = NbdServer::start(Vec::new(), &loopback(), Limits::default()).unwrap();
    let ListenAddress::Tcp(address) = *server.address() else {
        panic!("not TCP");
    };
    let mut silent = TcpStream::connect(address).unwrap();
    let mut greeting = [0; 18];
    silent.read_exact(&mut greeting).unwrap();
    drop(server);
    assert_eq!(silent.read(&mut greeting).unwrap_or(0), 0);
}

#[test]
fn clients_beyond_the_limit_are_turned_away_and_others_take_their_place() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = NbdServer::start(Vec::new(), &loopback(), limits).unwrap();
    let ListenAddress::Tcp(address) = *server.address() else {
        panic!("not TCP");
    };
    let greeted = || {
        let mut client = TcpStream::connect(address).unwrap();
        let mut greeting = [0; 18];
        client.read_exact(&mut greeting).is_ok().then_some(client)
    };
    let (mut first, second) = (greeted().unwrap(), greeted().unwrap());
    assert!(greeted().is_none());
    first.write_all(&[0xFF; 4]).unwrap();
    // The server leaves, and with that there is a place.
    assert_eq!(first.read(&mut [0; 1]).unwrap_or(0), 0);
    while greeted().is_none() {
        std::thread::yield_now();
    }
    drop(second);
}

#[test]
fn only_this_machine_may_connect() {
    let everybody = "0.0.0.0:0".parse().unwrap();
    let error = NbdServer::start(Vec::new(), &everybody, Limits::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("this machine alone"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let address = ListenAddress::Unix(path.clone());
    let server = NbdServer::start(Vec::new(), &address, Limits::default()).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Nobody takes an address that is in use.
    assert!(NbdServer::start(Vec::new(), &address, Limits::default()).is_err());
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
}
