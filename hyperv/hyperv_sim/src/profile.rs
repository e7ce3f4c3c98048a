//! Which Windows Server the host is, and what that one has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{SimError, SimErrorKind};

/// A version of Windows Server with Hyper-V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// Windows Server 2008 R2: no `root\\virtualization\\v2` at all.
    #[serde(rename = "2008R2")]
    Server2008R2,
    /// Windows Server 2012: `root\\virtualization\\v2`, and VSS that saves or pauses what it cannot
    /// back up online.
    #[serde(rename = "2012")]
    Server2012,
    /// Windows Server 2012 R2: no recovery checkpoints over WMI, VSS alone.
    #[serde(rename = "2012R2")]
    Server2012R2,
    /// Windows Server 2016 (1607).
    #[serde(rename = "2016")]
    Server2016,
    /// Windows Server 2019 (1809).
    #[serde(rename = "2019")]
    Server2019,
    /// Windows Server 2022 (21H2).
    #[serde(rename = "2022")]
    Server2022,
    /// Windows Server 2025 (24H2).
    #[serde(rename = "2025")]
    Server2025,
}

impl Profile {
    /// All versions, oldest first.
    pub const ALL: [Self; 7] = [
        Self::Server2008R2,
        Self::Server2012,
        Self::Server2012R2,
        Self::Server2016,
        Self::Server2019,
        Self::Server2022,
        Self::Server2025,
    ];

    /// The versions that back up every VM without interrupting it, oldest first.
    pub const SINCE_2012_R2: [Self; 5] = [
        Self::Server2012R2,
        Self::Server2016,
        Self::Server2019,
        Self::Server2022,
        Self::Server2025,
    ];

    /// Returns the name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server2008R2 => "2008R2",
            Self::Server2012 => "2012",
            Self::Server2012R2 => "2012R2",
            Self::Server2016 => "2016",
            Self::Server2019 => "2019",
            Self::Server2022 => "2022",
            Self::Server2025 => "2025",
        }
    }

    /// Returns `Win32_OperatingSystem.Version`.
    pub fn windows_version(self) -> &'static str {
        match self {
            Self::Server2008R2 => "6.1.7601",
            Self::Server2012 => "6.2.9200",
            Self::Server2012R2 => "6.3.9600",
            Self::Server2016 => "10.0.14393",
            Self::Server2019 => "10.0.17763",
            Self::Server2022 => "10.0.20348",
            Self::Server2025 => "10.0.26100",
        }
    }

    /// Returns `Win32_OperatingSystem.Caption`.
    pub fn windows_caption(self) -> String {
        let name = match self {
            Self::Server2008R2 => "2008 R2",
            Self::Server2012R2 => "2012 R2",
            other => other.name(),
        };
        format!("Microsoft Windows Server {name} Standard")
    }

    /// Returns `Win32_OperatingSystem.Caption` of the desktop Windows of that time.
    pub fn windows_client_caption(self) -> &'static str {
        match self {
            Self::Server2008R2 => "Microsoft Windows 7 Professional",
            Self::Server2012 => "Microsoft Windows 8 Pro",
            Self::Server2012R2 => "Microsoft Windows 8.1 Pro",
            Self::Server2016 | Self::Server2019 => "Microsoft Windows 10 Pro",
            Self::Server2022 | Self::Server2025 => "Microsoft Windows 11 Pro",
        }
    }

    /// Returns the configuration version that new VMs get. Contract: 1.2 \[M\]
    pub fn vm_version(self) -> &'static str {
        match self {
            Self::Server2008R2 => "2.0",
            Self::Server2012 => "4.0",
            Self::Server2012R2 => "5.0",
            Self::Server2016 => "8.0",
            Self::Server2019 => "9.0",
            Self::Server2022 => "10.0",
            Self::Server2025 => "12.0",
        }
    }

    /// Lists the configuration versions that VMs may have on it, as Microsoft documents them for
    /// each version of Windows Server; the host's own is the last.
    pub fn supported_versions(self) -> &'static [&'static str] {
        const VERSIONS: &[&str] = &[
            "4.0", "5.0", "6.2", "7.0", "7.1", "8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2",
            "9.3", "10.0", "10.5", "11.0", "12.0",
        ];
        let (first, last) = match self {
            Self::Server2008R2 => return &["2.0"],
            Self::Server2012 => ("4.0", "4.0"),
            Self::Server2012R2 => ("4.0", "5.0"),
            Self::Server2016 => ("5.0", "8.0"),
            Self::Server2019 => ("5.0", "9.0"),
            Self::Server2022 => ("8.0", "10.0"),
            Self::Server2025 => ("8.0", "12.0"),
        };
        let place = |version: &str| VERSIONS.iter().position(|own| *own == version);
        let range = place(first).zip(place(last));
        let found = range.and_then(|(first, last)| VERSIONS.get(first..=last));
        found.unwrap_or_default()
    }

    /// `root\\virtualization\\v2` (contract 0.1).
    pub fn has_v2_namespace(self) -> bool {
        self >= Self::Server2012
    }

    /// The VSS writer makes a checkpoint of what it backs up. Before, it saved or paused a VM that
    /// it could not back up online (contract 5.1).
    pub fn vss_makes_checkpoints(self) -> bool {
        self >= Self::Server2012R2
    }

    /// The VSS writer leaves `-AutoRecovery.avhdx` on the volume snapshot. Contract: 5.1 \[M\]
    pub fn vss_makes_auto_recovery_files(self) -> bool {
        self == Self::Server2012R2
    }

    /// The provider of snapshots of file shares (contract 5.2).
    pub fn has_file_share_provider(self) -> bool {
        self >= Self::Server2012
    }

    /// Recovery checkpoints, reference points and change tracking (contract 0.1).
    pub fn has_recovery_checkpoints(self) -> bool {
        self >= Self::Server2016
    }

    /// VHD sets and groups of VMs (contract 0.1).
    pub fn has_vhd_sets(self) -> bool {
        self >= Self::Server2016
    }

    /// `GuestBackupType` and others of 1703 (contract 0.1).
    pub fn has_guest_backup_type(self) -> bool {
        self >= Self::Server2019
    }

    /// `GuestStateFile`, `GuestStateDataRoot`: 1709 (contract 0.1).
    pub fn has_guest_state_file(self) -> bool {
        self >= Self::Server2019
    }

    /// `IsAutomaticSnapshot`, `AutomaticSnapshotsEnabled`: 1709 (contract 0.1).
    pub fn has_automatic_snapshots(self) -> bool {
        self >= Self::Server2019
    }

    /// `ExcludedVirtualHardDisks` and others of 1709 (contract 0.1).
    pub fn has_excluded_disks(self) -> bool {
        self >= Self::Server2019
    }

    /// `RequestCustomRestore` and others of 23H2 (contract 1.1).
    pub fn has_custom_restore(self) -> bool {
        self >= Self::Server2025
    }

    /// Configurations are `.vmcx`; before 2016 they were `.xml`.
    pub fn has_binary_configurations(self) -> bool {
        self >= Self::Server2016
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                SimError::new(
                    SimErrorKind::InvalidParameter,
                    format!("there is no profile {text:?}, expected one of {names}"),
                )
            })
    }
}
