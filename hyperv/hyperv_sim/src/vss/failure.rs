//! What VSS answers when something goes wrong (contract appendix D).

use vss::{VssError, VssErrorKind, VssStep};

use crate::{SimError, SimErrorKind};

pub(crate) const BAD_STATE: u32 = 0x8004_2301;
pub(crate) const UNEXPECTED: u32 = 0x8004_2302;
pub(crate) const PROVIDER_NOT_REGISTERED: u32 = 0x8004_2304;
pub(crate) const OBJECT_NOT_FOUND: u32 = 0x8004_2308;
pub(crate) const VOLUME_NOT_SUPPORTED: u32 = 0x8004_230C;
pub(crate) const OBJECT_ALREADY_EXISTS: u32 = 0x8004_230D;
pub(crate) const NOT_SUPPORTED_BY_PROVIDER: u32 = 0x8004_230E;
pub(crate) const MAXIMUM_NUMBER_OF_VOLUMES: u32 = 0x8004_2312;
pub(crate) const SNAPSHOT_SET_IN_PROGRESS: u32 = 0x8004_2316;
pub(crate) const WRITER_INFRASTRUCTURE: u32 = 0x8004_2318;
pub(crate) const INSUFFICIENT_STORAGE: u32 = 0x8004_231F;
pub(crate) const VOLUME_NOT_LOCAL: u32 = 0x8004_232D;
pub(crate) const PARTIAL_FAILURE: u32 = 0x8004_2336;
pub(crate) const WRITER_TIMEOUT: u32 = 0x8004_23F2;
pub(crate) const RETRYABLE: u32 = 0x8004_23F3;
pub(crate) const NON_RETRYABLE: u32 = 0x8004_23F4;
/// `ERROR_FILE_EXISTS`
pub(crate) const FILE_EXISTS: u32 = 0x8007_0050;
/// `E_ABORT`, for a person who asked to stop.
pub(crate) const ABORTED: u32 = 0x8000_4004;

/// Makes an error.
pub(crate) fn failure(
    kind: VssErrorKind,
    step: VssStep,
    code: u32,
    message: impl Into<String>,
) -> VssError {
    VssError::new(kind, step, message).with_code(code)
}

/// Makes the error of a code.
pub(crate) fn failure_of_code(step: VssStep, code: u32) -> VssError {
    let (kind, message) = meaning_of(code);
    failure(kind, step, code, format!("{message} (0x{code:08X})"))
}

/// Returns what a code means to a requester.
fn meaning_of(code: u32) -> (VssErrorKind, &'static str) {
    use VssErrorKind as Kind;
    match code {
        BAD_STATE => (Kind::BadState, "it is not the time for this call"),
        PROVIDER_NOT_REGISTERED => (Kind::NotFound, "the provider is not registered"),
        OBJECT_NOT_FOUND => (Kind::NotFound, "the object was not found"),
        VOLUME_NOT_SUPPORTED => (Kind::NotSupported, "the volume cannot be snapped"),
        NOT_SUPPORTED_BY_PROVIDER => (
            Kind::NotSupported,
            "the provider does not support the volume",
        ),
        MAXIMUM_NUMBER_OF_VOLUMES => (Kind::NoRoom, "too many volumes are in the set"),
        0x8004_2317 => (Kind::NoRoom, "there are too many snapshots of the volume"),
        INSUFFICIENT_STORAGE => (Kind::NoRoom, "there is not enough storage for the snapshot"),
        SNAPSHOT_SET_IN_PROGRESS => (Kind::Busy, "another snapshot set is being made"),
        WRITER_INFRASTRUCTURE | 0x8004_2319 => {
            (Kind::Infrastructure, "the writers cannot be reached")
        }
        VOLUME_NOT_LOCAL => (Kind::NotLocal, "the volume belongs to another node"),
        PARTIAL_FAILURE => (Kind::Partial, "some components failed"),
        0x8004_2306 | 0x8004_230F => (Kind::Provider, "the provider failed"),
        WRITER_TIMEOUT | 0x8004_2313 | 0x8004_2314 | 0x8004_2417 => {
            (Kind::Retryable, "a deadline passed")
        }
        0x8004_23F0 | 0x8004_23F1 | RETRYABLE => (Kind::Retryable, "a writer failed for now"),
        NON_RETRYABLE | 0x8004_23F5 => (Kind::NotRetryable, "a writer failed for good"),
        0x8004_23FB => (Kind::Provider, "the snapshot could not be recovered"),
        0x8007_0005 => (Kind::Denied, "access is denied"),
        0x8004_0154 => (Kind::Absent, "the service is not there"),
        ABORTED => (Kind::Cancelled, "it was cancelled"),
        _ => (Kind::Other, "the service failed"),
    }
}

/// Makes the error of something that the simulated host could not do.
pub(crate) fn of_host(step: VssStep, error: &SimError) -> VssError {
    let (kind, code) = match error.kind() {
        SimErrorKind::NotFound => (VssErrorKind::NotFound, OBJECT_NOT_FOUND),
        SimErrorKind::NoSpace => (VssErrorKind::NoRoom, INSUFFICIENT_STORAGE),
        SimErrorKind::NotSupported => (VssErrorKind::NotSupported, VOLUME_NOT_SUPPORTED),
        _ => (VssErrorKind::Other, UNEXPECTED),
    };
    failure(kind, step, code, error.to_string())
}
