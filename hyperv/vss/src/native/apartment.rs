//! A thread's membership in COM.

use std::marker::PhantomData;

use windows::Win32::Foundation::RPC_E_TOO_LATE;
use windows::Win32::System::Com::{
    COINIT_MULTITHREADED, CoInitializeEx, CoInitializeSecurity, CoUninitialize,
    EOAC_STATIC_CLOAKING, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
};

use super::foreign_text::failure;
use crate::{VssError, VssErrorKind, VssStep};

/// This thread's membership in COM's multi-threaded apartment.
pub(super) struct Apartment(PhantomData<*const ()>);

impl Apartment {
    /// Enters COM, and lets writers call back, which they do themselves. With the machine's default
    /// permissions Local System may, as which Hyper-V's writer runs; others are not asked.
    ///
    /// A process says this once. Where WMI's thread was first, the same holds but for cloaking, which
    /// only shares on file servers need.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn enter(step: VssStep) -> Result<Self, VssError> {
        // SAFETY: a plain call; `drop` undoes it on this thread, which `Apartment` cannot leave.
        let entered = unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) };
        entered
            .ok()
            .map_err(|error| unavailable(&error, step, "COM is not there"))?;
        let apartment = Self(PhantomData);
        // SAFETY: a plain call; all pointers are null, which means the defaults.
        let secured = unsafe {
            CoInitializeSecurity(
                None,
                -1,
                None,
                None,
                RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                RPC_C_IMP_LEVEL_IMPERSONATE,
                None,
                EOAC_STATIC_CLOAKING,
                None,
            )
        };
        match secured {
            // Somebody in this process was first, as WMI's thread.
            Err(error) if error.code() == RPC_E_TOO_LATE => Ok(apartment),
            Err(error) => Err(unavailable(&error, step, "COM's security cannot be set")),
            Ok(()) => Ok(apartment),
        }
    }
}

impl Drop for Apartment {
    fn drop(&mut self) {
        // SAFETY: undoes `enter` on the same thread, after all interface pointers are gone.
        unsafe { CoUninitialize() };
    }
}

fn unavailable(error: &windows::core::Error, step: VssStep, what: &str) -> VssError {
    let failure = failure(error, step, what);
    let code = error.code().0.cast_unsigned();
    VssError::new(VssErrorKind::Absent, step, failure.to_string()).with_code(code)
}
