//! A library that is loaded when the program runs.

use windows::Win32::Foundation::{FARPROC, FreeLibrary, HMODULE};
#[cfg(test)]
use windows::Win32::System::LibraryLoader::LOAD_WITH_ALTERED_SEARCH_PATH;
use windows::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows::core::{PCSTR, PCWSTR};

/// A library that is loaded until this is dropped.
#[derive(Debug)]
pub(super) struct Module(HMODULE);

impl Module {
    /// Loads a library by its name. Only Windows' own folder is searched, so no other file of this
    /// name is run.
    ///
    /// # Errors
    ///
    /// Windows' number.
    pub(super) fn load(name: PCWSTR) -> Result<Self, u32> {
        // SAFETY: a plain call; the callers' names end in a zero.
        unsafe { LoadLibraryExW(name, None, LOAD_LIBRARY_SEARCH_SYSTEM32) }
            .map(Self)
            .map_err(|error| error.code().0.cast_unsigned())
    }

    /// Loads a library by its path, which takes the place of Windows' own in tests.
    #[cfg(test)]
    pub(super) fn load_stand_in(path: PCWSTR) -> Self {
        // SAFETY: as in `load`.
        unsafe { LoadLibraryExW(path, None, LOAD_WITH_ALTERED_SEARCH_PATH) }
            .map(Self)
            .expect("the stand-in can be loaded")
    }

    /// Finds a function.
    ///
    /// # Safety
    ///
    /// `F` must be the type of a function pointer, and the one that the function has; it must not
    /// be called after the module was dropped.
    pub(super) unsafe fn function<F: Copy>(&self, name: PCSTR) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<FARPROC>()) };
        // SAFETY: the module is loaded, and the callers' names end in a zero.
        let function = unsafe { GetProcAddress(self.0, name) }?;
        // SAFETY: the caller promises that the function has this type.
        Some(unsafe { std::mem::transmute_copy(&function) })
    }
}

// SAFETY: a module belongs to the process; any thread may find its functions.
unsafe impl Send for Module {}
// SAFETY: as above, at the same time as well.
unsafe impl Sync for Module {}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module was loaded once, and who found functions in it has promised not to
        // call them any more. There is nothing to do about a failure.
        let _ = unsafe { FreeLibrary(self.0) };
    }
}
