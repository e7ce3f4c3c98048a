//! The stand-in, and how tests ask it.

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;
use windows::core::{HSTRING, PCWSTR, s};

use super::super::module::Module;
use super::*;
use crate::{BackupType, ComponentId, ComponentKind, HYPERV_WRITER, SnapshotKind};

/// The path of what `tests/stand_in/build.sh` built.
const PATH: &str = "LIFEBOAT_VSS_STAND_IN";

/// Held by tests that use the stand-in, which has one record.
static ALONE: Mutex<()> = Mutex::new(());

type Reset = unsafe extern "C" fn();
type Tell = unsafe extern "C" fn(*const std::ffi::c_char, i32);
type Record = unsafe extern "C" fn(*mut u8, u32) -> u32;

/// The stand-in as the service's library, and its record.
pub(super) struct StandIn {
    pub(super) vss: WindowsVss,
    tell: Tell,
    record: Record,
    _alone: MutexGuard<'static, ()>,
}

impl StandIn {
    /// Loads the stand-in; `None` where it was not built, which is said.
    pub(super) fn load() -> Option<Self> {
        let Some(path) = std::env::var_os(PATH) else {
            let is_required = std::env::var("LIFEBOAT_REQUIRE_TOOLS").as_deref() == Ok("1");
            assert!(!is_required, "{PATH} does not name the stand-in of VSS");
            eprintln!("skipped: {PATH} does not name the stand-in of VSS");
            return None;
        };
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = HSTRING::from(path.as_os_str());
        let load = || Module::load_stand_in(PCWSTR(path.as_ptr()));
        let library = Library::of(load()).unwrap();
        // SAFETY: the types are those of record.cpp, and the module outlives this in the library.
        let (reset, tell, record) = unsafe {
            (
                library.module.function::<Reset>(s!("StandInReset")),
                library.module.function::<Tell>(s!("StandInTell")),
                library.module.function::<Record>(s!("StandInRecord")),
            )
        };
        // SAFETY: a plain call.
        unsafe { reset.unwrap()() };
        let limits = Limits {
            step: Duration::from_secs(60),
            cancel: Duration::from_secs(10),
            grace: Duration::from_secs(10),
        };
        let vss = WindowsVss {
            library: Arc::new(library),
            cluster: Arc::new(Cluster::of(load())),
            limits,
        };
        Some(Self {
            vss,
            tell: tell.unwrap(),
            record: record.unwrap(),
            _alone: alone,
        })
    }

    /// Says what is to be answered.
    pub(super) fn tell(&self, name: &str, value: u32) {
        let name = CString::new(name).unwrap();
        // SAFETY: the name ends in a zero.
        unsafe { (self.tell)(name.as_ptr(), value.cast_signed()) };
    }

    /// Returns what was called, and what is alive.
    pub(super) fn record(&self) -> Vec<String> {
        let mut buffer = vec![0_u8; 65_536];
        // SAFETY: the buffer has as much room as is told.
        let length = unsafe { (self.record)(buffer.as_mut_ptr(), 65_536) };
        buffer.truncate(usize::try_from(length).unwrap());
        let text = String::from_utf8(buffer).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the lines of the record that begin with one of these words.
    pub(super) fn record_of(&self, words: &[&str]) -> Vec<String> {
        let mut lines = self.record();
        lines.retain(|line| words.contains(&line.split(' ').next().unwrap_or_default()));
        lines
    }

    /// Waits until all objects are gone: a backup's thread ends after its backup.
    pub(super) fn assert_nothing_is_alive(&self) {
        let mut alive = Vec::new();
        for _ in 0..500 {
            alive = self.record_of(&["ALIVE"]);
            if alive.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{alive:?}");
    }

    pub(super) fn begin(&self) -> Box<dyn VssBackup> {
        self.vss.begin(&options(SnapshotKind::Backup)).unwrap()
    }

    /// Brings a backup to where writers are prepared.
    pub(super) fn prepared(&self) -> Box<dyn VssBackup> {
        let mut backup = self.begin();
        backup.writers(&|| false).unwrap();
        backup.add_component(&component()).unwrap();
        backup.start_set().unwrap();
        backup.add_volume(r"\\?\Volume{a}\", None).unwrap();
        backup
            .add_volume(r"\\?\Volume{b}\", Some(id(0x99)))
            .unwrap();
        backup.prepare(&|| false).unwrap();
        backup
    }
}

pub(super) fn options(kind: SnapshotKind) -> RequestOptions {
    RequestOptions {
        kind,
        backup_type: BackupType::Copy,
        writers: vec![HYPERV_WRITER],
    }
}

/// An id of the stand-in's sort.
pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The same as the record has it.
pub(super) fn text(id: Uuid) -> String {
    format!("{{{}}}", id.to_string().to_uppercase())
}

pub(super) fn component() -> ComponentId {
    ComponentId {
        instance: id(0x10),
        writer: HYPERV_WRITER,
        kind: ComponentKind::FileGroup,
        logical_path: String::new(),
        name: "Füße".to_owned(),
    }
}
