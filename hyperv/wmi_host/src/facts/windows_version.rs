//! Which Windows the host runs.

use wmi::Instance;

/// Which Windows the host runs. Ordered by version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowsVersion {
    /// Such as `Microsoft Windows Server 2022 Standard`.
    pub(crate) caption: String,
    /// `Win32_OperatingSystem.Version` in numbers: major, minor, build.
    pub(crate) version: (u32, u32, u32),
}

impl WindowsVersion {
    pub(super) fn of(instance: &Instance) -> Self {
        let text = instance.text("Version").unwrap_or_default();
        let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Self {
            caption: instance.text("Caption").map_or_else(
                || "an unknown Windows".to_owned(),
                |text| text.trim().to_owned(),
            ),
            version: (next(), next(), next()),
        }
    }

    /// Recovery checkpoints, reference points, change tracking: Windows Server 2016, Windows 10
    /// (contract 0.1).
    pub(crate) fn has_recovery_checkpoints(&self) -> bool {
        self.version >= (10, 0, 0)
    }

    /// `GuestBackupType`: 1703 (contract 0.1). Windows Server 2016 is 1607.
    pub(crate) fn has_guest_backup_type(&self) -> bool {
        self.version >= (10, 0, 15_063)
    }
}
