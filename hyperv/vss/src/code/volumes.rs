//! Codes about volumes and the snapshots of them.

use super::{CodeMeaning, failure, success};
use crate::VssErrorKind::{
    Busy, NoRoom, NotFound, NotLocal, NotSupported, Other, Provider, Retryable,
};

pub(super) const CODES: &[CodeMeaning] = &[
    failure(
        0x8004_230C,
        "VSS_E_VOLUME_NOT_SUPPORTED",
        NotSupported,
        "no provider makes snapshots of this volume",
    ),
    failure(
        0x8004_230E,
        "VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER",
        NotSupported,
        "the provider that was asked for makes no snapshots of this volume",
    ),
    failure(
        0x8004_2312,
        "VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED",
        NoRoom,
        "the set has as many volumes as it can have",
    ),
    failure(
        0x8004_2313,
        "VSS_E_FLUSH_WRITES_TIMEOUT",
        Retryable,
        "the volume did not get to write everything in time; its disks are too busy",
    ),
    failure(
        0x8004_2314,
        "VSS_E_HOLD_WRITES_TIMEOUT",
        Retryable,
        "the volume could not hold writes for as long as the snapshot took",
    ),
    failure(
        0x8004_2317,
        "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED",
        NoRoom,
        "the volume has as many snapshots as it can have",
    ),
    failure(
        0x8004_231D,
        "VSS_E_VOLUME_IN_USE",
        Busy,
        "the volume is in use",
    ),
    failure(
        0x8004_231E,
        "VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED",
        NoRoom,
        "the volume's snapshots are kept in as many places as they can be",
    ),
    failure(
        0x8004_231F,
        "VSS_E_INSUFFICIENT_STORAGE",
        NoRoom,
        "there is no room for the snapshot",
    ),
    failure(
        0x8004_2320,
        "VSS_E_NO_SNAPSHOTS_IMPORTED",
        Provider,
        "no snapshot could be brought to this machine",
    ),
    success(
        0x0004_2321,
        "VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED",
        "some snapshots could not be brought to this machine",
    ),
    failure(
        0x8004_2321,
        "VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED",
        Provider,
        "some snapshots could not be brought to this machine",
    ),
    failure(
        0x8004_2328,
        "VSS_E_TRANSACTION_FREEZE_TIMEOUT",
        Retryable,
        "the file system's transactions did not stop in time",
    ),
    failure(
        0x8004_2329,
        "VSS_E_TRANSACTION_THAW_TIMEOUT",
        Retryable,
        "the file system's transactions did not go on in time",
    ),
    failure(
        0x8004_232A,
        "VSS_E_UNSELECTED_VOLUME",
        NotFound,
        "a volume is missing in the set",
    ),
    failure(
        0x8004_232B,
        "VSS_E_SNAPSHOT_NOT_IN_SET",
        NotFound,
        "the snapshot is not of this set",
    ),
    failure(
        0x8004_232C,
        "VSS_E_NESTED_VOLUME_LIMIT",
        NotSupported,
        "the volume lies in a virtual disk that lies in another, deeper than snapshots go",
    ),
    failure(
        0x8004_232D,
        "VSS_E_VOLUME_NOT_LOCAL",
        NotLocal,
        "the cluster shared volume belongs to another node, which has to be asked",
    ),
    failure(
        0x8004_232E,
        "VSS_E_CLUSTER_TIMEOUT",
        Retryable,
        "the cluster did not hand over the shared volume in time",
    ),
    failure(
        0x8004_23F6,
        "VSS_E_BREAK_REVERT_ID_FAILED",
        Provider,
        "the snapshot's disk did not get its id back",
    ),
    failure(
        0x8004_23F8,
        "VSS_E_MISSING_DISK",
        Provider,
        "a disk of the snapshot did not arrive",
    ),
    failure(
        0x8004_23F9,
        "VSS_E_MISSING_HIDDEN_VOLUME",
        Provider,
        "a hidden volume of the snapshot did not arrive",
    ),
    failure(
        0x8004_23FA,
        "VSS_E_MISSING_VOLUME",
        Provider,
        "a volume of the snapshot did not arrive",
    ),
    failure(
        0x8004_23FB,
        "VSS_E_AUTORECOVERY_FAILED",
        Retryable,
        "a writer could not repair its files in the snapshot",
    ),
    failure(
        0x8004_23FC,
        "VSS_E_DYNAMIC_DISK_ERROR",
        NotSupported,
        "a dynamic disk stands in the way",
    ),
    failure(
        0x8004_23FD,
        "VSS_E_NONTRANSPORTABLE_BCD",
        NotSupported,
        "the boot configuration cannot go to another machine",
    ),
    failure(
        0x8004_23FE,
        "VSS_E_CANNOT_REVERT_DISKID",
        Provider,
        "the snapshot's disk cannot get its id back",
    ),
    failure(
        0x8004_23FF,
        "VSS_E_RESYNC_IN_PROGRESS",
        Busy,
        "the volume is being brought back to a snapshot",
    ),
    failure(
        0x8004_2411,
        "VSS_E_CRITICAL_VOLUME_ON_INVALID_DISK",
        Other,
        "a volume that the system needs lies on a disk that is not fit for it",
    ),
];
