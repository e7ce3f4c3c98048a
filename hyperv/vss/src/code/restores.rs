//! Codes of bringing volumes and whole machines back. A backup does not meet them; a log may show
//! them.

use super::{CodeMeaning, failure};
use crate::VssErrorKind::{Busy, NotSupported, Other};

pub(super) const CODES: &[CodeMeaning] = &[
    failure(
        0x8004_2325,
        "VSS_E_REVERT_IN_PROGRESS",
        Busy,
        "the volume is being brought back to a snapshot",
    ),
    failure(
        0x8004_2326,
        "VSS_E_REVERT_VOLUME_LOST",
        Other,
        "the volume was lost while it was brought back to a snapshot",
    ),
    failure(
        0x8004_2327,
        "VSS_E_REBOOT_REQUIRED",
        Other,
        "the machine has to be started anew first",
    ),
    failure(
        0x8004_2401,
        "VSS_E_ASRERROR_DISK_ASSIGNMENT_FAILED",
        Other,
        "no disk could be chosen for a disk of the machine that is restored",
    ),
    failure(
        0x8004_2402,
        "VSS_E_ASRERROR_DISK_RECREATION_FAILED",
        Other,
        "a disk of the machine that is restored could not be made",
    ),
    failure(
        0x8004_2403,
        "VSS_E_ASRERROR_NO_ARCPATH",
        Other,
        "a disk has no ARC path",
    ),
    failure(
        0x8004_2404,
        "VSS_E_ASRERROR_MISSING_DYNDISK",
        Other,
        "dynamic disks are missing",
    ),
    failure(
        0x8004_2405,
        "VSS_E_ASRERROR_SHARED_CRIDISK",
        Other,
        "a disk that the system needs is shared",
    ),
    failure(
        0x8004_2406,
        "VSS_E_ASRERROR_DATADISK_RDISK0",
        Other,
        "a disk of data lies where the first disk has to be",
    ),
    failure(
        0x8004_2407,
        "VSS_E_ASRERROR_RDISK0_TOOSMALL",
        Other,
        "the first disk is too small",
    ),
    failure(
        0x8004_2408,
        "VSS_E_ASRERROR_CRITICAL_DISKS_TOO_SMALL",
        Other,
        "the disks that the system needs are too small",
    ),
    failure(
        0x8004_240A,
        "VSS_E_ASRERROR_DYNAMIC_VHD_NOT_SUPPORTED",
        NotSupported,
        "a dynamic virtual disk cannot be restored to",
    ),
    failure(
        0x8004_2412,
        "VSS_E_ASRERROR_RDISK_FOR_SYSTEM_DISK_NOT_FOUND",
        Other,
        "the system's disk was not found",
    ),
    failure(
        0x8004_2413,
        "VSS_E_ASRERROR_NO_PHYSICAL_DISK_AVAILABLE",
        Other,
        "there is no disk to restore to",
    ),
    failure(
        0x8004_2414,
        "VSS_E_ASRERROR_FIXED_PHYSICAL_DISK_AVAILABLE_AFTER_DISK_EXCLUSION",
        Other,
        "of the disks that are left none is fit to restore to",
    ),
    failure(
        0x8004_2415,
        "VSS_E_ASRERROR_CRITICAL_DISK_CANNOT_BE_EXCLUDED",
        Other,
        "a disk that the system needs cannot be left out",
    ),
    failure(
        0x8004_2416,
        "VSS_E_ASRERROR_SYSTEM_PARTITION_HIDDEN",
        Other,
        "the system's partition is hidden",
    ),
];
