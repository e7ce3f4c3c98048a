//! Windows' jobs and tokens.

#![expect(
    unsafe_code,
    reason = "calls of Windows are unsafe by nature; nothing outside this module makes any"
)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::Child;

use windows::Win32::Foundation::HANDLE;
use windows::Win32::Security::{
    AdjustTokenPrivileges, CreateWellKnownSid, GetTokenInformation, LUID_AND_ATTRIBUTES, PSID,
    SE_PRIVILEGE_REMOVED, SECURITY_MAX_SID_SIZE, SID_AND_ATTRIBUTES, SetTokenInformation,
    TOKEN_ADJUST_DEFAULT, TOKEN_ADJUST_PRIVILEGES, TOKEN_MANDATORY_LABEL, TOKEN_PRIVILEGES,
    TOKEN_QUERY, TokenIntegrityLevel, TokenPrivileges, WinLowLabelSid,
};
use windows::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_UILIMIT_DESKTOP,
    JOB_OBJECT_UILIMIT_DISPLAYSETTINGS, JOB_OBJECT_UILIMIT_EXITWINDOWS,
    JOB_OBJECT_UILIMIT_GLOBALATOMS, JOB_OBJECT_UILIMIT_HANDLES, JOB_OBJECT_UILIMIT_READCLIPBOARD,
    JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS, JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
    JOBOBJECT_BASIC_UI_RESTRICTIONS, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows::core::{Error, PCWSTR, Result};

/// Most privileges that a token has: Windows knows about 40.
const PRIVILEGES_MAX: usize = 128;
/// `SE_GROUP_INTEGRITY`.
const GROUP_INTEGRITY: u32 = 0x20;

/// A job with one process in it, which ends with the job: when this is dropped, or when the program
/// that holds it ends.
#[derive(Debug)]
pub struct Job {
    handle: OwnedHandle,
}

impl Job {
    /// Puts a process that has just been started into a job of its own.
    ///
    /// # Errors
    ///
    /// Those of Windows; the process is where it was.
    pub fn around(process: &Child, memory_bytes: u64) -> io::Result<Self> {
        Self::with(process, memory_bytes).map_err(failed)
    }

    fn with(process: &Child, memory_bytes: u64) -> Result<Self> {
        // SAFETY: neither attributes nor a name; what is returned is a handle of our own.
        let handle = unsafe {
            let handle = CreateJobObjectW(None, PCWSTR::null())?;
            OwnedHandle::from_raw_handle(handle.0)
        };
        let job = Self { handle };
        job.limit(memory_bytes)?;
        // SAFETY: both handles are open for as long as the call takes: both are borrowed.
        unsafe { AssignProcessToJobObject(job.raw(), HANDLE(process.as_raw_handle()))? };
        Ok(job)
    }

    fn raw(&self) -> HANDLE {
        HANDLE(self.handle.as_raw_handle())
    }

    fn limit(&self, memory_bytes: u64) -> Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
            ProcessMemoryLimit: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
            ..Default::default()
        };
        limits.BasicLimitInformation.ActiveProcessLimit = 1;
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_ACTIVE_PROCESS
            | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
            | JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            | JOB_OBJECT_LIMIT_PROCESS_MEMORY;
        let desktop = JOBOBJECT_BASIC_UI_RESTRICTIONS {
            UIRestrictionsClass: JOB_OBJECT_UILIMIT_DESKTOP
                | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
                | JOB_OBJECT_UILIMIT_EXITWINDOWS
                | JOB_OBJECT_UILIMIT_GLOBALATOMS
                | JOB_OBJECT_UILIMIT_HANDLES
                | JOB_OBJECT_UILIMIT_READCLIPBOARD
                | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS
                | JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
        };
        // SAFETY: each pointer is to a value of the type that the class before it says, which
        // outlives the call, and the length is that value's.
        unsafe {
            SetInformationJobObject(
                self.raw(),
                JobObjectExtendedLimitInformation,
                pointer(&limits),
                len_bytes(&limits),
            )?;
            SetInformationJobObject(
                self.raw(),
                JobObjectBasicUIRestrictions,
                pointer(&desktop),
                len_bytes(&desktop),
            )?;
        }
        Ok(())
    }
}

/// Takes all privileges from this process, for good, and lowers its integrity.
///
/// # Errors
///
/// Those of Windows.
pub fn lower_own_rights() -> io::Result<()> {
    lower().map_err(failed)
}

