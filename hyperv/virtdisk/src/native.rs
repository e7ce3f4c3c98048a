//! `virtdisk.dll` itself.

#![expect(
    unsafe_code,
    reason = "calls into a library of Windows are unsafe by nature; nothing outside this module \
              makes any"
)]

mod functions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use windows::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA, HANDLE};
use windows::Win32::Storage::Vhd::{
    OPEN_VIRTUAL_DISK_FLAG_NONE, OPEN_VIRTUAL_DISK_PARAMETERS, OPEN_VIRTUAL_DISK_PARAMETERS_0,
    OPEN_VIRTUAL_DISK_PARAMETERS_0_1, OPEN_VIRTUAL_DISK_VERSION_2,
    QUERY_CHANGES_VIRTUAL_DISK_FLAG_NONE, QUERY_CHANGES_VIRTUAL_DISK_RANGE,
    VIRTUAL_DISK_ACCESS_NONE, VIRTUAL_STORAGE_TYPE,
};
use windows::core::{GUID, HSTRING, PCWSTR};

use crate::answer::{Answer, CHANGE_TRACKING_STATE, SIZE, VIRTUAL_DISK_ID};
use crate::{Absent, ChangeTracking, Changes, DiskInfo, VirtDiskError, VirtDiskErrorKind};
use functions::{Functions, Library};

/// Ranges that one change query can answer.
const RANGES: usize = 50;
/// Words of eight bytes for an answer about a disk: at first, and at most.
const ANSWER_WORDS: usize = 128;
const ANSWER_WORDS_MAX: usize = 8192;

/// Windows' virtual-disk library, loaded. Cheap to clone; gone with the last disk that is open.
#[derive(Debug, Clone)]
pub struct VirtDisk {
    library: Arc<Library>,
}

impl VirtDisk {
    /// Loads the library from Windows' own folder, and nowhere else.
    pub fn load() -> Result<Self, Absent> {
        let library = Arc::new(Library::load()?);
        Ok(Self { library })
    }

    /// Opens a disk for reading; its VM may run.
    ///
    /// Contract: 3.1
    pub fn open_read_only(&self, path: &str) -> Result<OpenDisk, VirtDiskError> {
        const ASKED: &str = "open for reading";
        let wide = wide(path).ok_or_else(|| no_text(path, ASKED, "the path"))?;
        let any = VIRTUAL_STORAGE_TYPE {
            DeviceId: 0,
            VendorId: GUID::zeroed(),
        };
        let parameters = OPEN_VIRTUAL_DISK_PARAMETERS {
            Version: OPEN_VIRTUAL_DISK_VERSION_2,
            Anonymous: OPEN_VIRTUAL_DISK_PARAMETERS_0 {
                Version2: OPEN_VIRTUAL_DISK_PARAMETERS_0_1 {
                    GetInfoOnly: false.into(),
                    ReadOnly: true.into(),
                    ResiliencyGuid: GUID::zeroed(),
                },
            },
        };
        let mut handle = HANDLE::default();
        // SAFETY: all pointers are to values of ours that outlive the call, of the types that
        // virtdisk.h says; the path ends in a zero.
        let code = unsafe {
            (self.functions().open)(
                &any,
                PCWSTR(wide.as_ptr()),
                VIRTUAL_DISK_ACCESS_NONE,
                OPEN_VIRTUAL_DISK_FLAG_NONE,
                &parameters,
                &mut handle,
            )
        };
        succeeded(code, path, ASKED)?;
        Ok(OpenDisk {
            path: path.to_owned(),
            handle,
            library: Arc::clone(&self.library),
        })
    }

    fn functions(&self) -> &Functions {
        &self.library.functions
    }
}

/// A disk that is open for reading; closed on drop.
#[derive(Debug)]
pub struct OpenDisk {
    path: String,
    handle: HANDLE,
    library: Arc<Library>,
}

// SAFETY: the handle is the kernel's and belongs to the process; any thread may use or close it.
unsafe impl Send for OpenDisk {}

impl OpenDisk {
    /// Returns the disk's path, as it was opened.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what Windows says about the disk.
    pub fn info(&self) -> Result<DiskInfo, VirtDiskError> {
        const ASKED: &str = "read its sizes";
        let words = self.ask(SIZE, ASKED)?;
        let sizes = Answer(&words).sizes();
        let (virtual_size_bytes, physical_size_bytes, block_size_bytes, sector_size_bytes) = sizes
            .ok_or_else(|| VirtDiskError::nonsense(&self.path, ASKED, "it is short".to_owned()))?;
        let id = self.ask(VIRTUAL_DISK_ID, "read its id");
        Ok(DiskInfo {
            virtual_size_bytes,
            physical_size_bytes,
            block_size_bytes,
            sector_size_bytes,
            virtual_disk_id: if_supported(id)?.and_then(|words| Answer(&words).virtual_disk_id()),
            change_tracking: self.change_tracking()?,
        })
    }

