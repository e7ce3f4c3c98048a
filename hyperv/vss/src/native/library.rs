//! The functions of `vssapi.dll` that we use.

use std::ffi::c_void;
use std::fmt;

use windows::core::{HRESULT, PCSTR, PCWSTR, s};
use windows_core::Interface;

use super::bindings::{IVssBackupComponents, VSS_SNAPSHOT_PROP};
use super::module::Module;
use crate::{VssError, VssErrorKind, VssStep};

/// `HRESULT CreateVssBackupComponentsInternal(IVssBackupComponents **ppBackup)`; the name in the
/// documentation, without `Internal`, is an inline function of the header.
type Create = unsafe extern "system" fn(*mut *mut c_void) -> HRESULT;
/// `void VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP *pProp)`
type FreeProperties = unsafe extern "system" fn(*mut VSS_SNAPSHOT_PROP);

/// `E_NOTIMPL`: what stands behind the name is not there.
const NOT_IMPLEMENTED: u32 = 0x8000_4001;

/// The library, loaded until this is dropped.
pub(super) struct Library {
    create: Create,
    free_properties: FreeProperties,
    pub(super) module: Module,
}

impl Library {
    /// Loads the library and finds its functions.
    pub(super) fn load(name: PCWSTR) -> Result<Self, VssError> {
        let module = Module::load(name).map_err(|code| {
            absent(format!("vssapi.dll cannot be loaded (0x{code:08X})")).with_code(code)
        })?;
        Self::of(module)
    }

    /// Finds the functions of a library.
    ///
    /// Contract: 5.4 [M]
    pub(super) fn of(module: Module) -> Result<Self, VssError> {
        let missing = |name: PCSTR| {
            // SAFETY: the names are text.
            let name = unsafe { name.to_string() }.unwrap_or_default();
            absent(format!("vssapi.dll has no {name}"))
        };
        let create = s!("CreateVssBackupComponentsInternal");
        let free = s!("VssFreeSnapshotPropertiesInternal");
        // SAFETY: the types are those that vsbackup.h gives to the functions of these names, and
        // the module is kept beside them.
        let (create, free_properties) = unsafe {
            (
                module.function(create).ok_or_else(|| missing(create))?,
                module.function(free).ok_or_else(|| missing(free))?,
            )
        };
        Ok(Self {
            create,
            free_properties,
            module,
        })
    }

    /// Makes the object of one backup.
    ///
    /// # Errors
    ///
    /// `Absent`, where the library has no more than the function's name; `Denied`.
    pub(super) fn create(&self, step: VssStep) -> Result<IVssBackupComponents, VssError> {
        const WHAT: &str = "CreateVssBackupComponents";
        let mut object = std::ptr::null_mut();
        // SAFETY: `object` is a place for an interface pointer.
        let code = unsafe { (self.create)(&raw mut object) }.0.cast_unsigned();
        if code == NOT_IMPLEMENTED {
            let what = "vssapi.dll has no more than the name of CreateVssBackupComponentsInternal \
                        (E_NOTIMPL)";
            return Err(VssError::new(VssErrorKind::Absent, step, what).with_code(code));
        }
        if code & 0x8000_0000 != 0 || object.is_null() {
            return Err(VssError::of_code(step, WHAT, code));
        }
        // SAFETY: the call succeeded, so this is an interface of this type, and it is ours.
        Ok(unsafe { IVssBackupComponents::from_raw(object) })
    }

    /// Frees what [`IVssBackupComponents::GetSnapshotProperties`] gave.
    ///
    /// # Safety
    ///
    /// The properties must be filled by the service, and not be used again.
    pub(super) unsafe fn free_properties(&self, properties: &mut VSS_SNAPSHOT_PROP) {
        // SAFETY: the caller promises what the call needs.
        unsafe { (self.free_properties)(properties) };
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Library").field(&self.module).finish()
    }
}

fn absent(message: String) -> VssError {
    VssError::new(VssErrorKind::Absent, VssStep::Begin, message)
}
