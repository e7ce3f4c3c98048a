//! The cluster of the demonstration: a handful of VMs, each there for one case.

use std::path::Path;
use std::sync::Arc;

use block_io::MemoryDisk;
use hyperv_sim::{
    ClusterOptions, DiskContent, DiskKind, DiskSpec, Guest, Profile, Replication, SimCluster,
    VmSpec,
};
use uuid::Uuid;

use crate::cli_error::CliError;
use crate::cmd::sim::failed;

const MIB: usize = 1 << 20;
/// Its nodes.
pub(super) const NODES: [&str; 2] = ["HV-A", "HV-B"];
/// Size of each disk.
pub(super) const DISK_BYTES: usize = 16 * MIB;

/// A VM, and what it is there for.
pub(super) struct Actor {
    pub(super) name: &'static str,
    pub(super) shows: &'static str,
    pub(super) id: Uuid,
    /// What its first disk holds now.
    pub(super) disk: Vec<u8>,
    /// What it held at each of the VM's checkpoints.
    pub(super) checkpoints: Vec<(&'static str, Vec<u8>)>,
}

/// The cluster with its VMs.
pub(super) struct Scene {
    pub(super) cluster: SimCluster,
    pub(super) actors: Vec<Actor>,
}

/// What a VM of the demonstration is like.
struct Part {
    name: &'static str,
    shows: &'static str,
    guest: Guest,
    /// Changes what is otherwise like the others.
    differs: fn(VmSpec) -> VmSpec,
}

const CAST: [Part; 9] = [
    Part {
        name: "DC01",
        shows: "Windows: its writers take part",
        guest: Guest::Windows,
        differs: |spec| spec,
    },
    Part {
        name: "SQL01",
        shows: "two disks, and a virtual TPM",
        guest: Guest::Windows,
        differs: |mut spec| {
            spec.has_tpm = true;
            spec.with_disk(DiskSpec::empty(DISK_BYTES as u64))
        },
    },
    Part {
        name: "WEB01",
        shows: "Linux: its file systems are frozen",
        guest: Guest::LinuxWithDaemon,
        differs: |spec| spec,
    },
    Part {
        name: "APP-OLD",
        shows: "no integration services: as after a power cut",
        guest: Guest::None,
        differs: |spec| spec,
    },
    Part {
        name: "FILE01",
        shows: "a pass-through disk, which no backup from outside can hold",
        guest: Guest::Windows,
        differs: |spec| {
            spec.with_disk(DiskSpec::empty(DISK_BYTES as u64).of_kind(DiskKind::PassThrough))
        },
    },
    Part {
        name: "ERP",
        shows: "checkpoints of its own, which stay as they are, and can be backed up too",
        guest: Guest::Windows,
        differs: |spec| spec,
    },
    Part {
        name: "LEGACY",
        shows: "configuration version 5.0: Hyper-V tracks nothing",
        guest: Guest::Windows,
        differs: |mut spec| {
            spec.version = Some("5.0".to_owned());
            spec
        },
    },
    Part {
        name: "SPARE",
        shows: "it is off, and stays off",
        guest: Guest::Windows,
        differs: |mut spec| {
            spec.running = false;
            spec
        },
    },
    Part {
        name: "REPL-01",
        shows: "a replica of a VM on another host: as after a power cut",
        guest: Guest::Windows,
        differs: |mut spec| {
            spec.running = false;
            spec
        },
    },
];

/// Those whose guests write nothing between the backups.
const STILL: [&str; 2] = ["SPARE", "REPL-01"];

impl Scene {
    /// Makes the cluster in a folder.
    pub(super) fn make(folder: &Path) -> Result<Self, CliError> {
        let mut options = ClusterOptions::of_nodes(NODES.len(), Profile::Server2022);
        "CLU1".clone_into(&mut options.name);
        for (node, name) in options.nodes.iter_mut().zip(NODES) {
            name.clone_into(&mut node.name);
        }
        let cluster = SimCluster::create(folder, options).map_err(failed)?;
        let mut actors = Vec::new();
        for (part, node) in CAST.iter().zip(NODES.iter().cycle()) {
            let disk = first_content(part.name);
            let content = DiskContent::Device(Arc::new(MemoryDisk::new(disk.clone())));
            let spec = VmSpec::new(part.name)
                .with_guest(part.guest)
                .with_disk(DiskSpec::new(content));
            let id = cluster.add_vm(node, &(part.differs)(spec));
            actors.push(Actor {
                name: part.name,
                shows: part.shows,
                id: id.map_err(failed)?,
                disk,
                checkpoints: Vec::new(),
            });
        }
        let mut scene = Self { cluster, actors };
        scene.make_replica("REPL-01")?;
        for checkpoint in ["before the update", "before the other update"] {
            scene.make_checkpoint("ERP", checkpoint)?;
        }
        scene.cluster.settle().map_err(failed)?;
        Ok(scene)
    }

