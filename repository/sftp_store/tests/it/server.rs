//! OpenSSH's sshd and sftp-server on loopback, with keys and settings of their own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use object_store::{ServerFolder, ServerScheme};
use sftp_store::{SftpCredentials, SftpOptions, SftpStore};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// A server that is stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    sshd: Child,
}

impl Server {
    /// Starts one with settings added to its own; `None`, visibly, where OpenSSH is not installed.
    pub(crate) fn start_with(settings: &str) -> Option<Self> {
        if !Path::new(SSHD).exists() || !Path::new(SFTP_SERVER).exists() {
            assert!(
                std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_none(),
                "openssh-server is not installed"
            );
            eprintln!("skipped: openssh-server is not installed");
            return None;
        }
        // Where sshd runs as root it wants this folder, which only its init script makes.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["host_key", "user_key"] {
            make_key(&folder.path().join(name), "ed25519", "");
        }
        fs::copy(
            folder.path().join("user_key.pub"),
            folder.path().join("authorized_keys"),
        )
        .unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        // A port may be taken between the look and the start.
        (0..5)
            .find_map(|_| Self::start_on(free_port(), settings, &folder))
            .map(|(port, sshd)| Self { folder, port, sshd })
            .or_else(|| panic!("sshd does not start"))
    }

    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    fn start_on(port: u16, settings: &str, folder: &TempDir) -> Option<(u16, Child)> {
        let path = folder.path().display();
        let config = folder.path().join("sshd_config");
        let text = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host_key\n\
             AuthorizedKeysFile {path}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n\
             MaxStartups 100\nLogLevel VERBOSE\nPasswordAuthentication no\n\
             {settings}\nSubsystem sftp {SFTP_SERVER}\n"
        );
        fs::write(&config, text).unwrap();
        let mut sshd = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(sshd.stderr.take().unwrap()).lines();
        let listens = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains("Server listening on"));
        if !listens {
            sshd.wait().unwrap();
            return None;
        }
        // What it logs is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Some((port, sshd))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("user_key")
    }

    pub(crate) fn address_of(&self, folder: &Path) -> ServerFolder {
        ServerFolder {
            scheme: ServerScheme::Sftp,
            user: user(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: folder.to_str().unwrap().to_owned(),
        }
    }

    /// Trusts the server's key, also when it is reached through another port.
    pub(crate) fn options_on(&self, port: u16) -> SftpOptions {
        let known_hosts = self.folder.path().join(format!("known_hosts_{port}"));
        let key = fs::read_to_string(self.folder.path().join("host_key.pub")).unwrap();
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {key}")).unwrap();
        SftpOptions {
            known_hosts: Some(known_hosts),
            ..SftpOptions::default()
        }
    }

    pub(crate) fn options(&self) -> SftpOptions {
        self.options_on(self.port)
    }

    pub(crate) fn credentials(&self) -> SftpCredentials {
        SftpCredentials::key_file(self.key())
    }

    /// Opens the store in `data/`.
    pub(crate) fn store(&self) -> SftpStore {
        let address = self.address_of(&self.data());
        SftpStore::open(address, self.credentials(), self.options()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// Who runs the tests: sshd lets nobody else in.
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn make_key(path: &Path, sort: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", sort, "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
