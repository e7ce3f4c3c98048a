//! The functions of the library that we use, found when the program runs.

use std::fmt;

use windows::Win32::Foundation::{CloseHandle, FARPROC, FreeLibrary, HANDLE, HMODULE};
use windows::Win32::Storage::Vhd::{
    GET_VIRTUAL_DISK_INFO, OPEN_VIRTUAL_DISK_FLAG, OPEN_VIRTUAL_DISK_PARAMETERS,
    QUERY_CHANGES_VIRTUAL_DISK_FLAG, QUERY_CHANGES_VIRTUAL_DISK_RANGE, VIRTUAL_DISK_ACCESS_MASK,
    VIRTUAL_STORAGE_TYPE,
};
use windows::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows::core::{PCSTR, PCWSTR, s, w};

use crate::Absent;

/// `OpenVirtualDisk`
pub(super) type Open = unsafe extern "system" fn(
    *const VIRTUAL_STORAGE_TYPE,
    PCWSTR,
    VIRTUAL_DISK_ACCESS_MASK,
    OPEN_VIRTUAL_DISK_FLAG,
    *const OPEN_VIRTUAL_DISK_PARAMETERS,
    *mut HANDLE,
) -> u32;

/// `GetVirtualDiskInformation`
pub(super) type Information =
    unsafe extern "system" fn(HANDLE, *mut u32, *mut GET_VIRTUAL_DISK_INFO, *mut u32) -> u32;

/// `QueryChangesVirtualDisk`
pub(super) type QueryChanges = unsafe extern "system" fn(
    HANDLE,
    PCWSTR,
    u64,
    u64,
    QUERY_CHANGES_VIRTUAL_DISK_FLAG,
    *mut QUERY_CHANGES_VIRTUAL_DISK_RANGE,
    *mut u32,
    *mut u64,
) -> u32;

/// The library's functions, and the kernel's that closes what they open.
pub(super) struct Functions {
    pub(super) open: Open,
    pub(super) information: Information,
    pub(super) query_changes: QueryChanges,
    pub(super) close: unsafe fn(HANDLE),
}

/// The library, loaded until this is dropped.
pub(super) struct Library {
    pub(super) functions: Functions,
    /// Freed on drop. Tests have functions of their own, and no module.
    pub(super) module: Option<Module>,
}

impl Library {
    /// Loads the library and finds its functions.
    pub(super) fn load() -> Result<Self, Absent> {
        // SAFETY: a plain call. Only Windows' own folder is searched, so no other file of this
        // name is run.
        let module =
            unsafe { LoadLibraryExW(w!("virtdisk.dll"), None, LOAD_LIBRARY_SEARCH_SYSTEM32) };
        let module = module.map(Module).map_err(|error| {
            let code = error.code().0.cast_unsigned();
            Absent::new(format!("virtdisk.dll cannot be loaded (0x{code:08X})"))
        })?;
        // SAFETY: the types are those that virtdisk.h gives to the functions of these names.
        let functions = unsafe {
            Functions {
                open: module.function(s!("OpenVirtualDisk"))?,
                information: module.function(s!("GetVirtualDiskInformation"))?,
                query_changes: module.function(s!("QueryChangesVirtualDisk"))?,
                close,
            }
        };
        Ok(Self {
            functions,
            module: Some(module),
        })
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.module.as_ref().map(|module| module.0);
        f.debug_struct("Library").field("module", &loaded).finish()
    }
}

// SAFETY: a module and its functions belong to the process; any thread may call them.
unsafe impl Send for Library {}
// SAFETY: as above; the functions may be called by several threads at once.
unsafe impl Sync for Library {}

/// A library that is loaded.
pub(super) struct Module(HMODULE);

impl Module {
    /// Finds a function.
    ///
    /// # Safety
    ///
    /// `F` must be the type of a function pointer, and the one that the function has.
    unsafe fn function<F: Copy>(&self, name: PCSTR) -> Result<F, Absent> {
        const { assert!(size_of::<F>() == size_of::<FARPROC>()) };
        // SAFETY: the module is loaded, and the name ends in a zero.
        let found = unsafe { GetProcAddress(self.0, name) };
        let Some(function) = found else {
            // SAFETY: the callers' names are text.
            let name = unsafe { name.to_string() }.unwrap_or_default();
            return Err(Absent::new(format!(
                "virtdisk.dll has no {name}; Windows Server 2016 and later do"
            )));
        };
        // SAFETY: the caller promises that the function has this type.
        Ok(unsafe { std::mem::transmute_copy(&function) })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module was loaded once and its functions are not called any more, since
        // every disk that is open holds the library. There is nothing to do about a failure.
        let _ = unsafe { FreeLibrary(self.0) };
    }
}

/// Closes a disk.
///
/// # Safety
///
/// The handle must be open, and not be used again.
unsafe fn close(handle: HANDLE) {
    // SAFETY: the caller promises what the call needs; there is nothing to do about a failure.
    let _ = unsafe { CloseHandle(handle) };
}