fn failed(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn lower() -> Result<()> {
    let mut token = HANDLE::default();
    let access = TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES | TOKEN_ADJUST_DEFAULT;
    // SAFETY: the place for the handle outlives the call; what is written there is ours to close.
    let token = unsafe {
        OpenProcessToken(GetCurrentProcess(), access, &mut token)?;
        OwnedHandle::from_raw_handle(token.0)
    };
    remove_privileges(&token)?;
    lower_integrity(&token)
}

/// `TOKEN_PRIVILEGES` with room for as many as there are.
#[repr(C)]
struct Privileges {
    count: u32,
    all: [LUID_AND_ATTRIBUTES; PRIVILEGES_MAX],
}

fn remove_privileges(token: &OwnedHandle) -> Result<()> {
    let token = HANDLE(token.as_raw_handle());
    let mut privileges = Privileges {
        count: 0,
        all: [LUID_AND_ATTRIBUTES::default(); PRIVILEGES_MAX],
    };
    let len = len_bytes(&privileges);
    let place: *mut Privileges = &mut privileges;
    let mut needed = 0;
    // SAFETY: `place` is to `len` bytes laid out as `TOKEN_PRIVILEGES`, whose array is as long as its
    // count says; Windows writes no more than `len`, and fails where there are more privileges.
    unsafe { GetTokenInformation(token, TokenPrivileges, Some(place.cast()), len, &mut needed)? };
    for privilege in &mut privileges.all {
        privilege.Attributes = SE_PRIVILEGE_REMOVED;
    }
    let place: *const Privileges = &privileges;
    let place: *const TOKEN_PRIVILEGES = place.cast();
    // SAFETY: as above; the count is Windows' own, so all that it covers was written.
    unsafe { AdjustTokenPrivileges(token, false, Some(place), 0, None, None)? };
    Ok(())
}

/// Longest SID, in words.
const SID_WORDS: usize = SECURITY_MAX_SID_SIZE as usize / 4;

/// `TOKEN_MANDATORY_LABEL` with the SID that it points to behind it, as Windows wants its length.
#[repr(C)]
struct Label {
    label: TOKEN_MANDATORY_LABEL,
    sid: [u32; SID_WORDS],
}

fn lower_integrity(token: &OwnedHandle) -> Result<()> {
    let mut label = Label {
        label: TOKEN_MANDATORY_LABEL::default(),
        sid: [0; SID_WORDS],
    };
    let mut len = len_bytes(&label.sid);
    let place: *mut [u32; SID_WORDS] = &mut label.sid;
    let sid = PSID(place.cast());
    // SAFETY: `sid` is to `len` bytes, of which Windows writes no more.
    unsafe { CreateWellKnownSid(WinLowLabelSid, None, Some(sid), &mut len)? };
    label.label.Label = SID_AND_ATTRIBUTES {
        Sid: sid,
        Attributes: GROUP_INTEGRITY,
    };
    // SAFETY: the label and the SID that it points to outlive the call, and the length is theirs.
    unsafe {
        SetTokenInformation(
            HANDLE(token.as_raw_handle()),
            TokenIntegrityLevel,
            pointer(&label),
            len_bytes(&label),
        )?;
    }
    Ok(())
}

fn pointer<T>(value: &T) -> *const c_void {
    let pointer: *const T = value;
    pointer.cast()
}

/// Returns a structure's length as Windows takes it.
fn len_bytes<T>(_: &T) -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Tells a process of the tests that it is one that waits.
    const WAITS: &str = "LIFEBOAT_TEST_WAITS";

    /// Returns a process that ends when its standard input does.
    fn waiting() -> Child {
        let program = std::env::current_exe().unwrap();
        Command::new(program)
            .args(["--exact", "native::tests::waits", "--nocapture"])
            .env(WAITS, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// What [`waiting`] starts; among the tests it does nothing.
    #[test]
    fn waits() {
        if std::env::var_os(WAITS).is_none() {
            return;
        }
        let _ = io::stdin().read_line(&mut String::new());
        lower_own_rights().unwrap();
    }

    #[test]
    fn a_process_ends_with_its_job() {
        let mut child = waiting();
        let job = Job::around(&child, 1 << 30).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        // Its input stays open, so nothing but the job ends it.
        drop(job);
        assert!(child.stdin.is_some());
        child.wait_for_end();
    }

    #[test]
    fn a_process_lowers_its_own_rights() {
        let mut child = waiting();
        let _job = Job::around(&child, 1 << 30).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    trait WaitForEnd {
        fn wait_for_end(&mut self);
    }

    impl WaitForEnd for Child {
        /// `Child::wait` would close its input.
        fn wait_for_end(&mut self) {
            let input = self.stdin.take();
            self.wait().unwrap();
            drop(input);
        }
    }
}
