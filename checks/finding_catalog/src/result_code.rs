//! Numbers that Windows answers with, and the pages that explain them.

use vss::{CodeMeaning, VssErrorKind, all_codes, meaning_of};

use crate::{Explanation, all, find};

/// A number that Windows answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultCode {
    /// The number.
    pub code: u32,
    /// Its name in the SDK, where VSS knows it.
    pub name: Option<&'static str>,
    /// What it says, in a sentence without a full stop, where VSS knows it.
    pub sentence: Option<&'static str>,
    /// What explains it.
    pub page: &'static Explanation,
}

/// Finds what explains a number: an `HRESULT`, or a plain error number of Windows.
pub fn result_code(code: u32) -> Option<ResultCode> {
    let meaning = meaning_of(code);
    let own = all().find(|page| page.codes.contains(&code));
    let page = own.or_else(|| find(id_of(meaning?)))?;
    Some(ResultCode {
        code,
        name: meaning.map(|meaning| meaning.name),
        sentence: meaning.map(|meaning| meaning.sentence),
        page,
    })
}

/// Finds a code of VSS by its name in the SDK, anywhere in a text in upper case.
pub(crate) fn named_in(upper: &str) -> Option<ResultCode> {
    let longest = all_codes()
        .filter(|meaning| meaning.name.contains('_') && upper.contains(meaning.name))
        .max_by_key(|meaning| meaning.name.len())?;
    result_code(longest.code)
}

/// Returns the id of the page of a code of VSS.
fn id_of(meaning: &CodeMeaning) -> &'static str {
    if is_of_restores(meaning.name) {
        return "HOST-VSS-RESTORE";
    }
    match (meaning.name, meaning.kind) {
        ("VSS_E_FSS_TIMEOUT", _) => "HOST-VSS-SHARE",
        (name, _) if name.contains("REMOTE") => "HOST-VSS-SHARE",
        (name, _) if name.contains("PROVIDER") && !name.contains("VOLUME") => "HOST-VSS-PROVIDER",
        (_, Some(kind)) => id_of_kind(kind),
        (_, None) => "HOST-VSS-STATE",
    }
}

fn is_of_restores(name: &str) -> bool {
    [
        "ASRERROR", "REVERT", "IMPORTED", "BCD", "REBOOT", "CRITICAL",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn id_of_kind(kind: VssErrorKind) -> &'static str {
    match kind {
        VssErrorKind::Absent => "HOST-NO-VSS",
        VssErrorKind::Denied => "HOST-DENIED",
        VssErrorKind::NotFound | VssErrorKind::NotSupported => "HOST-VSS-VOLUME",
        VssErrorKind::Busy => "HOST-VSS-BUSY",
        VssErrorKind::Retryable => "HOST-VSS-RETRYABLE",
        VssErrorKind::NotRetryable | VssErrorKind::Infrastructure => "HOST-VSS-WRITER",
        VssErrorKind::Partial => "VM-VSS-PARTIAL",
        VssErrorKind::NoRoom => "HOST-VSS-NO-ROOM",
        VssErrorKind::NotLocal => "HOST-VSS-NOT-LOCAL",
        VssErrorKind::Provider => "HOST-VSS-PROVIDER",
        VssErrorKind::Cancelled => "VM-CANCELLED",
        _ => "HOST-VSS-STATE",
    }
}
