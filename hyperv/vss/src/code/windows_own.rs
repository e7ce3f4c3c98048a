//! Codes of Windows itself, as far as requesters meet them.

use super::{CodeMeaning, failure};
use crate::VssErrorKind::{
    Absent, Busy, Denied, Infrastructure, NoRoom, NotFound, NotLocal, NotSupported, Other,
};

pub(super) const CODES: &[CodeMeaning] = &[
    failure(
        0x8007_0005,
        "E_ACCESSDENIED",
        Denied,
        "the rights of an administrator or a backup operator are missing",
    ),
    failure(
        0x8007_0522,
        "ERROR_PRIVILEGE_NOT_HELD",
        Denied,
        "the program does not hold a privilege that it needs",
    ),
    failure(
        0x8007_0002,
        "ERROR_FILE_NOT_FOUND",
        NotFound,
        "there is no such file",
    ),
    failure(
        0x8007_0003,
        "ERROR_PATH_NOT_FOUND",
        NotFound,
        "there is no such folder",
    ),
    failure(
        0x8007_0035,
        "ERROR_BAD_NETPATH",
        NotFound,
        "the file server was not found",
    ),
    failure(
        0x8007_0043,
        "ERROR_BAD_NET_NAME",
        NotFound,
        "there is no such share",
    ),
    failure(
        0x8007_007B,
        "ERROR_INVALID_NAME",
        NotFound,
        "this is no name of a file",
    ),
    failure(
        0x8007_0018,
        "ERROR_BAD_LENGTH",
        NotSupported,
        "the backup document is too long; the set has too many components",
    ),
    failure(0x8007_0057, "E_INVALIDARG", Other, "an argument cannot be"),
    failure(
        0x8007_000E,
        "E_OUTOFMEMORY",
        NoRoom,
        "the machine's memory is used up",
    ),
    failure(0x8007_0070, "ERROR_DISK_FULL", NoRoom, "the disk is full"),
    failure(
        0x8007_1126,
        "ERROR_NOT_A_REPARSE_POINT",
        NotSupported,
        "this is no folder on which a volume is mounted, nor a drive of this machine",
    ),
    failure(
        0x8007_0422,
        "ERROR_SERVICE_DISABLED",
        Absent,
        "a service that VSS needs is disabled on this machine",
    ),
    failure(
        0x8007_06BA,
        "RPC_S_SERVER_UNAVAILABLE",
        Infrastructure,
        "the service has gone",
    ),
    failure(
        0x8007_06BE,
        "RPC_S_CALL_FAILED",
        Infrastructure,
        "the service went while it was asked",
    ),
    failure(
        0x8001_0108,
        "RPC_E_DISCONNECTED",
        Infrastructure,
        "the service has gone",
    ),
    failure(
        0x8000_4001,
        "E_NOTIMPL",
        NotSupported,
        "this system has no more than the name of this",
    ),
    failure(
        0x8000_4002,
        "E_NOINTERFACE",
        NotSupported,
        "this Windows is too old for this",
    ),
    failure(
        0x8000_FFFF,
        "E_UNEXPECTED",
        Other,
        "the service met an error that it has no name for; its event log says which",
    ),
    failure(
        0x8007_173D,
        "ERROR_CLUSTER_BACKUP_IN_PROGRESS",
        Busy,
        "another backup of the cluster shared volume goes on",
    ),
    failure(
        0x8007_173F,
        "ERROR_CSV_VOLUME_NOT_LOCAL",
        NotLocal,
        "the cluster shared volume belongs to another node, which has to be asked",
    ),
];
