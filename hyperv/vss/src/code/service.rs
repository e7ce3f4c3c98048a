//! Codes of the service itself, and of providers.

use super::{CodeMeaning, failure, success};
use crate::VssErrorKind::{
    Absent, BadState, Busy, NotFound, NotSupported, Other, Provider, Retryable,
};

pub(super) const CODES: &[CodeMeaning] = &[
    success(0x0004_2309, "VSS_S_ASYNC_PENDING", "it goes on"),
    success(0x0004_230A, "VSS_S_ASYNC_FINISHED", "it is done"),
    success(0x0004_230B, "VSS_S_ASYNC_CANCELLED", "it was stopped"),
    failure(
        0x8004_2301,
        "VSS_E_BAD_STATE",
        BadState,
        "it is not the time for this call",
    ),
    failure(
        0x8004_2302,
        "VSS_E_UNEXPECTED",
        Other,
        "the service met an error that it has no name for; its event log says which",
    ),
    failure(
        0x8004_2303,
        "VSS_E_PROVIDER_ALREADY_REGISTERED",
        Provider,
        "the provider is registered already",
    ),
    failure(
        0x8004_2304,
        "VSS_E_PROVIDER_NOT_REGISTERED",
        NotFound,
        "no such provider is registered",
    ),
    failure(
        0x8004_2306,
        "VSS_E_PROVIDER_VETO",
        Provider,
        "the provider refused; the event log says why",
    ),
    failure(
        0x8004_2307,
        "VSS_E_PROVIDER_IN_USE",
        Provider,
        "the provider is in use",
    ),
    failure(
        0x8004_2308,
        "VSS_E_OBJECT_NOT_FOUND",
        NotFound,
        "there is no such volume, snapshot, component or writer",
    ),
    failure(
        0x8004_230D,
        "VSS_E_OBJECT_ALREADY_EXISTS",
        BadState,
        "it is there already",
    ),
    failure(
        0x8004_230F,
        "VSS_E_UNEXPECTED_PROVIDER_ERROR",
        Provider,
        "the provider met an error that it has no name for; the event log says which",
    ),
    failure(
        0x8004_2310,
        "VSS_E_CORRUPT_XML_DOCUMENT",
        Other,
        "the backup document is damaged",
    ),
    failure(
        0x8004_2311,
        "VSS_E_INVALID_XML_DOCUMENT",
        Other,
        "the backup document is not one of this service",
    ),
    failure(
        0x8004_2316,
        "VSS_E_SNAPSHOT_SET_IN_PROGRESS",
        Busy,
        "another program is making snapshots",
    ),
    failure(
        0x8004_231B,
        "VSS_E_UNSUPPORTED_CONTEXT",
        NotSupported,
        "the provider cannot make this sort of snapshot",
    ),
    failure(
        0x8004_2322,
        "VSS_E_MAXIMUM_NUMBER_OF_REMOTE_MACHINES_REACHED",
        NotSupported,
        "the snapshots would be on too many file servers",
    ),
    failure(
        0x8004_2323,
        "VSS_E_REMOTE_SERVER_UNAVAILABLE",
        Retryable,
        "the file server cannot be reached",
    ),
    failure(
        0x8004_2324,
        "VSS_E_REMOTE_SERVER_UNSUPPORTED",
        NotSupported,
        "the file server makes no snapshots of its shares; it lacks the File Server VSS Agent",
    ),
    failure(
        0x8004_232F,
        "VSS_E_NOT_SUPPORTED",
        NotSupported,
        "this Windows cannot do it",
    ),
    failure(
        0x8004_23F7,
        "VSS_E_LEGACY_PROVIDER",
        Provider,
        "the provider is older than what it is asked for",
    ),
    failure(
        0x8004_2400,
        "VSS_E_CLUSTER_ERROR",
        Other,
        "the cluster's service failed; its event log says why",
    ),
    failure(
        0x8004_2417,
        "VSS_E_FSS_TIMEOUT",
        Retryable,
        "the file server took longer than it may",
    ),
    failure(
        0x8004_0154,
        "REGDB_E_CLASSNOTREG",
        Absent,
        "the service is not registered on this machine",
    ),
];
