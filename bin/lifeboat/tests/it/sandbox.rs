//! A folder with VMs and a repository, and the program to run on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use block_io::{BlockDevice, NewImage as _};
use disk_image::{DifferencingOptions, ImageFormat, NewImageOptions};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;
use vm_config::{ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, write_vmcx};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const DISK_BYTES: u64 = 4 << 20;

pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    /// Makes a sandbox with a password file and no repository.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("host")).unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        fs::write(folder.path().join("new-password"), "battery staple").unwrap();
        Self(folder)
    }

    /// Makes a sandbox with a repository. Everything is opened with its recovery key, which costs
    /// no time.
    pub(crate) fn with_repository() -> Self {
        let sandbox = Self::empty();
        let key = sandbox.path("key");
        let key = key.to_str().unwrap();
        sandbox.ok(&["repo", "init", "--recovery-key-file", key]);
        sandbox
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        let path = self.0.path().join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn text(&self, below: &str) -> String {
        self.path(below).to_str().unwrap().to_owned()
    }

    /// Returns the argument that names the folder of VMs.
    pub(crate) fn host(&self) -> String {
        format!("dir:{}", self.text("host"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LIFEBOAT_") {
                command.env_remove(name);
            }
        }
        let key = self.path("key");
        if key.exists() {
            command.env("LIFEBOAT_RECOVERY_KEY_FILE", key);
        }
        command
            .env("LIFEBOAT_PASSWORD_FILE", self.path("password"))
            .env("LIFEBOAT_NEW_PASSWORD_FILE", self.path("new-password"))
            .env("LIFEBOAT_REPO", self.path("repository"))
            .stdin(Stdio::null())
            .current_dir(self.0.path())
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must work, and returns its stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must end with `code`, and returns its stderr.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn back_up_all(&self) -> Value {
        let lines = json_lines(&self.ok(&["backup", "--host", &self.host(), "--all", "--json"]));
        lines.last().unwrap().clone()
    }

    /// Makes a disk without a configuration, which is a VM of its own.
    pub(crate) fn raw(&self, below: &str, bytes: &[u8]) {
        fs::write(self.path(&format!("host/{below}")), bytes).unwrap();
    }

    /// Makes a disk that is one small FAT volume with `HELLO.TXT`, by hand: no tool is needed.
    pub(crate) fn fat_volume(&self, below: &str) {
        self.raw(below, &disk_model::fat_volume());
    }

    /// Makes a VHDX with `seed`'s noise at 1 MiB.
    pub(crate) fn base(&self, below: &str, seed: &str) {
        let path = self.path(&format!("host/{below}"));
        let options = NewImageOptions::new(ImageFormat::Vhdx, DISK_BYTES);
        let image = disk_image::create(&path, &options).unwrap();
        image.write_at(1 << 20, &noise(seed, 1 << 20)).unwrap();
        Box::new(image).finish().unwrap();
    }

    /// Makes a child of a VHDX with `seed`'s noise at 1.5 MiB.
    pub(crate) fn child(&self, below: &str, parent: &str, seed: &str) {
        let path = self.path(&format!("host/{below}"));
        let parent = self.path(&format!("host/{parent}"));
        let options = DifferencingOptions::default();
        let image = disk_image::create_differencing(&path, &parent, &options).unwrap();
        image.write_at(3 << 19, &noise(seed, 64 << 10)).unwrap();
        Box::new(image).finish().unwrap();
    }

    /// Makes the configuration of a VM with one disk.
    pub(crate) fn vm(&self, name: &str, id: u128, disk: &str) {
        let id = Uuid::from_u128(id);
        let configuration = VmConfiguration {
            name: name.to_owned(),
            id,
            generation: 2,
            version: "9.0".to_owned(),
            notes: String::new(),
            processors: 1,
            memory: Memory::default(),
            disks: vec![Disk {
                slot: DiskSlot {
                    kind: ControllerKind::Scsi,
                    controller: 0,
                    slot: 0,
                },
                path: format!("C:\\VMs\\{}", disk.replace('/', "\\")),
                pass_through: false,
            }],
            network_adapters: Vec::new(),
            checkpoints: Vec::new(),
            guest_state_file: None,
            secure_boot: true,
            secure_boot_template: None,
        };
        let bytes = write_vmcx(&configuration.to_tree()).unwrap();
        self.raw(&format!("{name}/Virtual Machines/{id}.vmcx"), &bytes);
    }

    /// Makes the VM `Web`: a base, a checkpoint and a configuration.
    pub(crate) fn web(&self) {
        self.base("Web/web.vhdx", "base");
        self.child("Web/web_1.avhdx", "Web/web.vhdx", "child");
        self.vm("Web", 0xeb, "Web/web_1.avhdx");
    }

    /// Lists the objects of the repository with their sizes.
    pub(crate) fn objects(&self) -> BTreeMap<String, u64> {
        let root = self.path("repository");
        files(&root)
            .into_iter()
            .map(|path| {
                let size = fs::metadata(&path).unwrap().len();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                (name.replace('\\', "/"), size)
            })
            .filter(|(name, _)| !name.starts_with("tmp/"))
            .collect()
    }

    /// Hashes every file of the host.
    pub(crate) fn host_hashes(&self) -> BTreeMap<PathBuf, blake3::Hash> {
        files(&self.path("host"))
            .into_iter()
            .map(|path| {
                let hash = blake3::hash(&fs::read(&path).unwrap());
                (path, hash)
            })
            .collect()
    }
}

/// Lists the files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Reads a whole disk, with all its parents.
pub(crate) fn flat(path: &Path) -> Vec<u8> {
    let image = disk_image::open(path, &disk_image::OpenOptions::default()).unwrap();
    let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
    image.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Parses JSON lines; each must have a version and a type, in front.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            assert!(line.starts_with("{\"v\":1,\"type\":\""), "{line}");
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        })
        .collect()
}