    fn make_replica(&mut self, name: &str) -> Result<(), CliError> {
        let id = self.actor(name)?.id;
        let replication = Replication {
            mode: 2,
            state: 3,
            health: 1,
            applying_log: false,
        };
        let host = self.cluster.owner_host(id).map_err(failed)?;
        host.set_replication(id, replication).map_err(failed)
    }

    fn make_checkpoint(&mut self, name: &str, checkpoint: &'static str) -> Result<(), CliError> {
        self.write(name, 2 * MIB, &noise(checkpoint, 300 * 1024))?;
        let id = self.actor(name)?.id;
        let host = self.cluster.owner_host(id).map_err(failed)?;
        host.checkpoint(id, checkpoint).map_err(failed)?;
        let actor = self.actor(name)?;
        let content = actor.disk.clone();
        actor.checkpoints.push((checkpoint, content));
        Ok(())
    }

    /// Lets the guests that run write: a log, a table, a new file.
    pub(super) fn work(&mut self) -> Result<(), CliError> {
        let names: Vec<&'static str> = self.actors.iter().map(|actor| actor.name).collect();
        for name in names.into_iter().filter(|name| !STILL.contains(name)) {
            self.write(
                name,
                3 * MIB + 65_536,
                &noise(&format!("{name} log"), 200 * 1024),
            )?;
            self.write(name, 5 * MIB - 4096, &noise(&format!("{name} table"), 8192))?;
            self.write(name, 10 * MIB, &noise(&format!("{name} file"), 300 * 1024))?;
        }
        Ok(())
    }

    /// Moves a VM to the other node while it runs; returns where it was and where it is.
    pub(super) fn migrate(&mut self, name: &str) -> Result<(String, &'static str), CliError> {
        let id = self.actor(name)?.id;
        let from = self.cluster.owner(id).map_err(failed)?;
        let to = if from == NODES[0] { NODES[1] } else { NODES[0] };
        self.cluster.move_vm(id, to).map_err(failed)?;
        Ok((from, to))
    }

    fn write(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), CliError> {
        let id = self.actor(name)?.id;
        let host = self.cluster.owner_host(id).map_err(failed)?;
        let actor = self.actor(name)?;
        host.write(actor.id, 0, offset as u64, bytes)
            .map_err(failed)?;
        if let Some(place) = actor.disk.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn actor(&mut self, name: &str) -> Result<&mut Actor, CliError> {
        let mut actors = self.actors.iter_mut();
        let found = actors.find(|actor| actor.name == name);
        found.ok_or_else(|| CliError::usage(format!("nobody plays {name}")))
    }

    /// Returns who plays a part, as it is now.
    pub(super) fn part(&self, name: &str) -> Result<&Actor, CliError> {
        let mut actors = self.actors.iter();
        let found = actors.find(|actor| actor.name == name);
        found.ok_or_else(|| CliError::usage(format!("nobody plays {name}")))
    }
}

/// What every VM holds at first: what does not compress, half of it the same in all VMs; text; and
/// zeros that somebody wrote.
fn first_content(name: &str) -> Vec<u8> {
    let mut disk = vec![0; DISK_BYTES];
    let mut place = |start: usize, bytes: &[u8]| {
        if let Some(place) = disk.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    place(MIB, &noise("system", 3 * MIB));
    place(4 * MIB, &noise(name, MIB));
    place(6 * MIB, &text(2 * MIB));
    place(DISK_BYTES - 4096, &noise("last sectors", 4096));
    disk
}

/// Bytes that do not compress; the same for the same seed on every machine.
fn noise(seed: &str, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.finalize_xof().fill(&mut data);
    data
}

/// Bytes that compress as text does.
fn text(bytes: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(bytes + 64);
    let mut line = 0_u64;
    while data.len() < bytes {
        let text = format!("{line:08} the quick brown fox jumps over the lazy dog\n");
        data.extend_from_slice(text.as_bytes());
        line += 1;
    }
    data.truncate(bytes);
    data
}
