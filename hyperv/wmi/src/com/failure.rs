//! COM's errors as ours, with the words that Windows has for them.

use windows::Win32::System::Com::{CLSCTX_INPROC_SERVER, CoCreateInstance};
use windows::Win32::System::Wmi::{IWbemClassObject, IWbemStatusCodeText};
use windows::core::{Error, GUID, HRESULT, IUnknown, Interface, w};

use super::class_object::text_property;
use crate::WmiError;

/// `CLSID_WbemStatusCodeText` of wbemcli.h: the words for WMI's own numbers.
const STATUS_CODE_TEXT: GUID = GUID::from_u128(0xeb87_e1bd_3233_11d2_aec9_00c0_4fb6_8820);

/// Makes the error of a COM call that was made for `asked`. The words, where there are any, are
/// its source.
pub(super) fn failure(error: &Error, asked: &str) -> WmiError {
    let failure = WmiError::of_hresult(error.code().0.cast_unsigned(), asked);
    let words = [
        provider_words(error),
        Some(error.message()),
        status_words(error.code()),
    ];
    let words = words.into_iter().flatten();
    match words
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty())
    {
        Some(words) => failure.caused_by(words),
        None => failure,
    }
}

/// Returns what the provider said: the `Description` of the `__ExtendedStatus` that comes with the
/// error.
fn provider_words(error: &Error) -> Option<String> {
    let info = error.as_ptr();
    // SAFETY: the pointer is null or `error`'s own IErrorInfo, which lives as long as `error`.
    let info = unsafe { IUnknown::from_raw_borrowed(&info) }?;
    let status: IWbemClassObject = info.cast().ok()?;
    text_property(&status, w!("Description"))
}

/// Returns WMI's words for one of its numbers.
fn status_words(code: HRESULT) -> Option<String> {
    // SAFETY: a plain call; the interface asked for is the one that the class has.
    let texts: IWbemStatusCodeText =
        unsafe { CoCreateInstance(&STATUS_CODE_TEXT, None, CLSCTX_INPROC_SERVER) }.ok()?;
    // SAFETY: a plain call, which returns a string that is ours.
    let words = unsafe { texts.GetErrorCodeText(code, 0, 0) }.ok()?;
    Some(words.to_string())
}
