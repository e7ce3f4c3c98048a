//! ProFTPD on loopback, with users, certificates and settings of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ftp_store::{Encryption, FtpOptions, FtpStore};
use object_store::{Secret, ServerFolder, ServerScheme, StoreError};
use tempfile::TempDir;

const PROFTPD: &str = "/usr/sbin/proftpd";
pub(crate) const PASSWORD: &str = "correct horse";

/// A server that is stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    proftpd: Child,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    /// Starts one; `None`, visibly, where ProFTPD with TLS is not installed.
    pub(crate) fn start() -> Option<Self> {
        let modules = ["/usr/lib/proftpd", "/usr/libexec/proftpd"].map(Path::new);
        let modules = modules
            .into_iter()
            .find(|it| it.join("mod_tls.so").exists());
        let Some(modules) = modules.filter(|_| Path::new(PROFTPD).exists()) else {
            assert!(
                std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_none(),
                "proftpd-core and proftpd-mod-crypto are not installed"
            );
            eprintln!("skipped: proftpd-core and proftpd-mod-crypto are not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        make_certificate(folder.path(), "server");
        let hash = run("openssl", &["passwd", "-1", PASSWORD]);
        let (uid, gid) = (run("id", &["-u"]), run("id", &["-g"]));
        let users = folder.path().join("users");
        fs::write(&users, format!("ann:{hash}:{uid}:{gid}::{path}:/bin/sh\n")).unwrap();
        run("chmod", &["600", users.to_str().unwrap()]);
        // A port may be taken between the look and the start.
        (0..5)
            .find_map(|_| start_on(free_port(), modules, folder.path()))
            .map(|(port, proftpd)| Self {
                folder,
                port,
                proftpd,
            })
            .or_else(|| panic!("proftpd does not start"))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn address_of(&self, folder: &Path) -> ServerFolder {
        ServerFolder {
            scheme: ServerScheme::Ftp,
            user: "ann".to_owned(),
            host: "localhost".to_owned(),
            port: self.port,
            path: folder.to_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn options(&self) -> FtpOptions {
        FtpOptions {
            encryption: Encryption::Tls {
                ca_file: Some(self.folder.path().join("server.pem")),
            },
            ..FtpOptions::default()
        }
    }

    pub(crate) fn open(&self, folder: &Path) -> Result<FtpStore, StoreError> {
        FtpStore::open(self.address_of(folder), password(), self.options())
    }

    /// Opens the store in `data/`.
    pub(crate) fn store(&self) -> FtpStore {
        self.open(&self.data()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.proftpd.kill();
        let _ = self.proftpd.wait();
    }
}

pub(crate) fn password() -> Secret {
    Secret::new(PASSWORD.to_owned())
}

pub(crate) fn make_certificate(folder: &Path, name: &str) {
    let file = |end: &str| {
        folder
            .join(format!("{name}.{end}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (key, pem) = (file("key"), file("pem"));
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &key,
            "-out",
            &pem,
        ],
    );
}

fn start_on(port: u16, modules: &Path, folder: &Path) -> Option<(u16, Child)> {
    let (path, modules) = (folder.display(), modules.display());
    let (user, group) = (run("id", &["-un"]), run("id", &["-gn"]));
    let config = folder.join("proftpd.conf");
    let text = format!(
        "ServerName test\nServerType standalone\nDefaultServer on\nDefaultAddress 127.0.0.1\n\
         UseIPv6 off\nPort {port}\nUser {user}\nGroup {group}\nUseReverseDNS off\n\
         ModulePath {modules}\nLoadModule mod_tls.c\nAuthOrder mod_auth_file.c\n\
         AuthUserFile {path}/users\nRequireValidShell off\nRootLogin on\nUseFtpUsers off\n\
         WtmpLog off\nTransferLog none\nScoreboardFile {path}/scoreboard\nPidFile {path}/pid\n\
         DelayEngine off\nMaxInstances 100\nAllowOverwrite on\nAllowStoreRestart on\n\
         TLSEngine on\nTLSRequired off\nTLSProtocol TLSv1.2 TLSv1.3\n\
         TLSECCertificateFile {path}/server.pem\nTLSECCertificateKeyFile {path}/server.key\n"
    );
    fs::write(&config, text).unwrap();
    let mut proftpd = Command::new(PROFTPD)
        .args(["-n", "-d", "1", "-c"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(proftpd.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let started = lines.by_ref().map_while(Result::ok).any(|line| {
        let started = line.contains("STARTUP");
        said.push(line);
        started
    });
    if !started {
        eprintln!("{}", said.join("\n"));
        proftpd.wait().unwrap();
        return None;
    }
    // It says so before it listens.
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if proftpd.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    }
    // What it logs is read, so that it never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    Some((port, proftpd))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
