//! What a fault's codes mean (wsmerror.h, wbemcli.h, DSP0200 section 5.5.1, DSP0226 section 14.6).

use super::{Fault, FaultSide};
use crate::{WmiError, WmiErrorKind};

const RESOURCE_NOT_FOUND: u32 = 0x8033_8000;
const PROVIDER_FAILURE: u32 = 0x8033_8003;
const ACTION_NOT_SUPPORTED: u32 = 0x8033_8013;
const CANNOT_PROCESS_FILTER: u32 = 0x8033_801A;
const ENVELOPE_TOO_LARGE: u32 = 0x8033_8026;
const OPERATION_TIMED_OUT: u32 = 0x8033_8029;
const SCHEMA_VALIDATION: u32 = 0x8033_8041;
const ACCESS_DENIED: u32 = 5;

/// Returns what sort of failure a fault is: by WMI's own code where it came, else by that of
/// WS-Man, else by the name of the fault.
pub(super) fn kind_of_fault(fault: &Fault) -> WmiErrorKind {
    let hresult = fault
        .provider
        .hresult
        .map(|code| WmiError::of_hresult(code, "").kind());
    hresult
        .filter(|kind| *kind != WmiErrorKind::Failed)
        .or_else(|| fault.provider.cim_status.and_then(kind_of_cim_status))
        .or_else(|| kind_of_missing(fault))
        .or_else(|| fault.wsman_code.and_then(kind_of_wsman_code))
        .or_else(|| kind_of_subcode(&fault.subcode))
        .unwrap_or(WmiErrorKind::Failed)
}

/// WS-Man has one code for all that is not there; only the English message tells them apart.
/// English was asked for.
///
/// Contract: 0.5 [M]
fn kind_of_missing(fault: &Fault) -> Option<WmiErrorKind> {
    let missing = fault.wsman_code == Some(RESOURCE_NOT_FOUND)
        || fault.wsman_code == Some(CANNOT_PROCESS_FILTER)
        || fault.subcode == "DestinationUnreachable";
    let message = fault.provider.message.as_ref().unwrap_or(&fault.reason);
    let says = |words: &[&str]| {
        let message = message.to_lowercase();
        words.iter().all(|word| message.contains(word))
    };
    if missing && says(&["namespace", "invalid"]) {
        return Some(WmiErrorKind::NoNamespace);
    }
    (missing && says(&["class", "does not exist"])).then_some(WmiErrorKind::NoClass)
}

fn kind_of_cim_status(status: u32) -> Option<WmiErrorKind> {
    Some(match status {
        2 => WmiErrorKind::Denied,
        3 => WmiErrorKind::NoNamespace,
        5 => WmiErrorKind::NoClass,
        6 => WmiErrorKind::NotFound,
        14 | 15 => WmiErrorKind::BadQuery,
        16 | 17 => WmiErrorKind::NoMethod,
        _ => return None,
    })
}

fn kind_of_wsman_code(code: u32) -> Option<WmiErrorKind> {
    Some(match code {
        // Also: the selectors name nothing, or not enough.
        RESOURCE_NOT_FOUND | 0x8033_803B | 0x8033_803D | 0x8033_805A..=0x8033_805F => {
            WmiErrorKind::NotFound
        }
        // WMI's service, its provider, or the way to it denied.
        ACCESS_DENIED | 0x8007_0005 | 0x8033_8104..=0x8033_8106 => WmiErrorKind::Denied,
        ACTION_NOT_SUPPORTED | 0x8033_8001 => WmiErrorKind::NoMethod,
        CANNOT_PROCESS_FILTER | 0x8033_8018 | 0x8033_8019 | 0x8033_8122 => WmiErrorKind::BadQuery,
        OPERATION_TIMED_OUT | 0x8033_801C | 0x8033_8126 => WmiErrorKind::Timeout,
        ENVELOPE_TOO_LARGE | 0x8033_8047..=0x8033_8049 => WmiErrorKind::TooLarge,
        _ => return None,
    })
}

fn kind_of_subcode(subcode: &str) -> Option<WmiErrorKind> {
    Some(match subcode {
        "AccessDenied" => WmiErrorKind::Denied,
        "DestinationUnreachable" | "InvalidSelectors" => WmiErrorKind::NotFound,
        "ActionNotSupported" => WmiErrorKind::NoMethod,
        "CannotProcessFilter" | "FilterDialectRequestedUnavailable" => WmiErrorKind::BadQuery,
        "TimedOut" => WmiErrorKind::Timeout,
        "EncodingLimit" => WmiErrorKind::TooLarge,
        _ => return None,
    })
}

/// What a fault says of an error in codes.
pub(super) struct FaultCodes {
    pub(super) side: FaultSide,
    pub(super) subcode: &'static str,
    pub(super) wsman_code: u32,
    pub(super) hresult: Option<u32>,
}

pub(super) fn codes_of_error(error: &WmiError) -> FaultCodes {
    use WmiErrorKind as Kind;
    let (side, subcode, wsman_code, hresult) = match error.kind() {
        Kind::Denied => (
            FaultSide::Sender,
            "AccessDenied",
            ACCESS_DENIED,
            Some(0x8004_1003),
        ),
        Kind::NoNamespace => missing(0x8004_100E),
        Kind::NoClass => missing(0x8004_1010),
        Kind::NotFound => missing(0x8004_1002),
        Kind::NoMethod => {
            let code = ACTION_NOT_SUPPORTED;
            (
                FaultSide::Sender,
                "ActionNotSupported",
                code,
                Some(0x8004_1055),
            )
        }
        Kind::BadQuery => {
            let code = CANNOT_PROCESS_FILTER;
            (
                FaultSide::Sender,
                "CannotProcessFilter",
                code,
                Some(0x8004_1017),
            )
        }
        Kind::Timeout => (FaultSide::Receiver, "TimedOut", OPERATION_TIMED_OUT, None),
        Kind::TooLarge => (FaultSide::Sender, "EncodingLimit", ENVELOPE_TOO_LARGE, None),
        Kind::Protocol => (
            FaultSide::Sender,
            "SchemaValidationError",
            SCHEMA_VALIDATION,
            None,
        ),
        Kind::Unreachable | Kind::Authentication | Kind::Unavailable | Kind::Failed => {
            (FaultSide::Receiver, "InternalError", PROVIDER_FAILURE, None)
        }
    };
    FaultCodes {
        side,
        subcode,
        wsman_code,
        hresult: error.code().or(hresult),
    }
}

fn missing(hresult: u32) -> (FaultSide, &'static str, u32, Option<u32>) {
    let code = RESOURCE_NOT_FOUND;
    (
        FaultSide::Sender,
        "DestinationUnreachable",
        code,
        Some(hresult),
    )
}
