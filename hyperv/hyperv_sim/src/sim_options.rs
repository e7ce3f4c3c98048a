//! What a new host is to be, and how it behaves.

use serde::{Deserialize, Serialize};

use crate::Profile;

/// What a new host is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Which Windows Server it is.
    pub profile: Profile,
    /// Its name.
    pub host_name: String,
    /// What all its GUIDs and durations come from.
    pub seed: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Server2022,
            host_name: "HV1".to_owned(),
            seed: 1,
        }
    }
}

/// How a host behaves. Changed at any time with [`crate::SimHost::change_behavior`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behavior {
    /// Captions and descriptions are German, as on a host of that language.
    pub localized: bool,
    /// Services of Windows that do not do what they usually do: `Stopped`, `Running` or `Disabled`.
    #[serde(default)]
    pub services: std::collections::BTreeMap<String, String>,
    /// Most ranges in one answer about changes; beyond it less is processed than was asked for.
    pub ranges_per_answer: usize,
    /// Tracking ids that no checkpoint and no reference point holds are forgotten.
    pub forgets_unheld_ids: bool,
    /// Milliseconds between a job's end and the moment its result can be seen.
    pub visibility_delay_ms: u64,
    /// How long a checkpoint, a conversion or a removal takes, in milliseconds.
    pub job_ms: u64,
    /// How long a merge waits before it starts, in milliseconds.
    pub merge_delay_ms: u64,
    /// How long a merge takes, in milliseconds.
    pub merge_ms: u64,
    /// The host is a Windows desktop with Hyper-V: no VSS writer of Hyper-V (contract 5.1).
    pub is_client_edition: bool,
    /// How well the VSS writer of Hyper-V is.
    pub writer: WriterHealth,
    /// Some VMs may fail in the writer while the others do not
    /// (`VSS_E_WRITERERROR_PARTIAL_FAILURE`). Else one that fails takes all with it (contract 5.1).
    pub vss_fails_partially: bool,
    /// A requester that dies leaves a `-AutoRecovery.avhdx` beside the disks on 2012 R2, which the
    /// next online backup stumbles over (contract 7, KB3175561).
    pub leaves_auto_recovery_files: bool,
    /// VSS refuses VMs that replicate, as older methods did (requirement RVM-08).
    pub vss_refuses_replicating: bool,
    /// How long guests take for a snapshot of their own, in milliseconds.
    pub guest_snapshot_ms: u64,
    /// How long the system provider takes for a volume, in milliseconds.
    pub volume_snapshot_ms: u64,
    /// Memory of the host, in MiB.
    pub memory_mib: u64,
    /// Logical processors of the host.
    pub logical_processors: u32,
    /// `Win32_Processor.Name`.
    pub processor: String,
    /// Disks of planned VMs cannot be removed, only given other paths (contract 4.1: sources
    /// disagree).
    pub planned_disks_stay: bool,
    /// Keys of virtual TPMs that were made elsewhere cannot be had here.
    pub has_no_guardian: bool,
    /// Memory that is written or read each second while VMs are saved or started again, in MiB.
    pub save_mib_per_second: u64,
}

/// How well the VSS writer of Hyper-V is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriterHealth {
    /// It waits for requests.
    #[default]
    Stable,
    /// It is not registered: the management service does not run, or failed at its start.
    Missing,
    /// An earlier backup failed, and it says that another may succeed.
    FailedRetryable,
    /// An earlier backup failed, and it says that another would, too.
    FailedFinal,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            localized: false,
            services: std::collections::BTreeMap::new(),
            ranges_per_answer: 1 << 20,
            forgets_unheld_ids: true,
            visibility_delay_ms: 0,
            job_ms: 400,
            merge_delay_ms: 500,
            merge_ms: 2_000,
            is_client_edition: false,
            writer: WriterHealth::Stable,
            vss_fails_partially: false,
            leaves_auto_recovery_files: false,
            vss_refuses_replicating: false,
            guest_snapshot_ms: 1_500,
            volume_snapshot_ms: 600,
            memory_mib: 128 << 10,
            logical_processors: 32,
            processor: "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz".to_owned(),
            planned_disks_stay: false,
            has_no_guardian: false,
            save_mib_per_second: 512,
        }
    }
}
