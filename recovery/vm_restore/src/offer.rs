//! What a restore point can give back, and what its VM needs (requirements REST-27, REST-30).

use repository::{RestorePoint, StreamRole};
use serde::Serialize;
use vm_config::VmConfiguration;

use crate::disk_count;

/// A kind of restore, and whether a point serves for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// A stable word: `vm`, `files`, `disk`, `configuration`, `network`, `checkpoints`, `memory`,
    /// `host-settings`.
    pub kind: &'static str,
    /// The point serves for it.
    pub possible: bool,
    /// What to know of it: why not, or with what.
    pub note: String,
}

/// What a VM needs of the host that it is restored to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Virtual processors.
    pub processors: u32,
    /// Memory that it starts with, in MiB.
    pub startup_mib: u64,
    /// The most that it takes, in MiB, where its memory is dynamic.
    pub maximum_mib: Option<u64>,
    /// Configuration version that the host must run, such as `9.0`.
    pub version: String,
    /// Size of its disks in bytes; of a checkpoint tree, of all its image files.
    pub disk_bytes: u64,
    /// What of that holds data, in bytes.
    pub data_bytes: u64,
    /// Names of the switches that its adapters were connected to, each once.
    pub switches: Vec<String>,
}

/// Says for each kind of restore whether the point serves for it. Only the point is asked: whether
/// what it needs is whole, `verify` tells.
pub fn offers(point: &RestorePoint) -> Vec<Offer> {
    // Nothing is restored of a tree that cannot be understood.
    let disks = disk_count(point).unwrap_or(0);
    let has = |role| point.files().any(|file| file.role == role);
    let definition = has(StreamRole::Configuration);
    let typed = configuration_of(point).is_some();
    let tree = point.checkpoints.is_some();
    let memory = has(StreamRole::RuntimeState) || has(StreamRole::CheckpointState);
    let offer = |kind, possible: bool, yes: &str, no: &str| Offer {
        kind,
        possible,
        note: if possible { yes } else { no }.to_owned(),
    };
    let left_out = match point.left_out.len() {
        0 => String::new(),
        1 => "without one disk, which is not in the point".to_owned(),
        count => format!("without {count} disks, which are not in the point"),
    };
    let anew = "made anew of its settings: the point has no definition file";
    let no_disk = "the point has no disk that can be read";
    vec![
        offer(
            "vm",
            definition || typed,
            if definition { &left_out } else { anew },
            "the point has no configuration: restore its disks, and attach them to a VM",
        ),
        offer("files", disks > 0 || definition, &left_out, no_disk),
        offer("disk", disks > 0, "", no_disk),
        offer(
            "configuration",
            definition,
            "",
            "the point has no definition file",
        ),
        offer("network", typed, "", "the point has no configuration"),
        offer(
            "checkpoints",
            tree,
            "the whole tree",
            "the latest state alone: back up with --mode all-checkpoints",
        ),
        offer(
            "memory",
            memory,
            "if the VM was saved then: the state of one that ran holds none; resumes on a like \
             processor alone",
            "the VM starts as after a power cut",
        ),
        offer(
            "host-settings",
            point.host_settings.is_some(),
            "",
            "the host did not tell them",
        ),
    ]
}

/// Says what the VM of a point needs; `None` where the point has no configuration of it.
pub fn needs(point: &RestorePoint) -> Option<Needs> {
    let configuration = configuration_of(point)?;
    let mut switches: Vec<String> = configuration
        .network_adapters
        .iter()
        .map(|adapter| adapter.switch_name.clone())
        .filter(|name| !name.is_empty())
        .collect();
    switches.sort_unstable();
    switches.dedup();
    let streams = || point.disks().chain(&point.images);
    let memory = &configuration.memory;
    Some(Needs {
        processors: configuration.processors,
        startup_mib: memory.startup_mib,
        maximum_mib: memory.dynamic.then_some(memory.maximum_mib),
        version: configuration.version,
        disk_bytes: streams().map(|stream| stream.size_bytes).sum(),
        data_bytes: streams().map(|stream| stream.statistics.data_bytes).sum(),
        switches,
    })
}

/// Returns the typed configuration; `None` where there is none, or it is a newer program's.
fn configuration_of(point: &RestorePoint) -> Option<VmConfiguration> {
    serde_json::from_value(point.configuration.clone()?).ok()
}
