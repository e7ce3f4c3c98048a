//! Which Windows the host runs.

use wmi::Instance;

/// Which Windows the host runs. Ordered by version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowsVersion {
    /// Such as `Microsoft Windows Server 2022 Standard`.
    pub(crate) caption: String,
    /// `Win32_OperatingSystem.Version` in numbers: major, minor, build.
    pub(crate) version: (u32, u32, u32),
    /// It is no Windows Server: `ProductType` 1.
    pub(crate) is_desktop: bool,
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
            is_desktop: instance.number("ProductType") == Some(1_u32),
        }
    }

    /// Recovery checkpoints, reference points, change tracking: Windows Server 2016, Windows 10
    /// (contract 0.1).
    pub(crate) fn has_recovery_checkpoints(&self) -> bool {
        self.version >= (10, 0, 0)
    }

    /// `root\virtualization\v2`, and VSS components by VM: Windows Server 2012.
    pub(crate) fn is_known(&self) -> bool {
        self.version >= (6, 2, 0)
    }

    /// The host's VSS writer freezes a VM without its guest by a checkpoint, and need not save it:
    /// Windows Server 2012 R2 (contract 5.1).
    pub(crate) fn has_offline_checkpoints(&self) -> bool {
        self.version >= (6, 3, 0)
    }

    /// What the guest's snapshot recovered to lies in a file of its own on the volume snapshot.
    /// Contract: 5.1 [M]
    pub(crate) fn leaves_auto_recovery(&self) -> bool {
        self.has_offline_checkpoints() && !self.has_recovery_checkpoints()
    }

    /// A guest is backed up while it runs only where the VM has a SCSI controller, since what it
    /// recovers is attached to that (contract 5.1, event 10103). Contract: 5.1 [M]
    pub(crate) fn needs_scsi(&self) -> bool {
        self.leaves_auto_recovery()
    }

    /// A Linux guest can take part, with `hv_vss_daemon`: Windows Server 2012 R2.
    /// Contract: 5.1 [M]
    pub(crate) fn asks_linux_guests(&self) -> bool {
        self.has_offline_checkpoints()
    }

    /// `GuestBackupType`: 1703 (contract 0.1). Windows Server 2016 is 1607.
    pub(crate) fn has_guest_backup_type(&self) -> bool {
        self.version >= (10, 0, 15_063)
    }
}
