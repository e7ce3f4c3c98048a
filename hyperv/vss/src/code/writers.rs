//! Codes of writers, and of what lies between the service and them.

use super::{CodeMeaning, failure};
use crate::VssErrorKind::{BadState, Infrastructure, NotRetryable, Other, Partial, Retryable};

pub(super) const CODES: &[CodeMeaning] = &[
    failure(
        0x8004_2315,
        "VSS_E_UNEXPECTED_WRITER_ERROR",
        Infrastructure,
        "the service met an error while it spoke to writers; its event log says which",
    ),
    failure(
        0x8004_2318,
        "VSS_E_WRITER_INFRASTRUCTURE",
        Infrastructure,
        "writers cannot be reached; the services of VSS and of COM+ events have to run",
    ),
    failure(
        0x8004_2319,
        "VSS_E_WRITER_NOT_RESPONDING",
        Retryable,
        "a writer does not answer",
    ),
    failure(
        0x8004_231A,
        "VSS_E_WRITER_ALREADY_SUBSCRIBED",
        BadState,
        "the writer is there already",
    ),
    failure(
        0x8004_2336,
        "VSS_E_WRITERERROR_PARTIAL_FAILURE",
        Partial,
        "some components of a writer failed",
    ),
    failure(
        0x8004_23F0,
        "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT",
        NotRetryable,
        "the set lacks a volume that the writer needs",
    ),
    failure(
        0x8004_23F1,
        "VSS_E_WRITERERROR_OUTOFRESOURCES",
        Retryable,
        "the writer ran out of memory or another resource",
    ),
    failure(
        0x8004_23F2,
        "VSS_E_WRITERERROR_TIMEOUT",
        Retryable,
        "the writer was held still for longer than it may be",
    ),
    failure(
        0x8004_23F3,
        "VSS_E_WRITERERROR_RETRYABLE",
        Retryable,
        "the writer failed, and says that another try may succeed",
    ),
    failure(
        0x8004_23F4,
        "VSS_E_WRITERERROR_NONRETRYABLE",
        NotRetryable,
        "the writer failed, and says that another try would fail as well",
    ),
    failure(
        0x8004_23F5,
        "VSS_E_WRITERERROR_RECOVERY_FAILED",
        NotRetryable,
        "the writer could not recover its own data",
    ),
    failure(
        0x8004_2409,
        "VSS_E_WRITER_STATUS_NOT_AVAILABLE",
        Other,
        "the writer does not say where it is",
    ),
];
