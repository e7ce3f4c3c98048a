//! The VM of the demonstration: a configuration, a base disk and a chain of checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::{DiskError, NewImage};
use disk_image::{DifferencingOptions, ImageFormat, NewImageOptions, create, create_differencing};
use uuid::Uuid;
use vm_config::{
    Checkpoint, ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, VmConfiguration, write_vmcx,
};

use crate::cli_error::CliError;

/// Size of the VM's disk.
pub(super) const DISK_BYTES: u64 = 64 << 20;
pub(super) const VM_NAME: &str = "Demo";
const VM_ID: Uuid = Uuid::from_u128(0x11fe_b0a7_0000_4000_8000_0000_0000_0001);
const MIB: u64 = 1 << 20;
/// Where the VM lies on the Windows host that it pretends to come from.
const HOST_FOLDER: &str = "C:\\VMs\\Demo\\Virtual Hard Disks";

/// The VM of the demonstration.
pub(super) struct DemoMachine {
    folder: PathBuf,
    /// The files of the chain, base first.
    chain: Vec<PathBuf>,
}

impl DemoMachine {
    /// Makes the VM below `host`: a base and two checkpoints.
    pub(super) fn make(host: &Path) -> Result<Self, CliError> {
        let folder = host.join(VM_NAME);
        for name in ["Virtual Machines", "Virtual Hard Disks"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)
                .map_err(|error| CliError::io(folder.display().to_string(), error))?;
        }
        let mut machine = Self {
            folder,
            chain: Vec::new(),
        };
        machine.make_base()?;
        machine.add_checkpoint()?;
        machine.add_checkpoint()?;
        Ok(machine)
    }

    /// Returns the file that the VM writes to now.
    pub(super) fn leaf(&self) -> &Path {
        self.chain.last().map_or(&self.folder, PathBuf::as_path)
    }

    /// Returns the number of files that make the disk.
    pub(super) fn chain_files(&self) -> usize {
        self.chain.len()
    }

    fn disk_path(&self, name: &str) -> PathBuf {
        self.folder.join("Virtual Hard Disks").join(name)
    }

    fn make_base(&mut self) -> Result<(), CliError> {
        let path = self.disk_path("demo.vhdx");
        let options = NewImageOptions::new(ImageFormat::Vhdx, DISK_BYTES);
        let image = create(&path, &options)?;
        // What cannot be compressed, twice: the second copy is stored once.
        write(&image, MIB, &noise("system", 8 * MIB))?;
        write(&image, 16 * MIB, &noise("system", 8 * MIB))?;
        // What compresses well, and zeros that somebody wrote.
        write(&image, 32 * MIB, &text(8 * MIB))?;
        write(&image, 48 * MIB, &vec![0; length(4 * MIB)])?;
        write(&image, DISK_BYTES - 4096, &noise("last sectors", 4096))?;
        Box::new(image).finish()?;
        self.chain.push(path);
        self.configure()
    }

    /// Takes a checkpoint: from now on the VM writes to a new file, and a little has changed.
    pub(super) fn add_checkpoint(&mut self) -> Result<(), CliError> {
        let number = self.chain.len();
        let path = self.disk_path(&format!("demo_{number}.avhdx"));
        let image = create_differencing(&path, self.leaf(), &DifferencingOptions::default())?;
        let turn = number as u64;
        // Inside what was there, across the end of a block, and where nothing was.
        write(
            &image,
            3 * MIB + turn * 65536,
            &noise(&format!("log {turn}"), 200 * 1024),
        )?;
        write(
            &image,
            34 * MIB - 4096,
            &noise(&format!("table {turn}"), 8192),
        )?;
        write(
            &image,
            (40 + turn) * MIB,
            &noise(&format!("new file {turn}"), 300 * 1024),
        )?;
        Box::new(image).finish()?;
        self.chain.push(path);
        self.configure()
    }

    /// Writes the configuration, as Hyper-V does when a checkpoint is taken.
    fn configure(&self) -> Result<(), CliError> {
        let name = |path: &Path| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let configuration = VmConfiguration {
            name: VM_NAME.to_owned(),
            id: VM_ID,
            generation: 2,
            version: "9.0".to_owned(),
            notes: "Made by lifeboat demo".to_owned(),
            processors: 2,
            memory: Memory {
                startup_mib: 2048,
                dynamic: true,
                minimum_mib: 512,
                maximum_mib: 4096,
            },
            disks: vec![Disk {
                slot: DiskSlot {
                    kind: ControllerKind::Scsi,
                    controller: 0,
                    slot: 0,
                },
                path: format!("{HOST_FOLDER}\\{}", name(self.leaf())),
                pass_through: false,
            }],
            network_adapters: vec![NetworkAdapter {
                name: "Network Adapter".to_owned(),
                mac_address: "00155D000001".to_owned(),
                mac_is_static: false,
                switch_name: "Default Switch".to_owned(),
            }],
            checkpoints: (1..self.chain.len() as u128)
                .map(|number| Checkpoint {
                    id: Uuid::from_u128(VM_ID.as_u128() + number),
                    name: format!("Checkpoint {number}"),
                })
                .collect(),
            guest_state_file: None,
            secure_boot: true,
        };
        let path = self
            .folder
            .join("Virtual Machines")
            .join(format!("{VM_ID}.vmcx"));
        let bytes = write_vmcx(&configuration.to_tree())?;
        fs::write(&path, bytes).map_err(|error| CliError::io(path.display().to_string(), error))
    }
}

fn write(image: &dyn NewImage, offset: u64, data: &[u8]) -> Result<(), DiskError> {
    image.write_at(offset, data)
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// Bytes that do not compress; the same for the same seed on every machine.
fn noise(seed: &str, bytes: u64) -> Vec<u8> {
    let mut data = vec![0; length(bytes)];
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.finalize_xof().fill(&mut data);
    data
}

/// Bytes that compress as text does.
fn text(bytes: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(length(bytes) + 64);
    let mut line = 0_u64;
    while data.len() < length(bytes) {
        data.extend_from_slice(
            format!("{line:08} the quick brown fox jumps over the lazy dog\n").as_bytes(),
        );
        line += 1;
    }
    data.truncate(length(bytes));
    data
}
