//! Texts and ids as Windows has them.

use uuid::Uuid;
use windows::Win32::System::Com::CoTaskMemFree;
use windows_core::{BSTR, GUID, HRESULT};

use crate::{VssError, VssErrorKind, VssStep};

/// The longest text that is taken, in characters: no path of Windows is longer.
const LENGTH_MAX: usize = 32_768;

/// Returns a text as Windows takes it, with a zero at its end.
///
/// # Errors
///
/// `NotFound`: a text with a zero in it names nothing.
pub(super) fn wide(text: &str, step: VssStep) -> Result<Vec<u16>, VssError> {
    if text.contains('\0') {
        let what = format!("{text:?} has a zero in it");
        return Err(VssError::new(VssErrorKind::NotFound, step, what));
    }
    Ok(text.encode_utf16().chain([0]).collect())
}

/// Returns what an array of characters holds up to its zero.
pub(super) fn of_array(units: &[u16]) -> String {
    let text = units.split(|unit| *unit == 0).next().unwrap_or_default();
    String::from_utf16_lossy(text)
}

/// Returns the text of a `BSTR`; one that is null is empty.
pub(super) fn of_bstr(text: &BSTR) -> String {
    let text: &[u16] = text;
    String::from_utf16_lossy(text)
}

/// Returns the text that a pointer leads to; null is empty.
///
/// # Safety
///
/// What is no null pointer must lead to characters that end in a zero.
pub(super) unsafe fn of_pointer(pointer: *const u16) -> String {
    if pointer.is_null() {
        return String::new();
    }
    let mut units = Vec::new();
    for at in 0..LENGTH_MAX {
        // SAFETY: no zero was read yet, so this is still within the text.
        let unit = unsafe { pointer.add(at).read() };
        if unit == 0 {
            break;
        }
        units.push(unit);
    }
    String::from_utf16_lossy(&units)
}

/// Returns the text that a pointer leads to, and frees it.
///
/// # Safety
///
/// As for [`of_pointer`]; the text must be of `CoTaskMemAlloc`, and not be used again.
pub(super) unsafe fn take_pointer(pointer: *mut u16) -> String {
    // SAFETY: the caller promises what both calls need; null is freed without effect.
    unsafe {
        let text = of_pointer(pointer);
        CoTaskMemFree(Some(pointer.cast_const().cast()));
        text
    }
}

/// Returns an id as Windows has it.
pub(super) fn guid(id: Uuid) -> GUID {
    GUID::from_u128(id.as_u128())
}

/// Returns an id that Windows has.
pub(super) fn uuid(id: GUID) -> Uuid {
    Uuid::from_u128(id.to_u128())
}

/// Makes an error of an answer that is a failure.
pub(super) fn check(code: HRESULT, step: VssStep, what: &str) -> Result<(), VssError> {
    match code.is_err() {
        true => Err(VssError::of_code(step, what, code.0.cast_unsigned())),
        false => Ok(()),
    }
}

/// Makes an error of a failure that the bindings made one of.
pub(super) fn failure(error: &windows_core::Error, step: VssStep, what: &str) -> VssError {
    VssError::of_code(step, what, error.code().0.cast_unsigned())
}