    fn change_tracking(&self) -> Result<Option<ChangeTracking>, VirtDiskError> {
        const ASKED: &str = "read how its changes are tracked";
        let Some(words) = if_supported(self.ask(CHANGE_TRACKING_STATE, ASKED))? else {
            return Ok(None);
        };
        let state = Answer(&words).change_tracking();
        let odd = || VirtDiskError::nonsense(&self.path, ASKED, "its id is no text".to_owned());
        state.map(Some).ok_or_else(odd)
    }

    /// Returns what changed since `id` on a part of the disk. The answer may be about less than
    /// was asked: go on at `offset_bytes + processed_bytes`.
    ///
    /// Contract: 3.2
    pub fn query_changes(
        &self,
        id: &str,
        offset_bytes: u64,
        length_bytes: u64,
    ) -> Result<Changes, VirtDiskError> {
        const ASKED: &str = "query changes";
        let id = wide(id).ok_or_else(|| no_text(&self.path, ASKED, "the tracking id"))?;
        let mut ranges = [QUERY_CHANGES_VIRTUAL_DISK_RANGE::default(); RANGES];
        let mut count = u32::try_from(RANGES).unwrap_or(0);
        let mut processed = 0;
        // SAFETY: the handle is open; `ranges` has room for `count` of them; the other pointers
        // are to values of ours that outlive the call, and the id ends in a zero.
        let code = unsafe {
            (self.library.functions.query_changes)(
                self.handle,
                PCWSTR(id.as_ptr()),
                offset_bytes,
                length_bytes,
                QUERY_CHANGES_VIRTUAL_DISK_FLAG_NONE,
                ranges.as_mut_ptr(),
                &mut count,
                &mut processed,
            )
        };
        // A full buffer is a success, and some call it "more data".
        if code != ERROR_MORE_DATA.0 {
            succeeded(code, &self.path, ASKED)?;
        }
        let nonsense = |what: String| VirtDiskError::nonsense(&self.path, ASKED, what);
        let answered = usize::try_from(count)
            .ok()
            .and_then(|count| ranges.get(..count));
        let answered = answered
            .ok_or_else(|| nonsense(format!("{count} ranges in a room for {RANGES}")))?
            .iter()
            .map(|range| (range.ByteOffset, range.ByteLength));
        Changes::checked(offset_bytes, length_bytes, processed, answered).map_err(nonsense)
    }

    /// Asks one question; returns the answer with zeros after it.
    fn ask(&self, question: u32, asked: &'static str) -> Result<Vec<u64>, VirtDiskError> {
        let mut length = ANSWER_WORDS;
        loop {
            let mut words = vec![0_u64; length];
            if let Some(first) = words.first_mut() {
                *first = question.into();
            }
            let mut size_bytes = u32::try_from(length * 8).unwrap_or(0);
            let mut used_bytes = 0;
            // SAFETY: the handle is open; `words` has `size_bytes` bytes, is aligned for the
            // structure, and begins with the version that says what to write.
            let code = unsafe {
                (self.library.functions.information)(
                    self.handle,
                    &mut size_bytes,
                    words.as_mut_ptr().cast(),
                    &mut used_bytes,
                )
            };
            if code == ERROR_INSUFFICIENT_BUFFER.0 && length < ANSWER_WORDS_MAX {
                length *= 4;
                continue;
            }
            succeeded(code, &self.path, asked)?;
            return Ok(words);
        }
    }
}

impl Drop for OpenDisk {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and closed once; there is nothing to do about a failure.
        unsafe { (self.library.functions.close)(self.handle) };
    }
}

/// Makes a string of Windows, unless a zero would end it early.
fn wide(text: &str) -> Option<HSTRING> {
    (!text.contains('\0')).then(|| HSTRING::from(text))
}

fn no_text(path: &str, asked: &'static str, what: &str) -> VirtDiskError {
    VirtDiskError::nonsense(path, asked, format!("{what} has a zero in it"))
}

fn succeeded(code: u32, path: &str, asked: &'static str) -> Result<(), VirtDiskError> {
    match code {
        0 => Ok(()),
        code => Err(VirtDiskError::of_code(code, path, asked)),
    }
}

/// Turns the refusal of a question that this Windows or this kind of disk does not know into
/// `None`: not supported, or a parameter (the question) that is invalid.
///
/// Contract: 3.2 [M]
fn if_supported(
    answer: Result<Vec<u64>, VirtDiskError>,
) -> Result<Option<Vec<u64>>, VirtDiskError> {
    const INVALID_PARAMETER: u32 = 87;
    match answer {
        Err(error)
            if matches!(
                error.kind(),
                VirtDiskErrorKind::Unsupported | VirtDiskErrorKind::TrackingOff
            ) || error.code() == Some(INVALID_PARAMETER) =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}
